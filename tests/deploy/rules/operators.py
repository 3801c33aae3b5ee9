"""Rules of what other operators are asked for, of which Kubernetes has no schema."""

from collections.abc import Iterator, Sequence

from tests.deploy.cluster import of_kind, policies_of_store
from tests.deploy.exporters import asked_by
from tests.deploy.manifests import Manifest, named

COPIES = 3
"""Of each store in production: one may be lost, and the others still agree."""


def stores_have_copies_and_a_policy(manifests: Sequence[Manifest]) -> Iterator[str]:
    for kind, copies, store in (
        ("Cluster", "instances", "postgresql"),
        ("MongoDBCommunity", "members", "mongodb"),
    ):
        for each in of_kind(manifests, kind):
            if each["spec"].get(copies, 0) < COPIES:
                yield f"{named(each)} has fewer than {COPIES} copies"
            if not policies_of_store(manifests, store):
                yield f"{named(each)} may be reached from anywhere: no NetworkPolicy"


def commits_are_on_two_copies(manifests: Sequence[Manifest]) -> Iterator[str]:
    """An accepted order is never lost, with whichever copy."""
    for each in of_kind(manifests, "Cluster"):
        if each["spec"].get("postgresql", {}).get("synchronous", {}).get("number", 0) < 1:
            yield f"{named(each)} may lose what it has acknowledged"


def users_have_passwords_from_secrets(manifests: Sequence[Manifest]) -> Iterator[str]:
    for each in of_kind(manifests, "MongoDBCommunity"):
        for user in each["spec"].get("users", []):
            if not user.get("passwordSecretRef", {}).get("name"):
                yield f"{named(each)}: user {user['name']} has no password"


def scaling_has_a_threshold(manifests: Sequence[Manifest]) -> Iterator[str]:
    """What it is compared with is exported, see the rules of monitoring."""
    for each in of_kind(manifests, "ScaledObject"):
        for trigger in each["spec"]["triggers"]:
            if trigger["type"] != "prometheus" or not asked_by(trigger["metadata"]["query"]):
                yield f"{named(each)} is scaled by what nobody measures"
            if not float(trigger["metadata"].get("threshold", 0)) > 0:
                yield f"{named(each)} has no threshold"
