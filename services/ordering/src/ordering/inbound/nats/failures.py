"""The errors by which a message of ordering fails: which are its own fault, and which nobody's."""

from service_kit.access.keys import KeyBeingRead, KeysUnavailable
from service_kit.nats.batches import Beside
from service_kit.nats.failures import Classifier
from sqlalchemy.exc import DataError

from ordering.application.transaction import CommandBlocked, StoreUnavailable
from ordering.inbound.change import Store

MESSAGES_BESIDE_MAX = 64
"""Messages of one restaurant that are waited for while the batches of a consumer go on."""

FAILURES = Classifier(
    permanent=(DataError,),
    blocked=(CommandBlocked, KeyBeingRead),
    outages=(StoreUnavailable, KeysUnavailable),
)
"""PostgreSQL will never take a value that it refused as such, such as a NUL in a text."""


# decision/0046: restaurants take turns
def beside(store: Store) -> Beside:
    """Leaves the messages of a restaurant that is blocked to go on beside their batch."""
    return Beside(
        store.is_blocked,
        lambda: CommandBlocked("messages of its restaurant are blocked already"),
        most_of_each=MESSAGES_BESIDE_MAX,
    )
