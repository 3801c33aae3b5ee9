"""What the contestants are asked, where, and that they answer the same."""

from collections.abc import Callable, Mapping, Sequence
from itertools import cycle
from typing import Any

import httpx

from tests.benchmarks.figures import Figures
from tests.benchmarks.history import ACTIVE, Past
from tests.benchmarks.orders import RESTAURANT, TABLES, address
from tests.benchmarks.wrk import Request, fastest, saturate
from tests.support.tokens import bearer, token

Questions = Mapping[str, Sequence[str]]
"""Paths to ask for, by what they ask."""

HERE = address(RESTAURANT)
NEW_TOKENS_PER_S = 5_000
"""More than are verified in a second, so that none is sent twice."""
SOME = 5
"""So many paths of each question are compared."""


class Unlike(Exception):
    """The contestants do not answer the same."""


def of_crud(past: Past) -> Questions:
    """The questions in the CRUD service's words."""
    return _of_both(past) | {"active": [f"{HERE}/orders/active"]}


def of_comanda(past: Past) -> Questions:
    """The questions in query's words."""
    active = f"{HERE}/orders?active=true&sort=placed_at&limit={ACTIVE}"
    return _of_both(past) | {"active": [active]}


def _of_both(past: Past) -> dict[str, Sequence[str]]:
    return {
        "order": [f"{HERE}/orders/{order_id}" for order_id in past.some_ids()],
        "table": [f"{HERE}/orders?table={number}&limit=20" for number in range(1, TABLES + 1)],
        "board": [f"{HERE}/board"],
        "top": [f"{HERE}/sales/top?day={past.today}"],
    }


async def rates(url: str, questions: Questions, *, seconds: int) -> Figures:
    """Answers a second to each question, and their latency, with nothing else going on.

    Of an order also with a token in each request that was never sent before.
    """
    figures = {}
    for about, paths in questions.items():
        requests = [Request("GET", path) for path in paths]
        await saturate(url, requests, seconds=1)
        asked = await saturate(url, requests, seconds=seconds)
        figures[about] = asked.rate
        figures[f"{about}.p99_ms"] = asked.p99_ms
    newly = [
        Request("GET", path, token=token(subject=f"guest {number}"))
        for number, path in zip(
            range(seconds * fastest(NEW_TOKENS_PER_S)), cycle(questions["order"])
        )
    ]
    figures["order.new_tokens"] = (await saturate(url, newly, seconds=seconds)).rate
    return figures


async def gists(url: str, questions: Questions) -> dict[str, list[Any]]:
    """What the answers to some of the questions say, however they are laid out."""
    async with httpx.AsyncClient(
        base_url=url, timeout=60, trust_env=False, headers=bearer()
    ) as client:
        return {
            about: [
                _GISTS[about]((await client.get(path)).raise_for_status().json())
                for path in paths[:SOME]
            ]
            for about, paths in questions.items()
        }


def require_alike(one: Mapping[str, Any], other: Mapping[str, Any]) -> None:
    """Raise Unlike, with the questions, if two contestants' gists differ."""
    if unlike := [about for about in one if one[about] != other[about]]:
        raise Unlike(f"The contestants do not answer the same: {', '.join(unlike)}.")


def _order(answer: Any) -> Any:
    rounds = answer.get("rounds", [answer])
    lines = [line for each in rounds for line in each["lines"]]
    fields = ("sku", "name", "unit_price", "quantity", "note")
    return (
        *(_id(answer), answer["number"], answer["table"], answer["status"], answer["total"]),
        [[line[field] for field in fields] for line in lines],
    )


def _orders(answer: Any) -> Any:
    return [_order(each) for each in _list(answer, "orders")]


def _board(answer: Any) -> Any:
    return [
        [(_id(each), each["number"], each["table"], each.get("position")) for each in answer[part]]
        for part in ("preparing", "ready")
    ]


def _top(answer: Any) -> Any:
    fields = ("sku", "name", "quantity", "revenue")
    return [tuple(each[field] for field in fields) for each in _list(answer, "items")]


def _list(answer: Any, name: str) -> Any:
    """A list that is answered as it is, or under this name."""
    return answer[name] if isinstance(answer, dict) else answer


def _id(order: Any) -> str:
    return str(order["order_id"] if "order_id" in order else order["id"])


_GISTS: Mapping[str, Callable[[Any], Any]] = {
    "order": _order,
    "table": _orders,
    "active": _orders,
    "board": _board,
    "top": _top,
}
