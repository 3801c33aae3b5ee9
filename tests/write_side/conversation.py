"""One order between ordering and serving: the real use cases on stores in memory, and the mail."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from comanda_contracts import Event, Message, seal
from nats.aio.client import Client
from nats.aio.msg import Msg
from ordering import contract as ordering_contract
from ordering.application.transaction import Transaction
from ordering.domain.order import RECALL_GRACE, Order, OrderEvent, Party
from ordering.domain.refusals import Refusal
from ordering.inbound.nats.verdict_subscriber import verdict_router
from service_kit.nats.router import Router
from service_kit.nats.subscriber import BatchSubscriber, Received
from serving import contract as serving_contract
from serving.application.change_ticket import ChangedTicket, ChangeTicket, NewId
from serving.application.mark_ready import mark_ready
from serving.application.recall_ticket import recall_ticket
from serving.application.serve_ticket import serve_ticket
from serving.application.start_ticket import start_ticket
from serving.domain import ticket as kitchen
from serving.domain.ticket import Ticket, TicketId
from serving.inbound.nats.orders import order_router
from uuid_utils.compat import uuid7

from tests.ordering.builders import NOON, a_place_order
from tests.ordering.fakes import InMemoryStore
from tests.ordering.use_cases import closing_handed_over, ending, open_la_piazza, placing
from tests.serving.fakes import InMemoryTickets

Move = Callable[..., Awaitable[ChangedTicket]]

MOVES: dict[str, Move] = {
    "start": start_ticket,
    "ready": mark_ready,
    "recall": partial(recall_ticket, grace=RECALL_GRACE),
    "serve": serve_ticket,
}

Command = Callable[[Transaction], Awaitable[Order]]
Handler = Callable[[list[Received[Any]]], Awaitable[None]]


@dataclass
class Delivery(Msg):
    """A message that is acknowledged without a connection."""

    async def ack(self) -> None:
        self._ackd = True


class Mail:
    """What one service has told the other: to be heard late, twice, or in any order."""

    def __init__(self, router: Router) -> None:
        """Mail to the one subscriber of a router."""
        (subscriber,) = router.subscribers
        assert isinstance(subscriber, BatchSubscriber)
        (call,) = subscriber.calls
        subjects = subscriber.config.filter_subjects or ()
        self._names = {subject.rpartition(".")[2] for subject in subjects}
        self._read = subscriber.reader
        self._handle: Handler = call.handler
        self.sent: list[Message] = []
        self.unheard: set[int] = set()

    def send(self, event: Event) -> None:
        if event.name in self._names:
            self.unheard.add(len(self.sent))
            self.sent.append(seal(event, event_id=uuid7()))

    async def deliver(self, positions: Iterable[int], *, lose_track: bool = False) -> None:
        """Hand over a batch; one that is lost track of comes again, as after a crash."""
        batch = [position % len(self.sent) for position in positions if self.sent]
        messages = [self._received(self.sent[position]) for position in batch]
        if messages:
            await self._handle(messages)
        assert all(each.message.is_acked for each in messages)
        if not lose_track:
            self.unheard -= set(batch)

    def _received(self, message: Message) -> Received[Any]:
        delivery = Delivery(Client(), message.subject, "", message.body, dict(message.headers))
        return Received(self._read(delivery), delivery)


class Conversation:
    """An order at a table or to take away, its tickets, and the mail between the two services."""

    def __init__(self) -> None:
        self._store = InMemoryStore()
        self._tickets = InMemoryTickets()
        new_id: NewId = uuid7
        self.to_kitchen = Mail(
            order_router(tickets=self._tickets, clock=lambda: self.now, new_id=new_id)
        )
        self.to_ordering = Mail(
            verdict_router(self._store, lambda: self.now, recall_grace=RECALL_GRACE)
        )
        self.now = NOON
        self._order_events_sent = 0
        self._ticket_events_sent = 0

    async def begin(self, party: Party) -> None:
        await open_la_piazza(self._store)
        self._order_events_sent = len(self._store.events)
        self._before = len(self._store.events)
        await self._store.run(placing(a_place_order(party=party)))
        self._send()

    @property
    def order_events(self) -> list[OrderEvent]:
        return self._store.events[self._before :]  # type: ignore[return-value]

    @property
    def order(self) -> Order:
        [order] = self._store.orders.values()
        return order

    @property
    def ticket_histories(self) -> dict[int, list[Ticket]]:
        """Every version of each ticket, by round."""
        histories: dict[int, list[Ticket]] = {}
        for event in self._tickets.events:
            histories.setdefault(event.ticket.round, []).append(event.ticket)
        return histories

    @property
    def tickets(self) -> dict[int, Ticket]:
        return {number: history[-1] for number, history in self.ticket_histories.items()}

    async def ask(self, command: Command) -> None:
        """Have ordering do something, and check that it tells the truth about it."""
        order, count = self.order, len(self.order_events)
        try:
            answer = await self._store.run(command)
        except Refusal:
            assert (self.order, len(self.order_events)) == (order, count)
        else:
            assert answer == self.order == self.order_events[-1].order
            assert (answer.version, len(self.order_events)) == (order.version + 1, count + 1)
        self._send()

    async def wait(self, time: timedelta) -> None:
        """Let time pass, and what is due by itself happen, as ordering does it once it can.

        A takeaway order is closed when nothing that the kitchen said is on its way.
        """
        self.now += time
        if self.to_ordering.unheard:
            return
        grace = RECALL_GRACE
        await self._store.run(closing_handed_over(self.order.order_id, self.now, grace))
        self._send()

    async def end_day(self) -> None:
        """Ordering ends the order with its day, or asks the kitchen again if that is due."""
        await self._store.run(ending(self.order.order_id, self.now))
        self._send()

    async def cook(self, number: int, *moves: str, meanwhile: Iterable[int] = ()) -> None:
        """Move a ticket, some moves and some deliveries to the kitchen at the same time."""
        before = len(self._tickets.events)
        outcomes = await asyncio.gather(
            *(self._move(number, move) for move in moves), self.to_kitchen.deliver(meanwhile)
        )
        answers = [answer for answer in outcomes if answer is not None]
        new = [event.ticket for event in self._tickets.events[before:]]
        assert all(new.count(answer) == 1 for answer in answers), "an answer that never was true"
        assert len({answer.version for answer in answers}) == len(answers), "one change, two cooks"
        self._send()

    async def deliver(self, mail: Mail, positions: Sequence[int], *, lose_track: bool) -> None:
        await mail.deliver(positions, lose_track=lose_track)
        self._send()

    def lose_tickets(self) -> None:
        """The kitchen's stream is empty, and so is what it has told ordering and was not heard."""
        self._tickets.lose_all()
        self._ticket_events_sent = 0
        self.to_ordering.unheard.clear()

    async def drain(self, chance: random.Random) -> None:
        """Deliver whatever was not heard, in random order, until there is nothing."""
        while waiting := [mail for mail in self._mails if mail.unheard]:
            mail = chance.choice(waiting)
            await self.deliver(mail, [chance.choice(sorted(mail.unheard))], lose_track=False)

    async def repeat_everything(self, chance: random.Random) -> None:
        """Deliver all that was ever said once more."""
        for mail in self._mails:
            mail.unheard = set(range(len(mail.sent)))
        await self.drain(chance)

    @property
    def _mails(self) -> tuple[Mail, Mail]:
        return self.to_kitchen, self.to_ordering

    async def _move(self, number: int, move: str) -> Ticket | None:
        """The ticket that the cook is shown; None if the move is refused."""
        ticket_id = TicketId(self.order.restaurant, self.order.order_id, number)
        command = ChangeTicket(ticket_id=ticket_id)
        shown: Ticket | None = None
        try:
            moved = await MOVES[move](
                command, tickets=self._tickets, clock=lambda: self.now, new_id=uuid7
            )
            return moved.ticket
        except (kitchen.WrongStatus, kitchen.TooLateToRecall) as refusal:
            shown = refusal.ticket
        except kitchen.UnknownTicket:
            assert number not in self.tickets
        assert shown is None or shown in self.ticket_histories[number], "a ticket that never was"
        return None

    def _send(self) -> None:
        """Put what has happened since the last time into the mail."""
        for event in self._store.events[self._order_events_sent :]:
            self.to_kitchen.send(ordering_contract.event_to_contract(event))
        for ticket_event in self._tickets.events[self._ticket_events_sent :]:
            self.to_ordering.send(serving_contract.event_to_contract(ticket_event))
        self._order_events_sent = len(self._store.events)
        self._ticket_events_sent = len(self._tickets.events)
