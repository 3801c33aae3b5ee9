"""A till that speaks no HTTP: it sends commands over NATS, as the user that it is given."""

import asyncio
import json
from typing import Any

import nats
import pytest
from comanda_contracts import subjects
from comanda_local.servers import Nats
from comanda_local.stack import NATS_URL, Stack

from tests.e2e.restaurant import Restaurant, lines
from tests.support.tokens import bearer

pytestmark = pytest.mark.xdist_group("stack")


async def test_a_till_orders_and_hears_the_answer(stack: Stack) -> None:
    restaurant = Restaurant(stack, slug="la-piazza")
    server = stack.servers[NATS_URL]
    assert isinstance(server, Nats)
    body = {"channel": "takeaway", "customer": "Ada", "lines": lines()}
    headers = {"Comanda-Reply-To": "replies.v1.la-piazza.1.17", "Comanda-Request-Id": "till-1/17"}
    headers |= bearer({"la-piazza": ["till"]}, subject="till-1", issuer=stack.issuer)
    own = "replies.v1.la-piazza.1"
    async with await nats.connect(**server.login_of("till-la-piazza-1"), inbox_prefix=own) as till:
        answers = await till.subscribe(f"{own}.17")

        stored = await till.jetstream().publish(
            subjects.command(restaurant.slug, "place-order"),
            json.dumps(body).encode(),
            headers=headers,
        )
        answer = await answers.next_msg(timeout=20)

    assert stored.stream == "COMMANDS"
    assert (answer.headers or {})["Comanda-Status"] == "201"
    order: dict[str, Any] = json.loads(answer.data)
    view = await asyncio.to_thread(restaurant.view, order)
    assert view["customer"] == "Ada"
