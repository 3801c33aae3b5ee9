"""Setting up streams and durables: one explicit step of their owner, `python -m <service> set-up`.

Running services only use what is there. Repeated it changes nothing, and it lowers and undoes
nothing that an operator has set.
"""

import asyncio
import math
import sys
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Self

import nats.errors
from comanda_contracts.streams import (
    ACCESS,
    COMMANDS,
    DEAD_LETTERS,
    MENU,
    MESSAGE_BYTES_MAX,
    RESTAURANTS,
    Archive,
    Stream,
    archive_of,
)
from nats.aio.client import Client
from nats.js import JetStreamContext, api
from nats.js.errors import APIError, NotFoundError

from service_kit.nats.broker import Broker
from service_kit.nats.jetstream import ACK_WAIT, ServerTooOld, connected, jetstream, require_server
from service_kit.nats.subscriber import BatchSubscriber
from service_kit.runtime.settings import (
    TOKEN_LIFE_MAX_S,
    WITHDRAWAL_MARGIN_S,
    ServiceSettings,
    parse_stream_limits,
)

WITHIN_S = 120.0
"""Seconds that servers, and the streams of other owners, are waited for."""
LOOK_AGAIN_AFTER_S = 0.25
RETRY_PAUSE_MIN_S, RETRY_PAUSE_MAX_S = 0.25, 5.0
"""Seconds between two attempts, each pause twice the one before."""
UNAVAILABLE, TOO_FEW_PEERS = 503, 10005
"""A code and an error code of JetStream."""
MAX_AGE_S_BY_STREAM = {COMMANDS.name: 86_400, DEAD_LETTERS.name: 90 * 86_400}
"""How long a new stream keeps its messages; the others keep them as the contract has it."""
DAY_S = 86_400
ARCHIVE_CATCH_UP_S = 10.0
"""Seconds for which an archive is waited for before a stream is told to drop what is old."""
UNSETTLED_MAX = 10_000
"""Messages that a consumer may have been given and not settled yet."""


class CannotSetUp(Exception):
    """JetStream refuses what is to be set up; the text says what, and why."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of streams, by the streams' names, where they are given."""

    max_bytes: Mapping[str, int] = field(default_factory=dict)
    max_age_s: Mapping[str, int] = field(default_factory=dict)
    hot_s: float = 0
    """How long a new stream that has an archive keeps its messages; 0: it keeps them all."""

    @classmethod
    def of(cls, settings: ServiceSettings) -> Self:
        """As the environment says; withdrawals stay for longer than a token lives.

        Raises CannotSetUp of an age by which what holds still would be dropped.
        """
        max_age_s = parse_stream_limits(settings.stream_max_age_s)
        _require_kept(max_age_s, settings.token_life_max_s + WITHDRAWAL_MARGIN_S)
        if settings.token_life_max_s != TOKEN_LIFE_MAX_S:
            needed_s = settings.token_life_max_s + WITHDRAWAL_MARGIN_S
            max_age_s = {ACCESS.name: needed_s} | max_age_s
        hot_s = settings.hot_days * DAY_S
        return cls(parse_stream_limits(settings.stream_max_bytes), max_age_s, hot_s)

    def of_stream(self, name: str) -> dict[str, Any]:
        """Those that are given for the stream, by JetStream's names for them."""
        given = {"max_bytes": self.max_bytes.get(name), "max_age": self.max_age_s.get(name)}
        return {limit: number for limit, number in given.items() if number is not None}

    def max_age_of_new(self, stream: Stream) -> float:
        """How long a new stream keeps its messages, in seconds; 0: for ever."""
        usual = self.hot_s if self.hot_s and archive_of(stream) else stream.max_age
        known = MAX_AGE_S_BY_STREAM.get(stream.name, usual)
        return self.max_age_s.get(stream.name, known)


