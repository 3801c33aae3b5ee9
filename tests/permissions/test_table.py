"""Whatever is not a user's own is refused to it, all of it to every user, and disturbs nobody."""

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import nats
import pytest
from comanda_contracts import streams
from comanda_local.servers import Nats
from comanda_local.servers.nats import ACCOUNTS, users_of
from comanda_local.team_consumers import make_consumers
from comanda_local.teams import JETSTREAM_API, written_teams
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import api
from service_kit.nats.set_up import set_up_archive, set_up_consumer

from tests.permissions.conftest import SERVICES, STREAMS, ConnectAs
from tests.permissions.nats_user import NatsUser

WITHIN_S = 60.0
WHO = "Probe"
"""The header of a message that somebody sent who may not."""
TILL = "till-la-piazza-1"
SYSTEM = "system"
"""Who is in an account by itself, and may do there what it likes: nobody else hears of it."""
TEAMS = ("notifier", "wallboard")
BUCKET = "KV_serving"
ARCHIVED = tuple(archive.name for archive in streams.ARCHIVES)
NAMES = [*(stream.name for stream in STREAMS), *ARCHIVED, BUCKET]
EVERY_OPERATOR = (
    "STREAM.INFO.DEAD_LETTERS STREAM.MSG.GET.DEAD_LETTERS STREAM.MSG.DELETE.DEAD_LETTERS"
)


def asked(requests: str) -> list[str]:
    return [f"{JETSTREAM_API}.{each}" for each in requests.split()]


def consumed(*consumers: str) -> list[str]:
    """What reads by these consumers, each `STREAM.name`."""
    kinds = ("INFO", "MSG.NEXT")
    return [
        *(f"{JETSTREAM_API}.CONSUMER.{kind}.{each}" for kind in kinds for each in consumers),
        *(f"$JS.ACK.{place}{each}.>" for place in ("", "_.*.") for each in consumers),
    ]


def erased(stream: str) -> list[str]:
    """What its owner needs to erase in a stream, its archive, and among dead letters."""
    return asked(
        f"STREAM.MSG.DELETE.{stream} STREAM.INFO.{stream}_ARCHIVE STREAM.MSG.GET.{stream}_ARCHIVE "
        f"DIRECT.GET.{stream}_ARCHIVE STREAM.MSG.DELETE.{stream}_ARCHIVE "
        "DIRECT.GET.DEAD_LETTERS DIRECT.GET.DEAD_LETTERS.> STREAM.MSG.DELETE.DEAD_LETTERS"
    )


