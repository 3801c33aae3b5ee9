"""The errors by which a message of ordering fails: which are its own fault, and which nobody's."""

from service_kit.access.keys import KeyBeingRead, KeysUnavailable
from service_kit.nats.failures import Classifier
from sqlalchemy.exc import DataError

from ordering.application.transaction import CommandBlocked, StoreUnavailable

FAILURES = Classifier(
    permanent=(DataError,),
    blocked=(CommandBlocked, KeyBeingRead),
    outages=(StoreUnavailable, KeysUnavailable),
)
"""PostgreSQL will never take a value that it refused as such, such as a NUL in a text."""
