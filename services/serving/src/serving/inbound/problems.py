"""Serving's refusals as problems, each with its status."""

import contextlib
from collections.abc import Iterator
from typing import Any

from service_kit.problems import Refused

from serving.application.request import KeyReused
from serving.application.tickets import Unavailable
from serving.domain.ticket import Ticket, UnknownTicket, VersionMismatch, WrongStatus
from serving.published import published_ticket

RETRY_AFTER = "1"
"""Seconds."""


@contextlib.contextmanager
def refusals_as_problems() -> Iterator[None]:
    """Turn what serving raises into the answer; a ticket that says why comes with it."""
    try:
        yield
    except UnknownTicket as refusal:
        raise Refused(404, refusal.code, str(refusal)) from refusal
    except WrongStatus as refusal:
        raise Refused(409, refusal.code, str(refusal), ticket=_json(refusal.ticket)) from refusal
    except KeyReused as refusal:
        raise Refused(422, refusal.code, str(refusal), field="Idempotency-Key") from refusal
    except VersionMismatch as refusal:
        raise Refused(
            412, refusal.code, str(refusal), field="If-Match", ticket=_json(refusal.ticket)
        ) from refusal
    except Unavailable as error:
        detail = f"The tickets can't be reached now: {error}."
        headers = {"Retry-After": RETRY_AFTER}
        raise Refused(503, "store-unavailable", detail, headers=headers) from error


def _json(ticket: Ticket) -> dict[str, Any]:
    return published_ticket(ticket).model_dump(mode="json")
