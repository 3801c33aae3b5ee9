"""The queue as it is sent to clients, by a response and by the live feed's snapshots alike."""

import comanda_contracts as contracts
from pydantic import BaseModel


class QueueView(BaseModel):
    """The tickets that a kitchen has to work on, oldest first."""

    tickets: list[contracts.Ticket]
