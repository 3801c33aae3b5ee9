"""What must hold between the manifests and no schema can say: each rule yields what breaks it."""

# decision/0016: manifests are held to rules in Python

from collections.abc import Callable, Iterator, Sequence

from tests.deploy.manifests import Manifest
from tests.deploy.rules import monitoring, network, operators, pods, programs, scaling

Rule = Callable[[Sequence[Manifest]], Iterator[str]]

RULES: tuple[Rule, ...] = (
    scaling.selectors_choose_what_is_there,
    scaling.autoscalers_have_a_target_of_their_own,
    scaling.every_deployment_has_a_disruption_budget,
    scaling.stores_are_spread_over_zones,
    scaling.budgets_leave_a_quorum,
    pods.resources_are_asked_for_and_bounded,
    pods.ports_exist,
    pods.services_are_probed_and_drained,
    pods.services_are_spread,
    pods.pods_are_restricted,
    pods.what_is_referred_to_is_there,
    pods.audits_have_room_for_their_notes,
    network.everything_else_is_denied,
    network.every_pod_has_a_network_policy,
    network.programs_reach_whom_their_settings_tell_of,
    network.stores_reach_their_copies_alone,
    network.copies_can_be_made,
    network.backups_reach_their_store_alone,
    network.services_reach_their_stores_alone,
    network.services_are_reached_from_outside_alone,
    network.stores_are_reached_by_their_owners_alone,
    operators.stores_have_copies_and_a_policy,
    operators.commits_are_on_two_copies,
    operators.users_have_passwords_from_secrets,
    operators.scaling_has_a_threshold,
    monitoring.pods_that_serve_are_scraped,
    monitoring.monitors_choose_what_is_there,
    monitoring.what_is_asked_for_is_exported,
    monitoring.alerts_lead_to_their_page,
    monitoring.panels_ask_for_what_is_there,
    programs.images_are_pinned,
    programs.programs_are_known_and_given_their_settings,
    programs.services_are_set_up,
    programs.jobs_are_named_by_their_release,
    programs.secrets_are_only_referred_to,
    programs.secrets_go_to_their_service_alone,
    programs.files_of_secrets_are_there_for_their_reader_alone,
)


def broken(manifests: Sequence[Manifest]) -> list[str]:
    """Everything that is wrong with manifests that are applied together."""
    return [complaint for rule in RULES for complaint in rule(manifests)]
