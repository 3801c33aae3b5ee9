"""Whether the streams are all that the views were made from: else what is not on them says nothing.

A repair deletes what the streams know nothing of, and a rebuild leaves it out. That is right while
the streams are whole, and destroys what can't be had again if they were lost, emptied or replaced.
"""

from comanda_contracts.streams import ARCHIVES
from nats.js import api
from nats.js.errors import NotFoundError

from query.maintenance.retry import retry_while_away
from query.maintenance.session import OperatorSession
from query.maintenance.switchover import NotPossible
from query.projection.projector import PROJECTED
from query.storage.checkpoints import MongoCheckpoints
from query.views.ports import Checkpoint


class ConsentRequired(NotPossible):
    """More would be destroyed than the streams explain, and than was consented to."""

    def __init__(self, reasons: list[str], count: int, would: str) -> None:
        super().__init__(
            f"{'; '.join(reasons)}. So nothing explains why {count} documents would be {would}."
        )
        self.count = count
        """The documents that it takes a consent for."""


# decision/0042: what can't be explained is destroyed by number alone
async def doubts(session: OperatorSession) -> list[str]:
    """Why the streams may not be all that the views were made from; nothing if they are."""
    checkpoints = MongoCheckpoints(session.database, session.generations)
    known = await retry_while_away(checkpoints.known)
    reasons = [await _doubt(session, each.name, known.get(each.name)) for each in PROJECTED]
    return [each for each in reasons if each]


def require_consent(reasons: list[str], count: int, yes_really: int, would: str) -> None:
    """Raise ConsentRequired if there is doubt, and more would be destroyed than consented to."""
    if reasons and count > yes_really:
        raise ConsentRequired(reasons, count, would)


async def _doubt(session: OperatorSession, name: str, checkpoint: Checkpoint | None) -> str | None:
    try:
        info = await retry_while_away(lambda: session.js.stream_info(name))
    except NotFoundError:
        return f"there is no stream {name}"
    state = info.state
    if checkpoint is None:
        return f"it is not known that the views were made from {name}"
    if checkpoint.created != str(info.created):
        return f"{name} is not the stream that the views were made from"
    if state.last_seq < checkpoint.sequence:
        return f"{name} ends at {state.last_seq}, the views are at {checkpoint.sequence}"
    if gone := await _gone(session, name, state):
        return f"{gone} messages of {name} are gone"
    return None


async def _gone(session: OperatorSession, name: str, state: api.StreamState) -> int:
    """How many messages are neither on the stream nor in its archive, at the least.

    What has left the stream by its age is in the archive, if that was there in time; what was taken
    out of the stream's middle is missed where it is read.
    """
    archive = next((each for each in ARCHIVES if each.origin == name), None)
    gone = state.last_seq - state.messages
    if archive is None or state.first_seq <= 1:
        return gone
    try:
        info = await retry_while_away(lambda: session.js.stream_info(archive.name))
    except NotFoundError:
        return gone
    archived = info.state
    if archived.last_seq < state.first_seq - 1:
        return gone
    taken_out = state.last_seq - state.first_seq + 1 - state.messages
    return max(taken_out, archived.last_seq - archived.messages)