PUBLISHED = {
    "ordering": [
        *("orders.v1.>", "restaurants.v1.>", "menu.v1.>", "access.v1.>", "replies.v1.>"),
        "dead-letters.v1.ordering.>",
        *asked(
            "STREAM.INFO.ORDERS STREAM.INFO.RESTAURANTS STREAM.INFO.MENU STREAM.INFO.ACCESS "
            "STREAM.INFO.COMMANDS STREAM.INFO.DEAD_LETTERS STREAM.INFO.TICKETS STREAM.MSG.GET.MENU "
            "STREAM.MSG.GET.ORDERS STREAM.MSG.GET.RESTAURANTS STREAM.MSG.GET.ACCESS"
        ),
        *consumed("COMMANDS.ordering", "TICKETS.ordering", "ORDERS.ordering-forgetting"),
        *erased("ORDERS"),
    ],
    "ordering-operator": [
        "replies.v1.>",
        *asked(
            " ".join(
                f"STREAM.{kind}.{name}"
                for kind in ("INFO", "CREATE", "UPDATE")
                for name in (
                    "ORDERS",
                    "RESTAURANTS",
                    "MENU",
                    "ACCESS",
                    "COMMANDS",
                    "DEAD_LETTERS",
                    "ORDERS_ARCHIVE",
                )
            )
        ),
        *asked(
            "STREAM.INFO.TICKETS STREAM.MSG.GET.TICKETS CONSUMER.INFO.COMMANDS.ordering "
            "CONSUMER.INFO.TICKETS.ordering CONSUMER.DURABLE.CREATE.COMMANDS.ordering "
            "CONSUMER.DURABLE.CREATE.TICKETS.ordering DIRECT.GET.DEAD_LETTERS "
            "STREAM.MSG.GET.ORDERS DIRECT.GET.ORDERS_ARCHIVE "
            "CONSUMER.INFO.ORDERS.ordering-forgetting "
            "CONSUMER.DURABLE.CREATE.ORDERS.ordering-forgetting "
            "DIRECT.GET.DEAD_LETTERS.>"
        ),
        *asked(EVERY_OPERATOR),
    ],
    "serving": [
        *("tickets.v1.>", "dead-letters.v1.serving.>", "$KV.serving.>"),
        *asked(
            "STREAM.INFO.TICKETS STREAM.MSG.GET.TICKETS DIRECT.GET.TICKETS STREAM.INFO.ACCESS "
            "STREAM.MSG.GET.ACCESS DIRECT.GET.ACCESS STREAM.INFO.KV_serving "
            "STREAM.MSG.GET.KV_serving STREAM.INFO.ORDERS"
        ),
        *consumed("ORDERS.serving", "ORDERS.serving-forgetting"),
        *erased("TICKETS"),
    ],
    "serving-operator": [
        "tickets.v1.>",
        *asked(
            " ".join(
                f"STREAM.{kind}.{name}"
                for kind in ("INFO", "CREATE", "UPDATE")
                for name in ("TICKETS", "TICKETS_ARCHIVE", BUCKET)
            )
        ),
        *asked(
            "STREAM.INFO.ORDERS CONSUMER.INFO.ORDERS.serving STREAM.MSG.GET.TICKETS "
            "DIRECT.GET.TICKETS STREAM.MSG.GET.KV_serving "
            "CONSUMER.INFO.ORDERS.serving-forgetting "
            "CONSUMER.DURABLE.CREATE.ORDERS.serving-forgetting "
            "CONSUMER.DURABLE.CREATE.ORDERS.serving STREAM.MSG.GET.ORDERS DIRECT.GET.DEAD_LETTERS "
            "DIRECT.GET.DEAD_LETTERS.>"
        ),
        *asked(EVERY_OPERATOR),
    ],
    "query": [
        "dead-letters.v1.query.>",
        *asked("STREAM.INFO.* STREAM.MSG.GET.* DIRECT.GET.* DIRECT.GET.*.>"),
        *consumed("*.query", "ORDERS.query-forgetting"),
        *asked("STREAM.MSG.DELETE.DEAD_LETTERS"),
    ],
    "query-operator": [
        *asked("STREAM.INFO.* STREAM.MSG.GET.* DIRECT.GET.* DIRECT.GET.*.>"),
        *asked("CONSUMER.DURABLE.CREATE.*.query CONSUMER.INFO.*.query"),
        *asked("CONSUMER.DURABLE.CREATE.ORDERS.query-forgetting"),
        *asked("CONSUMER.INFO.ORDERS.query-forgetting"),
        *(
            subject
            for name in ("query-rebuild", "query-audit")
            for subject in (
                *asked(f"CONSUMER.CREATE.*.{name} CONSUMER.CREATE.*.{name}.>"),
                *asked(f"CONSUMER.DURABLE.CREATE.*.{name} CONSUMER.DELETE.*.{name}"),
                *consumed(f"*.{name}"),
            )
        ),
        *asked("STREAM.MSG.DELETE.DEAD_LETTERS"),
    ],
    TILL: ["commands.v1.la-piazza.*"],
    **{team: consumed(f"ORDERS.{team}", f"TICKETS.{team}") for team in TEAMS},
    SYSTEM: ["$SYS.>", "$JS.API.INFO", "$JS.API.META.>", "$JS.API.SERVER.REMOVE"],
}
"""What each user may publish and ask for: everything else is refused to it."""

NEVER = {
    "query": ["STREAM.MSG.GET.COMMANDS", "DIRECT.GET.COMMANDS", "DIRECT.GET.COMMANDS.>"],
    "query-operator": [
        *("STREAM.MSG.GET.COMMANDS", "DIRECT.GET.COMMANDS", "DIRECT.GET.COMMANDS.>"),
        *("CONSUMER.CREATE.COMMANDS.>", "CONSUMER.DURABLE.CREATE.COMMANDS.>"),
    ],
}
"""What is within the above, and refused all the same: commands are ordering's."""