def _require_kept(max_age_s: Mapping[str, int], withdrawals_s: int) -> None:
    """Raise CannotSetUp if a stream is to drop by age what nothing else says again."""
    if max_age_s.get(ACCESS.name, withdrawals_s) < withdrawals_s:
        raise CannotSetUp(
            f"{ACCESS.name} has to keep withdrawals for {withdrawals_s} s: so long tokens may live"
        )
    for stream in (MENU, RESTAURANTS):
        if stream.name in max_age_s:
            raise CannotSetUp(f"{stream.name} says what there is now, however old that is")


NO_LIMITS = Limits()
NOWHERE_SPECIAL: Sequence[str] = ()
"""No tags of servers: an archive is wherever there is room."""
Step = Callable[[JetStreamContext], Awaitable[None]]
BeforeRetention = Callable[[Client, float], Awaitable[None]]
"""What is to be done before a stream keeps its messages for so many seconds only."""


async def _nothing(_client: Client, _window_s: float) -> None: ...


# decision/0032: streams and durables are set up in a step of their owner
async def set_up(
    broker: Broker,
    servers: Sequence[str],
    *,
    streams: Sequence[Stream],
    replicas: int,
    limits: Limits = NO_LIMITS,
    archives: Sequence[Archive] = (),
    archive_tags: Sequence[str] = NOWHERE_SPECIAL,
    apply_retention: bool = False,
    before_retention: BeforeRetention = _nothing,
    steps: Sequence[Step] = (),
) -> None:
    """Make the streams that the service owns and their archives, then its broker's durables.

    The streams of other owners are waited for, each by itself, so that one that is missing holds no
    other up; and so are servers that are away, or can't do it yet. Raises TimeoutError, which names
    what is missing, CannotSetUp and ServerTooOld.
    """
    wait = _Wait({"NATS"})
    try:
        async with (
            asyncio.timeout(WITHIN_S),
            connected(servers, f"{broker.service}-set-up") as client,
        ):
            require_server(client)
            js = jetstream(client)
            for stream in streams:
                wait.missing = {f"stream {stream.name}"}
                make = partial(set_up_stream, js, stream, replicas=replicas, limits=limits)
                await wait.until_done(make)
                print(f"stream {stream.name}")
            for archive in archives:
                wait.missing = {f"stream {archive.name}"}
                copy = partial(set_up_archive, js, archive, replicas=replicas, limits=limits)
                await wait.until_done(partial(copy, tags=archive_tags))
                print(f"archive {archive.name}")
                if apply_retention:
                    work = partial(_keep_for, client, archive, limits, before_retention)
                    await wait.until_done(work)
            for step in steps:
                await wait.until_done(partial(step, js))
            wait.missing = {f"stream {each.stream.name}" for each in broker.batch_subscribers}

            async def set_up_durable(each: BatchSubscriber) -> None:
                stream, filters = each.stream.name, each.config.filter_subjects or []
                await wait.until_done(partial(_until_there, js, stream))
                await wait.until_done(partial(set_up_consumer, js, stream, each.durable, filters))
                wait.missing.discard(f"stream {stream}")
                print(f"consumer {stream}/{each.durable}")

            await asyncio.gather(*map(set_up_durable, broker.batch_subscribers))
    except TimeoutError as error:
        raise TimeoutError(wait.reason) from error


def run_set_up(step: Coroutine[Any, Any, None]) -> None:
    """Run a service's set-up; end the process with 1 and a line that says why it can't be done."""
    try:
        asyncio.run(step)
    except (TimeoutError, CannotSetUp, ServerTooOld) as error:
        sys.exit(str(error))


