"""The generations of the views, over HTTP for operators."""

from collections.abc import Iterator

from fastapi import APIRouter
from pydantic import BaseModel, Field
from service_kit.http.openapi import Examples
from service_kit.http.problems import problem_responses
from service_kit.operate.letters import OPERATE_PREFIX, OPERATOR, TAG

from query.api.http.responses import from_store, store_unavailable
from query.maintenance.switchover import Pointer, Sequences, Switchover
from query.storage.client import Database
from query.storage.generations import Generation

READER = "operate"
"""Who only looks holds no candidate."""


class GenerationStatus(BaseModel):
    """Views that were made together."""

    number: int = Field(examples=[2])
    role: str = Field(description="`live`, `being filled` or `previous`", examples=["live"])
    orders: int = Field(description="as many as the store estimates", examples=[12_034])
    read: dict[str, int] = Field(
        description="the sequence up to which each stream is in it, where that is written down"
    )


class GenerationList(BaseModel):
    """The generations that there are, the live one first."""

    generations: list[GenerationStatus]


GENERATION_EXAMPLES: Examples = {
    GenerationList: {
        "a rebuild is under way": {
            "generations": [
                {"number": 2, "role": "live", "orders": 12_034, "read": {}},
                {"number": 3, "role": "being filled", "orders": 811, "read": {"ORDERS": 2117}},
            ]
        }
    }
}


def generation_routes(database: Database) -> APIRouter:
    """The route of the list."""
    router = APIRouter(prefix=OPERATE_PREFIX, tags=[TAG], dependencies=[OPERATOR])
    switchover = Switchover(database, READER)

    @router.get(
        "/generations",
        operation_id="listGenerations",
        responses=problem_responses(store_unavailable()),
    )
    async def list_generations() -> GenerationList:
        """Which generation of the views answers, which is filled, and which was before."""
        return await from_store(_listed(database, switchover))

    return router


async def _listed(database: Database, switchover: Switchover) -> GenerationList:
    generations = []
    for number, role, read in _roles(await switchover.pointer()):
        count = await Generation(database, number).orders.estimated_document_count()
        generations.append(GenerationStatus(number=number, role=role, orders=count, read=read))
    return GenerationList(generations=generations)


def _roles(pointer: Pointer) -> Iterator[tuple[int, str, Sequences]]:
    yield pointer.live, "live", {}
    if pointer.next:
        yield pointer.next.number, "being filled", pointer.next.read
    if pointer.previous:
        yield pointer.previous.number, "previous", pointer.previous.read
