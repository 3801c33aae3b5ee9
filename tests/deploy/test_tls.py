"""In production nothing is said in the clear between a service and a store."""

import fnmatch
import re
from urllib.parse import urlsplit

import pytest
import yaml
from comanda_local.cluster_secrets import Size, new_secrets

from tests.deploy.cluster import image_of, of_kind, pods
from tests.deploy.manifests import KUBERNETES, Manifest, render
from tests.deploy.programs import SERVICES

pytestmark = pytest.mark.programs

PRODUCTION = KUBERNETES / "overlays" / "production"
VALUES = yaml.safe_load((PRODUCTION / "nats-values.yaml").read_text())
STORES = {"COMANDA_NATS": "nats", "COMANDA_DATABASE": "postgresql", "COMANDA_MONGODB": "mongodb"}


@pytest.fixture(scope="module")
def production() -> list[Manifest]:
    return render(PRODUCTION)


def certificates(manifests: list[Manifest]) -> dict[str, Manifest]:
    """What cert-manager is asked for, by the secret that it makes."""
    return {each["spec"]["secretName"]: each["spec"] for each in of_kind(manifests, "Certificate")}


def without_tls(manifests: list[Manifest]) -> list[str]:
    """The URLs of stores beside which no container of ours finds the store's CA."""
    found: list[str] = []
    for pod in pods(manifests):
        for container in (each for each in pod.containers if "comanda/" in image_of(each)):
            names = {each["name"]: each.get("value") for each in container.get("env", ())}
            urls = (name for name in names if re.fullmatch(r"COMANDA_[A-Z]+_URL", name))
            found += [
                f"{pod.name}: {name}"
                for name in urls
                if names.get(name.replace("_URL", "_CA")) != "/etc/comanda/tls/ca.crt"
            ]
    return found


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_that_is_applied_alone_speaks_tls_with_its_stores(service: str) -> None:
    assert without_tls(render(KUBERNETES / service / "production")) == []


def test_every_part_of_the_whole_speaks_tls_with_its_stores(production: list[Manifest]) -> None:
    assert without_tls(production) == []
    assert without_tls(render(KUBERNETES / "overlays" / "small"))  # or nothing is looked at


def test_the_files_are_those_that_cert_manager_signs(production: list[Manifest]) -> None:
    issuers = {each["metadata"]["name"] for each in of_kind(production, "Issuer")}
    signed = certificates(production)
    mounted = {
        volume["secret"]["secretName"]
        for pod in pods(production)
        for volume in pod.spec.get("volumes", [])
        if volume["name"] == "tls"
    }

    assert mounted == {f"{name}-tls" for name in (*SERVICES, "backup")}
    assert mounted | {f"{store}-tls" for store in STORES.values()} <= signed.keys()
    assert {each["issuerRef"]["name"] for each in signed.values()} <= issuers
    for service in mounted:
        assert signed[service]["usages"] == ["client auth"]


def test_backups_are_told_of_the_ca_and_to_speak_tls(production: list[Manifest]) -> None:
    told = {
        pod.name: {each["name"]: each.get("value") for each in pod.containers[0].get("env", ())}
        for pod in pods(production)
    }

    assert told["CronJob/backup-postgresql"]["PGSSLMODE"] == "verify-full"
    assert told["CronJob/backup-postgresql"]["PGSSLROOTCERT"] == "/etc/comanda/tls/ca.crt"
    assert told["CronJob/backup-streams"]["NATS_CA"] == "/etc/comanda/tls/ca.crt"
    assert told["CronJob/backup-streams"]["NATS_OPTIONS"] == "--tlsfirst"


def test_a_store_is_called_by_a_name_of_its_certificate(production: list[Manifest]) -> None:
    signed = certificates(production)

    for values in new_secrets(Size.PRODUCTION).values():
        for variable, url in values.items():
            if variable.endswith("_URL"):
                store = STORES[variable.removesuffix("_URL")]
                names = signed[f"{store}-tls"]["dnsNames"]
                host = urlsplit(url).hostname or ""
                assert any(fnmatch.fnmatch(host, name) for name in names), host


def test_each_member_has_a_name_of_its_stores_certificate(production: list[Manifest]) -> None:
    signed = certificates(production)
    members = [f"nats-{number}.nats-headless" for number in range(3)]

    assert set(members) <= set(signed["nats-tls"]["dnsNames"])
    assert "*.mongodb-svc.comanda.svc.cluster.local" in signed["mongodb-tls"]["dnsNames"]


def test_an_operator_comes_to_nats_through_a_forwarded_port(production: list[Manifest]) -> None:
    page = (KUBERNETES.parents[1] / "docs" / "runbooks" / "README.md").read_text()

    assert "localhost" in certificates(production)["nats-tls"]["dnsNames"]
    assert "@localhost:4222" in page
    assert "export NATS_CA=" in page
    assert "--tlsfirst" in page


def test_the_stores_refuse_what_is_in_the_clear(production: list[Manifest]) -> None:
    (mongodb,) = of_kind(production, "MongoDBCommunity")
    (postgresql,) = of_kind(production, "Cluster")
    nats = VALUES["config"]["nats"]["tls"]

    assert mongodb["spec"]["security"]["tls"] == {
        "enabled": True,
        "optional": False,
        "certificateKeySecretRef": {"name": "mongodb-tls"},
        "caCertificateSecretRef": {"name": "mongodb-tls"},
    }
    assert postgresql["spec"]["postgresql"]["pg_hba"][0] == "hostnossl all all all reject"
    assert set(postgresql["spec"]["certificates"].values()) == {"postgresql-tls"}
    assert nats["enabled"] is True
    assert nats["secretName"] == VALUES["tlsCA"]["secretName"] == "nats-tls"
    assert nats["merge"]["handshake_first"] is True, "services say nothing before it"
    assert VALUES["config"]["cluster"]["tls"]["enabled"] is True
