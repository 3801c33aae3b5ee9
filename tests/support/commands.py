"""Who sends a command, for tests that carry out or look at commands by themselves."""

from ordering.inbound.nats.command_message import CommandMessage
from ordering.inbound.nats.sender import known_sender, sent_by
from service_kit.access.admission import Admission
from service_kit.nats.subscriber import Received


async def identified(command: CommandMessage, admission: Admission) -> CommandMessage:
    """The command with who sends it, as its token says."""
    return sent_by(await known_sender(command, admission, key_wait_s=6.0), command)


async def anybody(received: Received[CommandMessage]) -> CommandMessage:
    """Whoever sends it: it is carried out as it came."""
    return received.event
