"""Lets in whom the tests' own issuer signs a token for: of services that a test runs in process."""

from comanda_local.access import AUDIENCE, CLAIM, ISSUER
from service_kit.access.admission import Admission, admission_by
from service_kit.access.withdrawals import Withdrawals
from service_kit.runtime.settings import AccessSettings

from tests.support.tokens import own_issuer


def own_admission() -> Admission:
    settings = AccessSettings(
        jwks=str(own_issuer().jwks), issuer=ISSUER, audience=AUDIENCE, claim=CLAIM
    )
    return admission_by(settings, Withdrawals())
