"""Repairs one document: makes it what the streams say of it."""

import contextlib

from pymongo.errors import DuplicateKeyError

from query.maintenance.document_kinds import (
    ORDER_DOCUMENTS,
    DocumentKind,
    expected_document,
)
from query.maintenance.inspection import events_about, past_events_about, restaurant_of
from query.maintenance.session import OperatorSession
from query.storage.client import COMMAND_READ_TIMEOUT_S, Collection, store_call
from query.storage.generations import Generation
from query.storage.sales.store import mark_for_roll_up
from query.views.merge import MALFORMED, Document

REPAIR_ATTEMPTS = 20
"""For a document that changes all the time."""


# decision/0020: a repair replaces a document only if it is still as it was
async def repair(
    session: OperatorSession, generation: Generation, kind: DocumentKind, key: str
) -> bool:
    """Make one document what the streams say. False if it changed all the time.

    The document is replaced if it is still as it was read before the streams were, and so holds
    nothing that is not on them; else it is looked at again. A merge that comes after finds the
    whole, and adds to it. So nothing that a projector stores meanwhile is lost. The sales of a
    repaired order are summed up anew.
    """
    collection = kind.collection(generation)
    for _ in range(REPAIR_ATTEMPTS):
        async with store_call(COMMAND_READ_TIMEOUT_S):
            stored = await collection.find_one({"_id": key})
        events, _ends = await events_about(session, kind, key)
        events += await past_events_about(session, kind, key, restaurant_of(stored))
        expected = expected_document(kind, events)
        if stored == expected:
            return True
        async with store_call(COMMAND_READ_TIMEOUT_S):
            replaced = await _replaced(collection, stored, expected)
        if replaced:
            if kind is ORDER_DOCUMENTS:
                await _sum_up_anew(session, stored, expected)
            return True
    return False


async def _replaced(collection: Collection, stored: Document | None, by: Document | None) -> bool:
    """Replace the document, if it is still what it was when it was read."""
    if stored is None:
        return by is None or await _inserted(collection, by)
    as_it_was = {name: {"$eq": value} for name, value in stored.items()}
    if by is None:
        return bool((await collection.delete_one(as_it_was)).deleted_count)
    return bool((await collection.replace_one(as_it_was, by)).matched_count)


async def _inserted(collection: Collection, document: Document) -> bool:
    try:
        await collection.insert_one(document)
    except DuplicateKeyError:
        return False
    return True


async def _sum_up_anew(session: OperatorSession, *orders: Document | None) -> None:
    """Mark the hours that the order was, and is, counted in."""
    for document in orders:
        with contextlib.suppress(*MALFORMED):  # it was nothing like an order
            if document:
                view = ORDER_DOCUMENTS.view_in(document)
                for generation in await session.generations.written():
                    await mark_for_roll_up(generation, [view])