@dataclass
class _Wait:
    """A bounded wait for servers: what it is for, and what was in the way last."""

    missing: set[str]
    trouble: str = ""

    async def until_done(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do the work, again while servers are away or not able to. Raises CannotSetUp."""
        pause_s = RETRY_PAUSE_MIN_S
        while True:
            try:
                return await work()
            except (nats.errors.Error, OSError) as error:
                self.trouble = _in_a_line(error)
                if isinstance(error, APIError) and not _is_passing(error):
                    missing = ", ".join(sorted(self.missing))
                    raise CannotSetUp(f"{missing}: {self.trouble}") from error
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, RETRY_PAUSE_MAX_S)

    @property
    def reason(self) -> str:
        """Why the wait was in vain."""
        missing = ", ".join(sorted(self.missing))
        trouble = f" ({self.trouble})" if self.trouble else ""
        return f"{missing}: not there within {WITHIN_S:.0f} s{trouble}"


def _is_passing(error: APIError) -> bool:
    """Whether JetStream may do it later: it has no leader yet, or too few servers."""
    return error.code == UNAVAILABLE or error.err_code == TOO_FEW_PEERS


def _in_a_line(error: Exception) -> str:
    described = error.description if isinstance(error, APIError) else None
    return " ".join((described or str(error) or type(error).__name__).split())


async def set_up_stream(
    js: JetStreamContext, stream: Stream, *, replicas: int, limits: Limits = NO_LIMITS
) -> None:
    """Create the stream, or give an existing one what the services need of it and what is given.

    Its copies are never lowered; limits that are not given, placement and whatever else is set
    stay as they are, and so does the age of one that has an archive, but for a longer one: `set_up`
    shortens it once all is archived. One that is made anew beside its archive goes on where that
    ends, since an archive takes in only what comes after.
    """
    given, max_age_s = limits.of_stream(stream.name), limits.max_age_of_new(stream)
    wanted = api.StreamConfig(
        name=stream.name,
        subjects=[stream.subject],
        retention=(
            api.RetentionPolicy.WORK_QUEUE if stream.work_queue else api.RetentionPolicy.LIMITS
        ),
        storage=api.StorageType.FILE,
        num_replicas=replicas,
        max_age=max_age_s,
        max_bytes=given.get("max_bytes"),
        max_msgs_per_subject=1 if stream.newest_only else -1,
        duplicate_window=min(stream.duplicate_window, max_age_s or stream.duplicate_window),
        max_msg_size=None if stream.name == DEAD_LETTERS.name else MESSAGE_BYTES_MAX,
        allow_direct=True,
        allow_atomic=not stream.work_queue,  # its owner may have many messages stored as one
        discard=api.DiscardPolicy.NEW,
    )
    try:
        found = (await js.stream_info(stream.name)).config
    except NotFoundError:
        await js.add_stream(wanted.evolve(first_seq=await _first_sequence(js, stream)))
        return
    if archive_of(stream) and _is_shorter(given.get("max_age"), found.max_age):
        del given["max_age"]
    needed = found.evolve(
        subjects=wanted.subjects,
        num_replicas=max(found.num_replicas or 1, replicas),
        allow_direct=True,
        allow_atomic=wanted.allow_atomic,
        **given,
    )
    if needed != found:
        await js.update_stream(needed)


def _is_shorter(max_age_s: float | None, than_s: float | None) -> bool:
    """Whether an age is given that is below the other; where there is none all is kept."""
    return max_age_s is not None and max_age_s < (than_s or math.inf)


async def _first_sequence(js: JetStreamContext, stream: Stream) -> int | None:
    """Where a new stream begins: behind what its archive has; None if it has no archive yet."""
    archive = archive_of(stream)
    if archive is None:
        return None
    try:
        return (await js.stream_info(archive.name)).state.last_seq + 1
    except NotFoundError:
        return None


# decision/0065: the past is in an archive
async def set_up_archive(
    js: JetStreamContext,
    archive: Archive,
    *,
    replicas: int,
    limits: Limits = NO_LIMITS,
    tags: Sequence[str] = NOWHERE_SPECIAL,
) -> None:
    """Create the archive of a stream, or give an existing one the limits and tags that are given.

    A new one takes in all that is on the stream. `tags` are those of the servers that it is to be
    on. Its copies are never lowered; whatever else an operator has set stays.
    """
    given = limits.of_stream(archive.name)
    if tags:
        given["placement"] = api.Placement(tags=list(tags))
    transform = api.SubjectTransform(archive.origin_subject, archive.archived_subject)
    wanted = api.StreamConfig(
        name=archive.name,
        mirror=api.StreamSource(archive.origin, subject_transforms=[transform]),
        storage=api.StorageType.FILE,
        compression=api.StoreCompression.S2,
        num_replicas=replicas,
        max_age=given.get("max_age", archive.max_age),
        max_bytes=given.get("max_bytes"),
        placement=given.get("placement"),
        allow_direct=True,
        discard=api.DiscardPolicy.OLD,  # one that is full keeps up, and begins later
    )
    try:
        found = (await js.stream_info(archive.name)).config
    except NotFoundError:
        await js.add_stream(wanted)
        return
    needed = found.evolve(num_replicas=max(found.num_replicas or 1, replicas), **given)
    if needed != found:
        await js.update_stream(needed)


async def _keep_for(
    client: Client, archive: Archive, limits: Limits, before: BeforeRetention
) -> None:
    """Have the archive's stream keep messages for the hot window; one that is shorter stays.

    Raises CannotSetUp unless all that is on the stream is in the archive.
    """
    js = jetstream(client)
    config = (await js.stream_info(archive.origin)).config
    window_s = limits.max_age_s.get(archive.origin, limits.hot_s)
    if config.max_age and config.max_age <= window_s:
        print(f"{archive.origin} keeps its messages for {config.max_age:.0f} s, as before")
        return
    await _require_archived(js, archive)
    await before(client, window_s)
    duplicate_window_s = min(config.duplicate_window or window_s, window_s)
    await js.update_stream(config.evolve(max_age=window_s, duplicate_window=duplicate_window_s))
    print(f"{archive.origin} keeps its messages for {window_s:.0f} s")


async def _require_archived(js: JetStreamContext, archive: Archive) -> None:
    """Raise CannotSetUp unless the archive has what is on the stream, or has it in a moment."""
    wanted = (await js.stream_info(archive.origin)).state
    deadline = asyncio.get_running_loop().time() + ARCHIVE_CATCH_UP_S
    while True:
        held = (await js.stream_info(archive.name)).state
        end = (await js.stream_info(archive.origin)).state.last_seq
        is_whole = not wanted.messages or held.first_seq <= wanted.first_seq
        if wanted.last_seq <= held.last_seq <= end and is_whole:
            return
        if asyncio.get_running_loop().time() > deadline:
            raise CannotSetUp(
                f"{archive.name} has messages {held.first_seq} to {held.last_seq}, and "
                f"{archive.origin} has {wanted.first_seq} to {end}: what it lacks would be lost"
            )
        await asyncio.sleep(LOOK_AGAIN_AFTER_S)


async def set_up_consumer(
    js: JetStreamContext, stream: str, durable: str, subjects: Sequence[str]
) -> None:
    """Create a durable pull consumer that starts at the stream's beginning, or update its filter.

    A message is delivered until it is settled, however often that takes.
    """
    try:
        found = (await js.consumer_info(stream, durable)).config
    except NotFoundError:
        created = api.ConsumerConfig(
            durable_name=durable,
            deliver_policy=api.DeliverPolicy.ALL,
            ack_policy=api.AckPolicy.EXPLICIT,
            ack_wait=ACK_WAIT,
            max_deliver=-1,
            max_ack_pending=UNSETTLED_MAX,
            filter_subjects=list(subjects),
        )
        await js.add_consumer(stream, created)
        return
    filters = found.filter_subjects or [found.filter_subject] * (found.filter_subject is not None)
    if sorted(filters) != sorted(subjects):
        # without a name: the client then asks on the subject that the services may publish to
        needed = found.evolve(name=None, filter_subject=None, filter_subjects=list(subjects))
        await js.add_consumer(stream, needed)


async def _until_there(js: JetStreamContext, stream: str) -> None:
    while True:
        try:
            await js.stream_info(stream)
        except NotFoundError:
            await asyncio.sleep(LOOK_AGAIN_AFTER_S)
        else:
            return