HEARD = {
    **{
        user: [f"_INBOX_{user}.>"]
        for service in SERVICES
        for user in (service, f"{service}-operator")
    },
    TILL: ["replies.v1.la-piazza.1.>"],
    **{team: ["_INBOX.>"] for team in TEAMS},
}
HEARD["serving"] += ["stored.tickets.v1.>", "stored.access.v1.>"]
HEARD["query"] += ["stored.access.v1.>"]
USERS = tuple(PUBLISHED)

CONSUMERS = (*SERVICES, "query-rebuild", "query-audit", *TEAMS, "stranger")
RESTAURANTS = ("la-piazza", "da-mario")
MESSAGES = [
    *(
        subject.format(restaurant)
        for restaurant in RESTAURANTS
        for subject in (
            *("orders.v1.{}.1.placed", "tickets.v1.{}.1.1.queued", "menu.v1.{}.tea.item-set"),
            *("restaurants.v1.{}.set", "access.v1.{}.hash.withdrawn", "commands.v1.{}.close"),
            *("replies.v1.{}.1.a", "replies.v1.{}.2.a"),
            *("stored.tickets.v1.{}.1.1.queued", "stored.access.v1.{}.hash.withdrawn"),
        )
    ),
    *(f"dead-letters.v1.{service}.ORDERS" for service in SERVICES),
    "$KV.serving.bookmark",
    *(f"_INBOX_{user}.a" for user in (*USERS, "operator")),
    *(f"$JS.EVENT.ADVISORY.{kind}.ORDERS" for kind in ("STREAM.DELETED", "CONSUMER.CREATED")),
    *("$JS.EVENT.ADVISORY.API", "$JS.EVENT.METRIC.CONSUMER.ACK.ORDERS.serving"),
    *("$SYS.REQ.SERVER.PING", "$SYS.REQ.SERVER.PING.JSZ", "$SYS.REQ.ACCOUNT.PING.CONNZ"),
    *(f"$SYS.REQ.ACCOUNT.COMANDA.{kind}" for kind in ("CONNZ", "JSZ", "INFO", "SUBSZ")),
    *(f"$SYS.REQ.SERVER.x.{kind}" for kind in ("RELOAD", "KICK", "LDM")),
    "$SYS.ACCOUNT.COMANDA.DISCONNECT",
    *(
        f"$JS.ACK.{place}{name}.{consumer}.1.1.1.1.0"
        for place, name, consumer in product(("", "_.hash."), NAMES, CONSUMERS)
    ),
]
STREAM_REQUESTS: dict[str, object] = {
    "INFO": {},
    "DELETE": {},
    "PURGE": {},
    "SNAPSHOT": {"deliver_subject": "orders.v1.la-piazza.1.placed"},
    "RESTORE": {},
    "LEADER.STEPDOWN": {},
    "PEER.REMOVE": {"peer": "x"},
    "MSG.GET": {"seq": 1},
    "MSG.DELETE": {"seq": 1},
}
CONSUMER_REQUESTS: dict[str, object] = {
    "INFO": {},
    "DELETE": {},
    "PAUSE": {"pause_until": "2099-01-01T00:00:00Z"},
    "LEADER.STEPDOWN": {},
    "UNPIN": {"group": "x"},
    "MSG.NEXT": {"batch": 1, "no_wait": True},
}


def requests() -> Iterator[tuple[str, object]]:
    """Each request of JetStream's API, with a body that would have it carried out."""
    for each in ("INFO", "STREAM.NAMES", "STREAM.LIST", "ACCOUNT.PURGE.COMANDA"):
        yield each, {}
    for each in ("META.LEADER.STEPDOWN", "SERVER.REMOVE"):
        yield each, {}
    yield "STREAM.CREATE.OTHER", {"name": "OTHER", "subjects": ["other"]}
    for name in NAMES:
        changed = {"name": name, "subjects": ["taken.>"], "max_msgs": 1, "num_replicas": 1}
        yield f"STREAM.CREATE.{name}", changed
        yield f"STREAM.UPDATE.{name}", changed
        for kind, body in STREAM_REQUESTS.items():
            yield f"STREAM.{kind}.{name}", body
        yield f"DIRECT.GET.{name}", {"seq": 1}
        yield f"DIRECT.GET.{name}.orders.v1.la-piazza.1.placed", {}
        for kind in ("NAMES", "LIST"):
            yield f"CONSUMER.{kind}.{name}", {}
        yield f"CONSUMER.CREATE.{name}", {"stream_name": name, "config": {}}
        for consumer in CONSUMERS:
            for kind, body in CONSUMER_REQUESTS.items():
                yield f"CONSUMER.{kind}.{name}.{consumer}", body
            config = {"durable_name": consumer, "name": consumer, "ack_policy": "none"}
            made = {"stream_name": name, "config": config}
            yield f"CONSUMER.DURABLE.CREATE.{name}.{consumer}", made
            yield f"CONSUMER.CREATE.{name}.{consumer}", made
            yield f"CONSUMER.CREATE.{name}.{consumer}.orders.v1.>", made


