"""The order views in MongoDB: merged there as `views/orders/view.py` merges them, and read back."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any

import bson
from bson.errors import BSONError
from pymongo import UpdateOne
from service_kit.runtime.turns import in_turns

from query.storage.batch_loader import BatchLoader
from query.storage.client import (
    DOCUMENT,
    KEY_READ_TIME_MS_MAX,
    WRITE_TIMEOUT_S,
    raw_answer,
    store_call,
    write_to_all,
)
from query.storage.generations import Generation, Generations
from query.storage.orders.board import read_board
from query.storage.orders.forgotten import erase_forgotten
from query.storage.orders.indexes import ORDER_INDEXES
from query.storage.orders.status_expression import SET_STATUS_STAGE
from query.storage.sales.store import mark_for_roll_up
from query.views.merge import AggregateState, Document
from query.views.orders.view import OrderView, forgotten_versions
from query.views.ports import BoardReading, DamagedView


class MongoOrders:
    """The port `Orders`, in the collection `orders` of each generation."""

    def __init__(self, generations: Generations) -> None:
        self._generations = generations
        self._by_id = BatchLoader(self._fetch)

    async def set_up(self) -> None:
        """Make the indexes that orders are found by, if they are not there."""
        for generation in await self._generations.written():
            await generation.orders.create_indexes(ORDER_INDEXES)

    async def merge(self, views: Sequence[OrderView]) -> None:
        if not views:
            return
        generations = await self._generations.written()
        updates = [_merge_update(view) async for view in in_turns(views)]
        await write_to_all([generation.orders for generation in generations], updates)
        for generation in generations:
            order_ids = [view.order_id for view in views]
            await asyncio.gather(
                erase_forgotten(generation, order_ids), mark_for_roll_up(generation, views)
            )

    async def forget(self, view: OrderView) -> None:
        await self.merge([view])  # one that is written now may be kept once a projector comes to it
        for generation in await self._generations.kept():
            async with store_call(WRITE_TIMEOUT_S):
                await generation.orders.update_one(
                    {"_id": view.order_id}, [*_merge_stages(view), _only(view)]
                )

    async def one(self, order_id: str) -> Document | None:
        raw = await self._by_id.load(order_id)
        try:
            return None if raw is None else bson.decode(raw, DOCUMENT)
        except BSONError as error:
            raise DamagedView(order_id) from error

    async def board(self, restaurant: str) -> BoardReading:
        async def question(live: Generation) -> BoardReading:
            snapshot = self._generations.snapshot_of(live)
            async with store_call():
                board = await read_board(live, restaurant, snapshot)
            return BoardReading(board, is_current=live.is_current)

        return await self._generations.answer(question)

    async def _fetch(self, order_ids: Sequence[str]) -> dict[str, bytes]:
        return await self._generations.answer(partial(_documents, order_ids))


async def _documents(order_ids: Sequence[str], live: Generation) -> dict[str, bytes]:
    """The documents, by as many questions as they need answers: one, unless they are large."""
    found: dict[str, bytes] = {}
    left = list(order_ids)
    while left:
        async with store_call():
            answer = await raw_answer(
                live.orders,
                "find",
                filter={"_id": {"$in": left}},
                batchSize=len(left) + 1,
                maxTimeMS=KEY_READ_TIME_MS_MAX,
            )
        found |= {each["_id"]: bytes(each.raw) for each in answer.documents}
        left = [] if answer.is_whole else [each for each in left if each not in found]
    return found


def _merge_update(view: OrderView) -> UpdateOne:
    return UpdateOne({"_id": view.order_id}, _merge_stages(view), upsert=True)


def _merge_stages(view: OrderView) -> list[Any]:
    """The stages of an update that merge a view into its document.

    `$max` compares sub-documents key by key and their version comes first, so the newer one stays;
    data is `$literal`, or a text such as `$5 off` would be read as the name of a field.
    """
    merged: dict[str, Any] = {
        "restaurant": {"$literal": view.restaurant},
        "timeline": {"$mergeObjects": ["$timeline", {"$literal": view.timeline}]},
    }
    if view.order:
        merged["order"] = _newest("order", view.order)
    for number, ticket in view.tickets.items():
        merged[f"tickets.{number}"] = _newest(f"tickets.{number}", ticket)
    for source, version in forgotten_versions(view.timeline).items():
        merged[f"forgotten.{source}"] = {"$max": [f"$forgotten.{source}", version]}
    return [{"$set": merged}, SET_STATUS_STAGE]


def _only(view: OrderView) -> dict[str, Any]:
    """The stage that leaves of a document's timeline what the view has."""
    return {"$set": {"timeline": {"$literal": view.timeline}}}


def _newest(path: str, state: AggregateState) -> dict[str, Any]:
    return {"$max": [f"${path}", {"$literal": state}]}
