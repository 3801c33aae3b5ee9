"""Each rule about the manifests catches what it is there to catch."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from tests.deploy.manifests import KUBERNETES, VERSIONS, Manifest, named, render, schema_error
from tests.deploy.rules import broken

pytestmark = pytest.mark.programs

Manifests = dict[str, Manifest]
"""By kind and name."""

DEFECTS: dict[str, tuple[Callable[[Manifests], Any], str]] = {
    "a Deployment that does not select its own pods": (
        lambda m: m["Deployment/query"]["spec"]["selector"]["matchLabels"].update(
            {"app.kubernetes.io/component": "reader"}
        ),
        "Deployment/query does not select its own pods",
    ),
    "a Service that selects nothing": (
        lambda m: m["Service/serving"]["spec"]["selector"].update({"app": "serving"}),
        "Service/serving selects no pod",
    ),
    "a disruption budget that selects nothing": (
        lambda m: m["PodDisruptionBudget/ordering"]["spec"]["selector"]["matchLabels"].update(
            {"app": "ordering"}
        ),
        "PodDisruptionBudget/ordering selects no pod",
    ),
    "no disruption budget": (
        lambda m: m.pop("PodDisruptionBudget/query-projector"),
        "Deployment/query-projector has no PodDisruptionBudget",
    ),
    "a setting of a store that can't be reached": (
        lambda m: container(m, "Deployment/serving")["env"].append(
            {"name": "COMANDA_MONGODB_URL", "value": "mongodb://mongodb"}
        ),
        "Deployment/serving is told of mongodb, and can't reach it",
    ),
    "a store that is reached for nothing": (
        lambda m: container(m, "CronJob/ordering-operator")["env"].pop(0),
        "CronJob/ordering-operator reaches postgresql, of which nothing tells it",
    ),
    "replicas that may be in one zone": (
        lambda m: pod(m, "Deployment/query")["topologySpreadConstraints"].pop(1),
        "Deployment/query may have all its replicas in one zone",
    ),
    "an autoscaler without its target": (
        lambda m: m["HorizontalPodAutoscaler/query"]["spec"]["scaleTargetRef"].update(name="q"),
        "HorizontalPodAutoscaler/query scales q, which is not there",
    ),
    "an autoscaler with more at least than at most": (
        lambda m: m["HorizontalPodAutoscaler/query"]["spec"].update(minReplicas=7),
        "HorizontalPodAutoscaler/query has bounds that leave no number of replicas",
    ),
    "replicas fixed and scaled": (
        lambda m: m["Deployment/query"]["spec"].update(replicas=3),
        "Deployment/query fixes the replicas that HorizontalPodAutoscaler/query decides on",
    ),
    "two autoscalers for one Deployment": (
        lambda m: m["HorizontalPodAutoscaler/query"]["spec"]["scaleTargetRef"].update(
            name="serving"
        ),
        "scales serving, and so does another",
    ),
    "a request above the limit": (
        lambda m: container(m, "Deployment/serving")["resources"]["requests"].update(memory="2Gi"),
        "Deployment/serving, container serving: requests more memory than its limit",
    ),
    "a quantity that is none": (
        lambda m: container(m, "Deployment/serving")["resources"]["limits"].update(memory="1 GB"),
        "Deployment/serving, container serving: 1 GB is no quantity",
    ),
    "no bound on memory": (
        lambda m: container(m, "Job/ordering-migration-1-0-0")["resources"].pop("limits"),
        "container migration: must request CPU and memory and bound its memory",
    ),
    "a probe of a port that is not there": (
        lambda m: container(m, "Deployment/query")["readinessProbe"]["httpGet"].update(port="web"),
        "Deployment/query: its readinessProbe asks port web, which it does not have",
    ),
    "a Service that sends to a port that is not there": (
        lambda m: m["Service/query"]["spec"]["ports"][0].update(targetPort=8080),
        "Service/query sends to a port that Deployment/query does not have",
    ),
    "no readiness probe": (
        lambda m: container(m, "Deployment/ordering").pop("readinessProbe"),
        "Deployment/ordering has no readinessProbe",
    ),
    "killed before it can have drained": (
        lambda m: pod(m, "Deployment/ordering").update(terminationGracePeriodSeconds=10),
        "Deployment/ordering is killed before it can have drained",
    ),
    "no pause before the end": (
        lambda m: container(m, "Deployment/ordering").pop("lifecycle"),
        "Deployment/ordering stops while others still send to it",
    ),
    "an update that takes a replica away first": (
        lambda m: m["Deployment/query"]["spec"]["strategy"]["rollingUpdate"].update(
            maxUnavailable=1
        ),
        "Deployment/query goes below its replicas during an update",
    ),
    "all replicas on one node": (
        lambda m: pod(m, "Deployment/query").pop("topologySpreadConstraints"),
        "Deployment/query may have all its replicas on one node",
    ),
    "spread by the labels of others": (
        lambda m: pod(m, "Deployment/query")["topologySpreadConstraints"][0]["labelSelector"][
            "matchLabels"
        ].update({"app.kubernetes.io/component": "projector"}),
        "Deployment/query is spread by the labels of other pods",
    ),
    "root": (
        lambda m: pod(m, "Deployment/serving")["securityContext"].update(runAsUser=0),
        "Deployment/serving may run as root",
    ),
    "no seccomp profile": (
        lambda m: pod(m, "Deployment/serving")["securityContext"].pop("seccompProfile"),
        "Deployment/serving has no seccomp profile",
    ),
    "a writable root file system": (
        lambda m: container(m, "Deployment/serving")["securityContext"].update(
            readOnlyRootFilesystem=False
        ),
        "Deployment/serving may write to its root file system",
    ),
    "privileges to gain": (
        lambda m: container(m, "Deployment/serving")["securityContext"].pop(
            "allowPrivilegeEscalation"
        ),
        "Deployment/serving may gain privileges",
    ),
    "capabilities": (
        lambda m: container(m, "Deployment/serving")["securityContext"].update(
            capabilities={"drop": ["ALL"], "add": ["NET_ADMIN"]}
        ),
        "Deployment/serving keeps capabilities",
    ),
    "a token of the cluster": (
        lambda m: pod(m, "Deployment/serving").pop("automountServiceAccountToken"),
        "Deployment/serving is given a token of the cluster",
    ),
    "a service account that is not there": (
        lambda m: m.pop("ServiceAccount/query"),
        "Deployment/query runs as a service account that is not there",
    ),
    "a ConfigMap that is not there": (
        lambda m: container(m, "Deployment/query")["envFrom"][0]["configMapRef"].update(name="q"),
        "Deployment/query takes its environment from what is not there",
    ),
    "no network policy": (
        lambda m: m.pop("NetworkPolicy/query"),
        "Deployment/query may be reached from anywhere: no NetworkPolicy",
    ),
    "a network policy for incoming traffic alone": (
        lambda m: m["NetworkPolicy/query"]["spec"].update(policyTypes=["Ingress"]),
        "Deployment/query may reach anything: no NetworkPolicy",
    ),
    "query reaches PostgreSQL": (
        lambda m: m["NetworkPolicy/query"]["spec"]["egress"].append(
            to_pods({"comanda/store": "postgresql"}, 5432)
        ),
        "NetworkPolicy/query lets Deployment/query reach postgresql at {5432}",
    ),
    "query reaches PostgreSQL as if it were MongoDB": (
        lambda m: m["NetworkPolicy/query"]["spec"]["egress"][-1]["ports"].append({"port": 5432}),
        "NetworkPolicy/query lets Deployment/query reach mongodb at",
    ),
    "a policy more lets a service reach everything": (
        lambda m: m.update({"NetworkPolicy/more": policy_for("serving", egress=[{}])}),
        "NetworkPolicy/more lets Deployment/serving reach more than stores and names",
    ),
    "a service reaches another": (
        lambda m: m["NetworkPolicy/serving"]["spec"]["egress"].append(
            to_pods({"app.kubernetes.io/name": "ordering"}, 8000)
        ),
        "NetworkPolicy/serving lets Deployment/serving reach more than stores and names",
    ),
    "a service reaches more of the provider than its keys": (
        lambda m: m["NetworkPolicy/serving"]["spec"]["egress"][1]["ports"].append({"port": 5432}),
        "NetworkPolicy/serving lets Deployment/serving reach provider at",
    ),
    "a service reaches everybody at the provider's port": (
        lambda m: m["NetworkPolicy/serving"]["spec"]["egress"][1].pop("to"),
        "NetworkPolicy/serving lets Deployment/serving reach more than stores and names",
    ),
    "a service that can't fetch keys": (
        lambda m: m["NetworkPolicy/serving"]["spec"]["egress"].pop(1),
        "Deployment/serving can't reach provider",
    ),
    "a service that can't send its spans away": (
        lambda m: m["NetworkPolicy/serving"]["spec"]["egress"].pop(2),
        "Deployment/serving can't reach monitoring",
    ),
    "a service is reached by another": (
        lambda m: m["NetworkPolicy/ordering"]["spec"]["ingress"][0]["from"].append(
            {"podSelector": {"matchLabels": {"app.kubernetes.io/name": "serving"}}}
        ),
        "NetworkPolicy/ordering lets Deployment/ordering be reached by more than the gateway",
    ),
    "the gateway reaches the metrics": (
        lambda m: m["NetworkPolicy/ordering"]["spec"]["ingress"][0]["ports"].append(
            {"port": "admin"}
        ),
        "NetworkPolicy/ordering lets comanda/gateway reach Deployment/ordering at another port",
    ),
    "a service is reached by everybody": (
        lambda m: m["NetworkPolicy/ordering"]["spec"]["ingress"][0].pop("from"),
        "NetworkPolicy/ordering lets Deployment/ordering be reached by more than the gateway",
    ),
    "a policy that opens a port that is not there": (
        lambda m: m["NetworkPolicy/ordering"]["spec"]["ingress"][0]["ports"][0].update(port="web"),
        "NetworkPolicy/ordering opens a port that Deployment/ordering does not have",
    ),
    "more of kube-system than names": (
        lambda m: m["NetworkPolicy/serving"]["spec"]["egress"][0].pop("ports"),
        "NetworkPolicy/serving lets Deployment/serving reach more or less than DNS",
    ),
    "names that OpenShift does not resolve": (
        lambda m: m["NetworkPolicy/serving"]["spec"]["egress"][0]["to"].pop(1),
        "NetworkPolicy/serving lets Deployment/serving reach more than stores and names",
    ),
    "a store that can't be reached": (
        lambda m: m["NetworkPolicy/serving"]["spec"]["egress"].pop(),
        "Deployment/serving can't reach nats",
    ),
    "any version of an image": (
        lambda m: container(m, "Deployment/query").update(image="comanda/query:latest"),
        "Deployment/query: comanda/query:latest may be any version",
    ),
    "another version than the package's": (
        lambda m: container(m, "Deployment/query").update(image="comanda/query:0.9.0"),
        "Deployment/query: comanda/query:0.9.0 is not 1.0.0",
    ),
    "arguments that are not known": (
        lambda m: container(m, "Deployment/query-projector").update(args=["project"]),
        "Deployment/query-projector runs query project, which is not known",
    ),
    "a service that nobody sets up": (
        lambda m: m.pop("Job/serving-set-up-1-0-0"),
        "Deployment/serving needs serving set-up, which no Job runs",
    ),
    "a set-up that does something else": (
        lambda m: container(m, "Job/query-set-up-1-0-0").update(args=["api"]),
        "Deployment/query-projector needs query set-up, which no Job runs",
    ),
    "a set-up that is tried once": (
        lambda m: pod(m, "Job/ordering-set-up-1-0-0").update(restartPolicy="Never"),
        "Job/ordering-set-up-1-0-0 is not repeated when it fails",
    ),
    "a set-up that goes by itself": (
        lambda m: m["Job/ordering-set-up-1-0-0"]["spec"].update(ttlSecondsAfterFinished=300),
        "Job/ordering-set-up-1-0-0 goes by itself, and so is made again",
    ),
    "a set-up of another release": (
        lambda m: m["Job/ordering-set-up-1-0-0"]["metadata"].update(name="ordering-set-up-0-9-0"),
        "Job/ordering-set-up-0-9-0 has the name of another release's",
    ),
    "a set-up that reaches a store": (
        lambda m: m["NetworkPolicy/query-set-up"]["spec"]["egress"].append(
            to_pods({"comanda/store": "mongodb"}, 27017)
        ),
        "NetworkPolicy/query-set-up lets Job/query-set-up-1-0-0 reach mongodb at {27017}",
    ),
    "a variable that is no setting": (
        lambda m: variable(m, "Deployment/query", "COMANDA_MONGODB_URL").update(
            name="COMANDA_MONGO_URL"
        ),
        "Deployment/query: COMANDA_MONGO_URL is no setting",
    ),
    "a required setting that is not given": (
        lambda m: container(m, "Deployment/ordering")["env"].remove(
            variable(m, "Deployment/ordering", "COMANDA_NATS_URL")
        ),
        "Deployment/ordering: COMANDA_NATS_URL: Field required",
    ),
    "a setting that is out of bounds": (
        lambda m: config_of(m, "ordering").update(COMANDA_STREAM_REPLICAS="9"),
        "Deployment/ordering: COMANDA_STREAM_REPLICAS: Input should be less than",
    ),
    "a secret written down": (
        lambda m: variable(m, "Deployment/serving", "COMANDA_NATS_URL").update(
            value="nats://serving:secret@nats:4222"
        ),
        "Deployment/serving: COMANDA_NATS_URL is written down",
    ),
    "a secret in a ConfigMap": (
        lambda m: config_of(m, "serving").update(COMANDA_NATS_URL="nats://a:secret@nats"),
        "Deployment/serving: COMANDA_NATS_URL is written down",
    ),
    "a Secret in the repository": (
        lambda m: m.update({"Secret/s": {"kind": "Secret", "metadata": {"name": "s"}}}),
        "Secret/s is in the repository",
    ),
    "another service's secret": (
        lambda m: variable(m, "Deployment/query", "COMANDA_NATS_URL")["valueFrom"][
            "secretKeyRef"
        ].update(name="ordering"),
        "Deployment/query: COMANDA_NATS_URL is from the secret of ordering",
    ),
    "an operator's secret that is waited for": (
        lambda m: variable(m, "Deployment/query", "COMANDA_OPERATOR_NATS_SEED")["valueFrom"][
            "secretKeyRef"
        ].pop("optional"),
        "Deployment/query waits for query-operate, which need not be there",
    ),
    "the private half of the guests' key where the public one does": (
        lambda m: guests(m, "Deployment/query")["secret"].update(secretName="ordering-guests"),
        "Deployment/query: the volume guests is the secret of ordering-guests",
    ),
    "the guests' key for a part that answers no guest": (
        lambda m: pod(m, "Deployment/query-projector").update(
            volumes=[guests(m, "Deployment/query")]
        ),
        "Deployment/query-projector: the volume guests is the secret of query-guests",
    ),
    "a key that is mounted elsewhere": (
        lambda m: container(m, "Deployment/ordering")["volumeMounts"][0].update(mountPath="/keys"),
        "Deployment/ordering: COMANDA_GUEST_KEY names a file that no secret has",
    ),
    "a key that its service may write": (
        lambda m: container(m, "Deployment/ordering")["volumeMounts"][0].pop("readOnly"),
        "Deployment/ordering may write to /etc/comanda/guests",
    ),
    "a key that anybody may read": (
        lambda m: guests(m, "Deployment/ordering")["secret"].pop("defaultMode"),
        "Deployment/ordering: anybody may read /etc/comanda/guests",
    ),
    "a key that its service can't read": (
        lambda m: pod(m, "Deployment/ordering")["securityContext"].pop("fsGroup"),
        "Deployment/ordering can't read /etc/comanda/guests, which is root's",
    ),
}

IN_PRODUCTION: dict[str, tuple[Callable[[Manifests], Any], str]] = {
    "a ScaledObject without its target": (
        lambda m: m["ScaledObject/query-projector"]["spec"]["scaleTargetRef"].update(name="p"),
        "ScaledObject/query-projector scales p, which is not there",
    ),
    "a ScaledObject with more at least than at most": (
        lambda m: m["ScaledObject/query-projector"]["spec"].update(minReplicaCount=9),
        "ScaledObject/query-projector has bounds that leave no number of replicas",
    ),
    "scaled by a metric that is not there": (
        lambda m: trigger(m).update(query="max(comanda_query_lag)"),
        "ScaledObject/query-projector asks for comanda_query_lag, which nobody exports",
    ),
    "scaled by no metric": (
        lambda m: trigger(m).update(query="vector(1)"),
        "ScaledObject/query-projector is scaled by what nobody measures",
    ),
    "a metric of another kind": (
        lambda m: trigger(m).update(query="rate(comanda_query_pending_events_total[1m])"),
        "asks for comanda_query_pending_events_total, which nobody exports",
    ),
    "chosen by a label that is not there": (
        lambda m: trigger(m).update(query='sum(comanda_query_pending_events{streams="ORDERS"})'),
        "comanda_query_pending_events has no label streams",
    ),
    "grouped by a label that is not there": (
        lambda m: trigger(m).update(query="max by (subject) (comanda_query_pending_events)"),
        "ScaledObject/query-projector groups by subject, which nothing has",
    ),
    "a part that no service has": (
        lambda m: trigger(m).update(query='comanda_component_ready{component="rely"} == 0'),
        "no service has a component rely",
    ),
    "pods that nobody scrapes": (
        lambda m: m["PodMonitor/query"]["spec"]["selector"]["matchLabels"].update(
            {"app.kubernetes.io/component": "api"}
        ),
        "Deployment/query-projector is scraped by no PodMonitor",
    ),
    "scraped at a port that is not there": (
        lambda m: m["PodMonitor/serving"]["spec"]["podMetricsEndpoints"][0].update(port="metrics"),
        "Deployment/serving is scraped by no PodMonitor",
    ),
    "an alert on what nobody exports": (
        lambda m: alert(m, "ordering").update(expr="max(comanda_ordering_outbox_seconds) > 60"),
        "alert RelayBehind asks for comanda_ordering_outbox_seconds, which nobody exports",
    ),
    "an alert on what another exporter has not": (
        lambda m: alert(m, "ordering").update(expr='kube_job_failed{job="a"} > 0'),
        "alert RelayBehind: kube_job_failed has no label job",
    ),
    "an alert without its page": (
        lambda m: alert(m, "query").update(alert="QueryIsSlow"),
        "alert QueryIsSlow has no page docs/runbooks/QueryIsSlow.md",
    ),
    "two alerts of a name": (
        lambda m: alert(m, "query").update(alert="RelayBehind"),
        "two alerts are called RelayBehind",
    ),
    "an alert for nobody": (
        lambda m: alert(m, "serving")["labels"].update(severity="loud"),
        "alert JetStreamFull does not say how much it hurries",
    ),
    "a panel that shows what nobody exports": (
        lambda m: change_panel(m, "service", "comanda_commands_total", "comanda_orders_total"),
        "asks for comanda_orders_total, which nobody exports",
    ),
    "a panel that shows what nobody records": (
        lambda m: change_panel(m, "service", "ratio_rate3d", "ratio_rate2d"),
        "asks for comanda:orders_shown_late:ratio_rate2d, which nobody exports",
    ),
    "a panel that asks the log for what is in no line": (
        lambda m: change_panel(m, "restaurant", "unwrap ms", "unwrap seconds"),
        "asks the log for seconds, which no line has",
    ),
    "a panel that shows a field that is in no line": (
        lambda m: change_panel(m, "restaurant", ".trace_id", ".span_id"),
        "asks the log for span_id, which no line has",
    ),
    "a panel that asks what is not there": (
        lambda m: change_panel(m, "restaurant", "loki", "elasticsearch"),
        "asks elasticsearch, which is no data source of ours",
    ),
    "a monitor of nothing": (
        lambda m: m["PodMonitor/ordering"]["spec"]["selector"]["matchLabels"].update(app="a"),
        "PodMonitor/ordering selects no pod",
    ),
    "no threshold to scale by": (
        lambda m: trigger(m).pop("threshold"),
        "ScaledObject/query-projector has no threshold",
    ),
    "too few copies of PostgreSQL": (
        lambda m: m["Cluster/postgresql"]["spec"].update(instances=1),
        "Cluster/postgresql has fewer than 3 copies",
    ),
    "too few copies of MongoDB": (
        lambda m: m["MongoDBCommunity/mongodb"]["spec"].pop("members"),
        "MongoDBCommunity/mongodb has fewer than 3 copies",
    ),
    "commits on one copy": (
        lambda m: m["Cluster/postgresql"]["spec"]["postgresql"].pop("synchronous"),
        "Cluster/postgresql may lose what it has acknowledged",
    ),
    "a store without a network policy": (
        lambda m: m.pop("NetworkPolicy/postgresql"),
        "Cluster/postgresql may be reached from anywhere: no NetworkPolicy",
    ),
    "a store's pods that no policy knows": (
        lambda m: m["Cluster/postgresql"]["spec"].pop("inheritedMetadata"),
        "NetworkPolicy/postgresql selects no pod",
    ),
    "a store that another service reaches": (
        lambda m: m["NetworkPolicy/postgresql"]["spec"]["ingress"][0]["from"].append(
            {"podSelector": {"matchLabels": {"app.kubernetes.io/name": "query"}}}
        ),
        "NetworkPolicy/postgresql lets Deployment/query reach postgresql",
    ),
    "a store that everybody reaches": (
        lambda m: m["NetworkPolicy/nats"]["spec"]["ingress"][0].pop("from"),
        "NetworkPolicy/nats lets anybody reach nats",
    ),
    "copies of PostgreSQL in one zone": (
        lambda m: m["Cluster/postgresql"]["spec"].pop("topologySpreadConstraints"),
        "Cluster/postgresql may have two copies in one zone",
    ),
    "copies of MongoDB that are only preferred to be apart": (
        lambda m: m["MongoDBCommunity/mongodb"]["spec"]["statefulSet"]["spec"]["template"]["spec"][
            "topologySpreadConstraints"
        ][1].update(whenUnsatisfiable="ScheduleAnyway"),
        "MongoDBCommunity/mongodb may have two copies in one zone",
    ),
    "a budget that leaves no quorum": (
        lambda m: m["PodDisruptionBudget/mongodb"]["spec"].update(maxUnavailable=2),
        "MongoDBCommunity/mongodb may lose its quorum to whoever drains nodes",
    ),
    "a backup that its store does not let in": (
        lambda m: m["NetworkPolicy/nats"]["spec"]["ingress"][0]["from"].pop(3),
        "CronJob/backup-streams may go to nats, which does not let it in",
    ),
    "an audit over HTTP without room for its notes": (
        lambda m: container(m, "Deployment/query").update(volumeMounts=[]),
        "Deployment/query has no /tmp for the notes of an audit",
    ),
    "copies that can't be made": (
        lambda m: m.pop("NetworkPolicy/postgresql-copies-to-be"),
        "Cluster/postgresql: what makes a copy can't reach API",
    ),
    "a copy that does not let another be made of it": (
        lambda m: m["NetworkPolicy/postgresql"]["spec"]["ingress"][1]["from"].pop(1),
        "Cluster/postgresql does not let in what makes a copy",
    ),
    "a drill that reaches what it is to stand for": (
        lambda m: m["NetworkPolicy/restore-drill"]["spec"]["egress"].append(
            to_pods({"comanda/store": "postgresql"}, 5432)
        ),
        "NetworkPolicy/restore-drill lets CronJob/restore-drill reach more or less than its store",
    ),
    "no policy for what no policy names": (
        lambda m: m.pop("NetworkPolicy/default-deny"),
        "Namespace/comanda allows what no policy denies",
    ),
    "a policy for all that allows something": (
        lambda m: m["NetworkPolicy/default-deny"]["spec"].update(egress=[{}]),
        "NetworkPolicy/default-deny allows something to every pod",
    ),
    "a store that reaches anything": (
        lambda m: m["NetworkPolicy/mongodb"]["spec"].update(policyTypes=["Ingress"]),
        "NetworkPolicy/mongodb lets mongodb reach anything",
    ),
    "a store that reaches the internet": (
        lambda m: m["NetworkPolicy/nats"]["spec"]["egress"].append(
            {"ports": [{"port": 443}, {"port": 6443}]}
        ),
        "NetworkPolicy/nats lets nats reach more than its copies",
    ),
    "a store that does not let its service in": (
        lambda m: m["NetworkPolicy/postgresql"]["spec"]["ingress"][0]["from"].pop(0),
        "Deployment/ordering may go to postgresql, which does not let it in",
    ),
    "a user of MongoDB without a password": (
        lambda m: m["MongoDBCommunity/mongodb"]["spec"]["users"][0].pop("passwordSecretRef"),
        "MongoDBCommunity/mongodb: user query has no password",
    ),
}

MALFORMED: dict[str, tuple[str, Callable[[Manifest], Any]]] = {
    "an unknown field": ("Deployment/query", lambda each: each["spec"].update(replica=2)),
    "a wrong type": ("Service/query", lambda each: each["spec"].update(ports="http")),
    "an API that was removed": (
        "PodDisruptionBudget/query",
        lambda each: each.update(apiVersion="policy/v1beta1"),
    ),
    "a kind that nobody brings": ("Service/query", lambda each: each.update(kind="Servise")),
}


@pytest.fixture(scope="module")
def services() -> Manifests:
    """The three services, applied together."""
    return {
        named(each): each
        for service in ("ordering", "serving", "query")
        for each in render(KUBERNETES / service / "base")
    }


@pytest.fixture(scope="module")
def production() -> Manifests:
    return {named(each): each for each in render(KUBERNETES / "overlays" / "production")}


def test_the_manifests_to_plant_defects_in_have_none(services: Manifests) -> None:
    assert broken(list(services.values())) == []


@pytest.mark.parametrize("defect", IN_PRODUCTION)
def test_a_defect_planted_in_production_is_found(production: Manifests, defect: str) -> None:
    plant, complaint = IN_PRODUCTION[defect]
    planted = copy.deepcopy(production)
    plant(planted)

    found = broken(list(planted.values()))

    assert any(complaint in each for each in found), found


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_planted_defect_is_found(services: Manifests, defect: str) -> None:
    plant, complaint = DEFECTS[defect]
    planted = copy.deepcopy(services)
    plant(planted)

    found = broken(list(planted.values()))

    assert any(complaint in each for each in found), found


@pytest.mark.parametrize("defect", MALFORMED)
def test_what_kubernetes_would_refuse_is_found(services: Manifests, defect: str) -> None:
    name, plant = MALFORMED[defect]
    planted = copy.deepcopy(services[name])
    plant(planted)

    assert schema_error(services[name], VERSIONS[-1]) is None
    assert schema_error(planted, VERSIONS[-1]) is not None


def pod(manifests: Manifests, name: str) -> Any:
    spec = manifests[name]["spec"]
    return spec.get("jobTemplate", {"spec": spec})["spec"]["template"]["spec"]


def container(manifests: Manifests, name: str) -> Any:
    return pod(manifests, name)["containers"][0]


def variable(manifests: Manifests, name: str, variable: str) -> Any:
    return next(each for each in container(manifests, name)["env"] if each["name"] == variable)


def guests(manifests: Manifests, name: str) -> Any:
    return next(each for each in pod(manifests, name)["volumes"] if each["name"] == "guests")


def trigger(manifests: Manifests) -> Any:
    return manifests["ScaledObject/query-projector"]["spec"]["triggers"][0]["metadata"]


def alert(manifests: Manifests, name: str) -> Any:
    return manifests[f"PrometheusRule/{name}"]["spec"]["groups"][0]["rules"][0]


def change_panel(manifests: Manifests, board: str, old: str, new: str) -> None:
    data = manifests["ConfigMap/comanda-dashboards"]["data"]
    assert old in data[f"{board}.json"]
    data[f"{board}.json"] = data[f"{board}.json"].replace(old, new)


def config_of(manifests: Manifests, service: str) -> Any:
    """The data of its ConfigMap, whose name ends with a hash."""
    return next(
        manifest["data"]
        for name, manifest in manifests.items()
        if name.startswith(f"ConfigMap/{service}-")
    )


def to_pods(labels: dict[str, str], port: int) -> Any:
    return {"to": [{"podSelector": {"matchLabels": labels}}], "ports": [{"port": port}]}


def policy_for(service: str, **spec: Any) -> Manifest:
    selector = {"matchLabels": {"app.kubernetes.io/name": service}}
    return {
        "kind": "NetworkPolicy",
        "metadata": {"name": "more"},
        "spec": {"podSelector": selector, "policyTypes": ["Egress"], **spec},
    }