ATTEMPTS: dict[str, bytes] = dict.fromkeys(MESSAGES, b"{}") | {
    f"{prefix}.{request}": json.dumps(body).encode()
    for prefix in ("$JS.API", JETSTREAM_API)
    for request, body in requests()
}
LISTENED = (
    *(">", "$JS.>", "$JS.API.>", "$JS.ACK.>", "$JS.EVENT.>", "stored.>", "replies.v1.>", "$SYS.>"),
    *("stored.tickets.v1.>", "stored.access.v1.>", "replies.v1.la-piazza.1.>"),
    *("replies.v1.la-piazza.2.>", "$KV.serving.>", "commands.v1.la-piazza.*", "_INBOX.>"),
    *(stream.subject for stream in STREAMS),
    *(f"_INBOX_{user}.>" for user in (*USERS, "operator")),
)


def fits(subject: str, pattern: str) -> bool:
    words, wanted = subject.split("."), pattern.split(".")
    if wanted[-1] == ">":
        wanted = wanted[:-1]
        if len(words) <= len(wanted):
            return False
        words = words[: len(wanted)]
    return len(words) == len(wanted) and all(
        part in ("*", word) for word, part in zip(words, wanted, strict=True)
    )


def is_own(user: str, subject: str) -> bool:
    never = asked(" ".join(NEVER.get(user, [])))
    owns = any(fits(subject, each) for each in PUBLISHED[user])
    return owns and not any(fits(subject, each) for each in never)


@dataclass
class Intruder:
    """A user who tries what is not its own, all at once, and remembers what became of it."""

    user: str
    refused: set[str] = field(default_factory=set)
    heard: list[str] = field(default_factory=list)
    client: Client = field(default_factory=Client)

    async def note(self, error: Exception) -> None:
        if found := re.search(r'permissions violation for \w+ to "(.*?)"', str(error)):
            self.refused.add(found[1])

    async def hear(self, message: Msg) -> None:
        if (message.headers or {}).get(WHO):
            self.heard.append(message.subject)

    async def succeeded(self) -> list[str]:
        """What was neither forbidden nor found nobody to hear of it."""
        attempts = [each for each in ATTEMPTS if not is_own(self.user, each)]
        answers: dict[int, Msg] = {}

        async def take(message: Msg) -> None:
            answers[int(message.subject.rpartition(".")[2])] = message

        inbox = self.client.new_inbox()
        if self.user == TILL:  # which has no inbox
            inbox = "replies.v1.la-piazza.1"
        await self.client.subscribe(f"{inbox}.*", cb=take)
        for number, subject in enumerate(attempts):
            reply = f"{inbox}.{number}"
            await self.client.publish(subject, ATTEMPTS[subject], reply, {WHO: self.user})
        await self.flushed()
        unknown = [
            (number, subject)
            for number, subject in enumerate(attempts)
            if subject.lower() not in self.refused
        ]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(WITHIN_S):
                while any(number not in answers for number, _ in unknown):
                    await asyncio.sleep(0.02)
        return [subject for number, subject in unknown if not _is_refusal(answers.get(number))]

    async def listened(self) -> set[str]:
        """What it may subscribe to."""
        for subject in LISTENED:
            await self.client.subscribe(subject, cb=self.hear)
        await self.flushed()
        return {subject for subject in LISTENED if subject.lower() not in self.refused}

    async def flushed(self) -> None:
        for _ in range(2):  # the first one's ping overtakes what was sent before it
            await self.client.flush(int(WITHIN_S))


