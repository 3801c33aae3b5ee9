"""What an error of MongoDB means: one document's own fault, a server's state, or nobody knows."""

from typing import Any

import pytest
from pymongo import UpdateOne
from query.projection.apply import FAILURES
from query.storage.client import Database, write_to_all
from query.views.ports import StoreUnavailable, Unstorable
from service_kit.nats.failures import Fate

SECRET = "Ada Lovelace"
LARGE = SECRET * 800_000
"""More than half of what a document may hold."""


def nested(depth: int) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for _ in range(depth):
        document = {"a": document}
    return document


UNSTORABLE = {
    "a document beyond 16 MiB": [{"$set": {"a": LARGE, "b": LARGE}}],
    "one that would become so": [{"$set": {"a": LARGE}}, {"$set": {"b": LARGE}}],
    "a number beyond 64 bits": [{"$set": {"a": 2**64}}],
    "nested too deep": [{"$set": {"a": nested(200)}}],
    "a field without a name": [{"$set": {"a..b": SECRET}}],
    "a wrong type": [{"$set": {"a": SECRET}}, {"$inc": {"a": 1}}],
    "a path through a value": [{"$set": {"a": SECRET}}, {"$set": {"a.b": 1}}],
    "two arrays in one index": [{"$set": {"x": [1, 2], "y": [1, 2]}}],
}


@pytest.mark.parametrize("in_transaction", [False, True], ids=["alone", "in two generations"])
@pytest.mark.parametrize("updates", UNSTORABLE.values(), ids=UNSTORABLE.keys())
async def test_what_one_document_causes_is_its_own_fault_and_told_without_its_content(
    database: Database, updates: list[dict[str, Any]], *, in_transaction: bool
) -> None:
    here, there = database["here"], database["there"]
    for collection in (here, there):
        await collection.create_index([("x", 1), ("y", 1)])
    operations = [UpdateOne({"_id": "bad"}, update, upsert=True) for update in updates]

    targets = [here, there] if in_transaction else [here]
    for operation in operations[:-1]:
        await write_to_all(targets, [operation])

    with pytest.raises(Unstorable) as failed:
        await write_to_all(targets, operations[-1:])

    assert FAILURES.fate_of(failed.value) is Fate.PERMANENT
    assert SECRET not in str(failed.value)


@pytest.mark.parametrize("code", [91, 112, 10107, 11602, 13436, 14031, 64, 11000])
def test_a_servers_state_is_no_documents_fault(code: int) -> None:
    from query.storage.client import _failed

    error = _failed([(17419, "beyond 16 MiB"), (code, "not now")])

    assert isinstance(error, StoreUnavailable)
    assert FAILURES.fate_of(error) is Fate.OUTAGE


def test_what_is_known_neither_of_documents_nor_of_servers_may_pass() -> None:
    from query.storage.client import _failed

    assert FAILURES.fate_of(_failed([(40324, "no such stage")])) is Fate.PASSING
