"""The operators' commands of a service, as processes of their own."""

import asyncio
import os
import sys
import uuid
from dataclasses import dataclass

from comanda_contracts import Message, subjects


@dataclass(frozen=True)
class Ended:
    """What a command printed, and how it ended."""

    code: int
    output: str
    notes: str


async def run(service: str, *arguments: str, **settings: str) -> Ended:
    """Run `python -m <service>` to its end, with these settings: `nats_url="nats://…"`."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", service, *arguments),
        env={**os.environ, **{f"COMANDA_{name.upper()}": text for name, text in settings.items()}},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, notes = await process.communicate()
    return Ended(process.returncode or 0, output.decode(), notes.decode())


def a_letter(
    service: str, stream: str, sequence: int, message: Message, *, is_copy: bool = True
) -> Message:
    """What the service sets aside of a message that it could not read; without a copy its place."""
    about = {
        "Comanda-Reason": "not read" if is_copy else "unknown-type",
        "Comanda-Subject": message.subject,
        "Comanda-Stream": stream,
        "Comanda-Sequence": str(sequence),
        "Nats-Msg-Id": str(uuid.uuid4()),
    }
    if message_id := message.headers.get("Nats-Msg-Id"):
        about["Comanda-Message-Id"] = message_id
    subject = subjects.dead_letter(service, stream)
    if not is_copy:
        return Message(subject, {**about, "Comanda-Omitted": "headers, body"}, b"")
    return Message(subject, {**message.headers, **about}, message.body)
