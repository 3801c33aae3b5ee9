"""Why ordering says no; each refusal has a code for programs and a text for people."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

NAMED_VERSIONS_MAX = 20
"""Versions that a refusal names."""


class Refusal(Exception):
    """A command can't be carried out; nothing was changed."""

    code: str


class UnknownRestaurant(Refusal):
    """There is no such restaurant."""

    code = "unknown-restaurant"

    def __init__(self, restaurant: str) -> None:
        super().__init__(f"There is no restaurant {restaurant!r}.")


class UnknownMenuItem(Refusal):
    """The restaurant has no such item."""

    code = "unknown-item"

    def __init__(self, sku: str) -> None:
        super().__init__(f"There is no item {sku!r} on the menu.")


class WithdrawnMenuItem(Refusal):
    """The item has left the menu for good."""

    code = "withdrawn-item"

    def __init__(self, sku: str) -> None:
        super().__init__(f"Item {sku!r} was withdrawn; its sku is not used again.")


class NotListed(Refusal):
    """A value is in no list of what there is: no such currency, or time zone."""

    code = "invalid-request"

    def __init__(self, faults: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{field}: {detail}" for field, detail in faults.items()))
        self.faults = dict(faults)


class CurrencyIsFixed(Refusal):
    """Prices and orders are in the restaurant's currency already."""

    code = "currency-is-fixed"

    def __init__(self, currency: str) -> None:
        super().__init__(f"The currency is {currency} and can't change: prices are in it.")


class UnknownOrder(Refusal):
    """The restaurant has no such order."""

    code = "unknown-order"

    def __init__(self, order_id: UUID) -> None:
        super().__init__(f"There is no order {order_id}.")


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that can't be ordered: its `index`, counted from 0, and the reason for people."""

    index: int
    detail: str


class CannotOrder(Refusal):
    """The menu does not offer some of the lines now."""

    code = "cannot-order"

    def __init__(self, lines: Sequence[BadLine]) -> None:
        super().__init__(" ".join(line.detail for line in lines))
        self.lines = tuple(lines)


class OrderTooLarge(Refusal):
    """The order would have more lines than one order may have."""

    code = "order-too-large"

    def __init__(self, max_lines: int) -> None:
        super().__init__(f"An order has at most {max_lines} lines; open another one.")


class OrderNotOpen(Refusal):
    """The order is over, or being cancelled."""

    code = "order-not-open"

    def __init__(self, number: str, status: str) -> None:
        super().__init__(f"Order {number} is {status}, so it can't change any more.")


class OrderNotOver(Refusal):
    """The order is under way: its guest can be forgotten once it is over."""

    code = "order-not-over"

    def __init__(self, number: str, status: str) -> None:
        super().__init__(f"Order {number} is {status}: its guest can be forgotten once it is over.")


class StillInTheKitchen(Refusal):
    """Not every round was served yet."""

    code = "still-in-the-kitchen"

    def __init__(self, number: str, rounds: Sequence[int]) -> None:
        names = ", ".join(str(each) for each in rounds)
        super().__init__(f"Order {number} can't close: not served yet: round {names}.")


class UnknownRound(Refusal):
    """The order has no such round, or it is cancelled already."""

    code = "unknown-round"

    def __init__(self, number: str, rounds: Sequence[int]) -> None:
        names = ", ".join(str(each) for each in rounds)
        super().__init__(f"Order {number} has nothing to cancel in round {names}.")


class TooLateToCancel(Refusal):
    """The kitchen has started all of it, as its verdicts say already."""

    code = "too-late-to-cancel"

    def __init__(self, number: str) -> None:
        super().__init__(f"It is too late to cancel that of order {number}: it is being made.")


class TooManyWithdrawals(Refusal):
    """The restaurant withdrew the tokens of as many subjects as are remembered of it."""

    code = "too-many-withdrawals"

    def __init__(self, subjects_max: int) -> None:
        super().__init__(
            f"The tokens of {subjects_max} subjects are withdrawn here. Those that are withdrawn "
            "can be so again, and an operator can withdraw another's in all restaurants."
        )


class DayNotBegun(Refusal):
    """A business day can't be closed before it has begun."""

    code = "invalid-request"

    def __init__(self, day: date, running: date) -> None:
        super().__init__(f"Business day {day} has not begun: {running} is running.")


class VersionMismatch(Refusal):
    """The command was meant for another version: somebody has made a change since."""

    code = "version-mismatch"

    def __init__(self, *, expected: Collection[int], actual: int) -> None:
        few = expected if len(expected) <= NAMED_VERSIONS_MAX else ()
        wanted = " or ".join(map(str, sorted(few))) or "one that was asked for"
        super().__init__(f"It is at version {actual}, not {wanted}.")


class CommandExpired(Refusal):
    """The command came too late, after an outage say, to still be meant."""

    code = "command-expired"

    def __init__(self, expired_at: datetime) -> None:
        super().__init__(
            f"The command was meant until {expired_at.isoformat()}; it has had no effect."
        )
