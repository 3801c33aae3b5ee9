"""The condition of a ticket's next message: that nothing has happened to the ticket since."""

from comanda_contracts import subjects
from nats.js import api

EXPECTED_SEQUENCE = api.Header.EXPECTED_LAST_SUBJECT_SEQUENCE.value
EXPECTED_SUBJECT = "Nats-Expected-Last-Subject-Sequence-Subject"
WRONG_LAST_SEQUENCE = 10071
"""The error code of JetStream if something has."""


def only_after(sequence: int, subject: str) -> dict[str, str]:
    """Headers by which a message is stored if its ticket's last one is at `sequence`."""
    of_ticket = f"{subjects.aggregate(subject)}.>"
    return {EXPECTED_SEQUENCE: str(sequence), EXPECTED_SUBJECT: of_ticket}