def _is_refusal(answer: Msg | None) -> bool:
    """Nobody is there to hear of it, or JetStream does nothing for this account."""
    if answer is None:
        return False
    if (answer.headers or {}).get(api.Header.STATUS) == "503":
        return True
    said: Mapping[str, Any] = json.loads(answer.data or b"{}")
    return bool(said.get("error", {}).get("code") == 503)


@pytest.fixture
async def site(server: Nats, connect_as: ConnectAs, operator: NatsUser) -> AsyncIterator[Client]:
    """The operator's connection; each stream has a message and its consumers."""
    js = operator.client.jetstream()
    for archive in streams.ARCHIVES:
        await set_up_archive(js, archive, replicas=1)
    await js.add_stream(api.StreamConfig(BUCKET, subjects=["$KV.serving.>"], allow_direct=True))
    await set_up_consumer(js, "COMMANDS", "ordering", [streams.COMMANDS.subject])
    await set_up_consumer(js, "TICKETS", "ordering", [streams.TICKETS.subject])
    await set_up_consumer(js, "ORDERS", "serving", [streams.ORDERS.subject])
    for stream in (streams.ORDERS, streams.TICKETS, streams.MENU, streams.ACCESS):
        await set_up_consumer(js, stream.name, "query", [stream.subject])
    await make_consumers(server.url, written_teams())
    for subject in MESSAGES[:8]:
        if not subject.startswith("replies"):
            await js.publish(subject, b"{}")
    yield operator.client
    for name in (BUCKET, *ARCHIVED):
        await js.delete_stream(name)


async def state(operator: Client) -> dict[str, Any]:
    """All that is stored and configured in the account of the streams."""
    js = operator.jetstream()
    found: dict[str, Any] = {}
    for stream in await js.streams_info():
        name = str(stream.config.name)
        state = stream.state
        held = () if name in ARCHIVED else (state.first_seq, state.last_seq)  # comes in by itself
        found[name] = (stream.config, *held)
        for each in await js.consumers_info(name):
            found[f"{name}/{each.name}"] = (
                *(each.config, each.delivered, each.ack_floor, each.num_pending),
                *(each.num_ack_pending, each.paused if hasattr(each, "paused") else None),
            )
    return found


@contextlib.asynccontextmanager
async def intruding(server: Nats, user: str) -> AsyncIterator[Intruder]:
    intruder = Intruder(user)
    own = f"_INBOX_{user}" if user.removesuffix("-operator") in SERVICES else "_INBOX"
    intruder.client = await nats.connect(
        **server.login_of(user), inbox_prefix=own, error_cb=intruder.note
    )
    try:
        yield intruder
    finally:
        await intruder.client.close()


def test_the_table_has_every_user() -> None:
    assert {*USERS, "operator"} == set(users_of(ACCOUNTS))
    assert {"STREAM.PURGE.ACCESS", "CONSUMER.DELETE.ORDERS.serving"} <= dict(requests()).keys()


async def test_what_is_not_its_own_is_refused_to_every_user_and_disturbs_nobody(
    server: Nats, site: Client
) -> None:
    async with contextlib.AsyncExitStack() as connections:
        # apart: who listens in an inbox takes the word that nobody is there
        intruders, listeners = [
            [await connections.enter_async_context(intruding(server, user)) for user in users]
            for users in (USERS, HEARD)
        ]
        owner = Intruder("operator", client=site)
        await site.subscribe(">", cb=owner.hear)
        may_hear = {each.user: await each.listened() for each in listeners}
        before = await state(site)

        succeeded = await asyncio.gather(*(each.succeeded() for each in intruders))

        assert dict(zip(USERS, succeeded, strict=True)) == {user: [] for user in USERS}
        await asyncio.gather(*(each.flushed() for each in (*intruders, *listeners, owner)))
        assert owner.heard == []
        assert await state(site) == before
        assert [each.user for each in intruders if not each.client.is_connected] == []
        assert {each.user: each.heard for each in listeners} == {user: [] for user in HEARD}
        assert may_hear == {
            user: {each for each in LISTENED if each in HEARD[user]} for user in HEARD
        }

        own = "$JS.ACK.ORDERS.notifier.1.1.1.1.0"
        notifier = intruders[USERS.index("notifier")]
        await notifier.client.publish(own, b"", headers={WHO: notifier.user})
        await notifier.flushed()
        await owner.flushed()
        assert owner.heard == [own], "or nobody else's would have been seen"
