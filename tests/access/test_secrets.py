"""What is secret stays so: after an evening no log, metric, dead letter or process has it."""

import base64
import contextlib
import json
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import nats
import psutil
import pytest
from comanda_contracts import subjects
from comanda_contracts.streams import DEAD_LETTERS
from comanda_local.access import GUESTS_FOLDER, KEY_FILE, Issuer
from comanda_local.stack import MONGODB_URL, NATS_URL, Stack
from nats.js.errors import NotFoundError
from pymongo import MongoClient

from tests.e2e.restaurant import Restaurant, lines
from tests.support.tokens import bearer, token

pytestmark = pytest.mark.xdist_group("stack")

PHONE = "+39055019987654"
GUESTS = 10


def secrets_of(issuer: Issuer) -> Iterator[str]:
    """Each part of what must be nowhere: the keys, the tokens that are used here, and a phone."""
    for folder in (issuer.jwks.parent, issuer.jwks.parent / GUESTS_FOLDER):
        yield json.loads((folder / KEY_FILE).read_text())["d"]
    yield from parts_of(token(issuer=issuer))
    yield from parts_of(forged(issuer))
    yield PHONE.removeprefix("+")


def parts_of(signed: str) -> Iterator[str]:
    _, claims, signature = signed.split(".")
    yield claims
    yield signature


def forged(issuer: Issuer) -> str:
    """A token whose signature is another's: it is refused, and so may be logged."""
    head, claims, _ = token(issuer=issuer).split(".")
    return f"{head}.{claims}.{base64.urlsafe_b64encode(PHONE.encode() * 4).decode().rstrip('=')}"


async def test_no_token_key_or_phone_is_in_a_log_metric_dead_letter_or_list_of_processes(
    stack: Stack,
) -> None:
    restaurant = Restaurant(stack)
    with everything_is_slow(stack):
        an_evening(restaurant)
        what_is_refused(restaurant, stack)
        await by_a_till(restaurant, stack)

    letters = [letter async for letter in dead_letters(stack)]
    assert letters, "the command that can't be read was set aside"
    found = [
        f"{where}: {secret[:6]}…"
        for where, text in [*places(stack), *letters]
        for secret in secrets_of(stack.issuer)
        if secret in text
    ]

    assert found == []


@contextlib.contextmanager
def everything_is_slow(stack: Stack) -> Iterator[None]:
    """To MongoDB, which logs operations that take their time."""
    with MongoClient[dict[str, object]](stack.urls[MONGODB_URL]) as client:
        before = client.admin.command("profile", 0, slowms=0)
        yield
        client.admin.command("profile", 0, slowms=before["slowms"])


def an_evening(restaurant: Restaurant) -> None:
    """Guests whose orders are placed, cooked, handed over and looked at."""
    for number in range(GUESTS):
        body = {"channel": "takeaway", "customer": "Ada", "phone": PHONE, "lines": lines()}
        order = restaurant.place(body)
        if number % 2:
            restaurant.cook(order, 1)
        restaurant.view(order)


def what_is_refused(restaurant: Restaurant, stack: Stack) -> None:
    """A forged token, garbage, a bad body, and what is not there."""
    bad = {"channel": "takeaway", "customer": "", "phone": PHONE, "lines": []}
    for headers in (
        bearer(issuer=stack.issuer),
        {"Authorization": f"Bearer {forged(stack.issuer)}"},
        {"Authorization": f"Bearer {PHONE}"},
    ):
        for service, path in (("ordering", "/menu"), ("serving", "/queue"), ("query", "/orders")):
            httpx.get(restaurant.url(service, path), headers=headers)
            httpx.get(restaurant.url(service, f"/orders/{uuid.uuid4()}"), headers=headers)
        httpx.post(restaurant.url("ordering", "/orders"), json=bad, headers=headers)


async def by_a_till(restaurant: Restaurant, stack: Stack) -> None:
    """Commands over NATS: a good one, and one that can't be read."""
    good = {"channel": "takeaway", "customer": "Ada", "phone": PHONE, "lines": lines()}
    async with await nats.connect(stack.urls[NATS_URL]) as client:
        headers = bearer(issuer=stack.issuer)
        for body in (b"{", json.dumps(good).encode()):
            await client.jetstream().publish(
                subjects.command(restaurant.slug, "place-order"),
                body,
                headers={**headers, "Comanda-Request-Id": uuid.uuid4().hex},
            )
    restaurant.until(lambda: len(restaurant.read("/orders")["orders"]) == GUESTS + 1)


async def dead_letters(stack: Stack) -> AsyncIterator[tuple[str, str]]:
    """Every dead letter: its headers, and its body."""
    async with await nats.connect(stack.urls[NATS_URL]) as client:
        js = client.jetstream()
        end = (await js.stream_info(DEAD_LETTERS.name)).state.last_seq
        for number in range(1, end + 1):
            with contextlib.suppress(NotFoundError):
                found = await js.get_msg(DEAD_LETTERS.name, number)
                text = f"{found.headers} {(found.data or b'').decode(errors='replace')}"
                yield f"dead letter {number}", text


def places(stack: Stack) -> Iterator[tuple[str, str]]:
    """Every log, every page of metrics and probes, and every process's arguments."""
    for log in sorted(Path(stack.folder).glob("*/log")):
        yield str(log.relative_to(stack.folder)), log.read_text(errors="replace")
    for name, service in stack.services.items():
        for page in ("/metrics", "/health/ready"):
            yield f"{name}{page}", httpx.get(f"{service.url}{page}").text
    for child in stack.processes:  # a forked one shows those of the fork server
        yield f"{child.name}'s arguments", " ".join(child._command)
    for process in psutil.process_iter(["cmdline"]):
        yield f"process {process.pid}", " ".join(process.info["cmdline"] or ())
