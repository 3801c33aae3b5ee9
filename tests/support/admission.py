"""Lets in whom the tests' own issuer signs a token for: of services that a test runs in process."""

import functools
from pathlib import Path

from comanda_local.access import (
    AUDIENCE,
    CLAIM,
    GUEST_KEY,
    GUESTS_FOLDER,
    ISSUER,
    GuestKeys,
)
from service_kit.access.admission import Admission, admission_by
from service_kit.access.guests import GuestSigner, GuestVerifier
from service_kit.access.key_source import source_of
from service_kit.access.keys import KeySet
from service_kit.access.withdrawals import Withdrawals
from service_kit.runtime.settings import AccessSettings

from tests.support.tokens import own_issuer


def own_admission(withdrawals: Withdrawals | None = None) -> Admission:
    """Without `withdrawals` nobody's token is withdrawn."""
    settings = AccessSettings(
        jwks=str(own_issuer().jwks), issuer=ISSUER, audience=AUDIENCE, claim=CLAIM
    )
    keys = KeySet(source_of(str(guest_keys().jwks)))
    return admission_by(settings, withdrawals or Withdrawals(), GuestVerifier(keys))


@functools.cache
def guest_keys() -> GuestKeys:
    """The key of the guests of those services."""
    return GuestKeys(own_issuer().jwks.parent / GUESTS_FOLDER)


def guest_bearer(restaurant: str, order_id: object) -> dict[str, str]:
    """The header of the guest who has this order."""
    signer = GuestSigner.from_file(Path(guest_keys().environment_of("ordering")[GUEST_KEY]))
    return {"Authorization": f"Bearer {signer.token(restaurant, str(order_id))}"}
