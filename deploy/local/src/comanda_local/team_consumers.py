"""The consumers that teams read by, made by the operator: a team can make none."""

# decision/0061: a consumer that may read more begins anew

import contextlib
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from comanda_contracts.streams import Stream
from nats.js import JetStreamContext, api
from nats.js.errors import NotFoundError

from comanda_local.server_files import connect_nats
from comanda_local.teams import SUBJECTS_BY_STREAM, Team, covers

ACK_WAIT_S = 30.0
"""Seconds after which a message that was delivered and not settled is delivered again."""
NO_FILES: Mapping[str, str] = MappingProxyType({})
FROM_THE_BEGINNING = " (from the beginning)"
"""What the name of a consumer is followed by that was there, and begins anew."""
UNSETTLED_MAX = 1000
"""Messages that a team may have been given and not settled yet."""


async def make_consumers(
    operator_url: str, teams: Iterable[Team], files: Mapping[str, str] = NO_FILES
) -> list[str]:
    """Make the teams' durable pull consumers, or give those that are there the teams' filters.

    One that is to read more than before begins at the beginning; any other goes on where it was.
    Repeated it changes nothing; what else an operator set stays. Returns what they are called, such
    as `ORDERS/loyalty`, and which begin anew: `ORDERS/loyalty (from the beginning)`. Raises
    nats.errors.Error.
    """
    made = []
    async with await connect_nats(operator_url, files, allow_reconnect=False) as client:
        js = client.jetstream()
        for team in teams:
            for stream, filters in team.filters_by_stream.items():
                begins_anew = await _make_consumer(js, stream, team.name, filters)
                how = FROM_THE_BEGINNING if begins_anew else ""
                made.append(f"{stream.name}/{team.name}{how}")
    return made


async def restart_consumers(
    operator_url: str, team: Team, files: Mapping[str, str] = NO_FILES
) -> list[str]:
    """Have the team's consumers begin at the beginning. Returns what they are called.

    What was set on them stays. Raises nats.errors.Error.
    """
    async with await connect_nats(operator_url, files, allow_reconnect=False) as client:
        js = client.jetstream()
        for stream in team.filters_by_stream:
            with contextlib.suppress(NotFoundError):
                found = (await js.consumer_info(stream.name, team.name)).config
                await _replace(js, stream, found)
    return await make_consumers(operator_url, [team], files)


async def delete_consumers(
    operator_url: str, team: str, files: Mapping[str, str] = NO_FILES
) -> None:
    """Delete the team's consumers, those that are there. Raises nats.errors.Error."""
    async with await connect_nats(operator_url, files, allow_reconnect=False) as client:
        for stream in SUBJECTS_BY_STREAM:
            with contextlib.suppress(NotFoundError):
                await client.jetstream().delete_consumer(stream.name, team)


async def _make_consumer(
    js: JetStreamContext, stream: Stream, name: str, filters: list[str]
) -> bool:
    """Returns whether one that was there begins anew."""
    try:
        found = (await js.consumer_info(stream.name, name)).config
    except NotFoundError:
        created = api.ConsumerConfig(
            name=name,
            durable_name=name,
            deliver_policy=api.DeliverPolicy.ALL,
            ack_policy=api.AckPolicy.EXPLICIT,
            ack_wait=ACK_WAIT_S,
            max_deliver=-1,
            max_ack_pending=UNSETTLED_MAX,
            filter_subjects=filters,
        )
        await js.add_consumer(stream.name, created)
        return False
    present = found.filter_subjects or [found.filter_subject or ">"]
    if sorted(present) == sorted(filters):
        return False
    changed = found.evolve(filter_subject=None, filter_subjects=filters)
    if all(any(covers(known, each) for known in present) for each in filters):
        await js.add_consumer(stream.name, changed)
        return False
    await _replace(js, stream, changed)
    return True


async def _replace(js: JetStreamContext, stream: Stream, config: api.ConsumerConfig) -> None:
    """Make the consumer anew: it begins at the beginning.

    One that is only updated goes on where it was: of what its new filters let through it would
    never deliver what was stored before. If this is ended halfway there is no consumer, which
    everybody notices, and the next attempt makes it.
    """
    await js.delete_consumer(stream.name, str(config.durable_name))
    await js.add_consumer(stream.name, config)
