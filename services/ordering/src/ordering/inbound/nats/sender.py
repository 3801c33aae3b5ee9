"""Who sends a command over NATS: as its token says, ahead of anything else about it."""

from dataclasses import replace

from service_kit.access.admission import Admission

from ordering.inbound import needed
from ordering.inbound.nats.command_message import CommandMessage
from ordering.inbound.principals import sender_of


async def identified(command: CommandMessage, admission: Admission | None) -> CommandMessage:
    """The command with who sends it as its actor, and its key among that subject's own.

    Without an admission it is as it was: an operator replays it and stands for it. Raises
    InvalidToken, Forbidden and KeysUnavailable.
    """
    if admission is None:
        return command
    roles = needed.COMMANDS[command.name]
    principal = await admission.admit(
        command.authorization,
        command.restaurant,
        roles,
        asked=command.name,
        at_s=command.stored_at_s,
    )
    request = command.request
    if request is not None:
        request = replace(request, key=f"{principal.key_space} {request.key}")
    actor = principal.actor(command.restaurant, command.actor)
    by = sender_of(principal, command.restaurant, roles)
    return replace(command, actor=actor, by=by, request=request, authorization=None)
