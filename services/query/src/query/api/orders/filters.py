"""The parameters of a list of orders over HTTP."""

from datetime import UTC, datetime
from typing import Annotated

from comanda_contracts import Channel
from comanda_contracts.envelope import MAX_SAFE_INTEGER
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from query.api.http.openapi import CURSOR
from query.api.http.read_your_writes import After
from query.views.orders.list_query import ListQuery, Sort
from query.views.orders.search_terms import words_of
from query.views.orders.status import ACTIVE, OVER, ViewStatus

PAGE_ORDERS_MAX = 500
TEXT_LENGTH_MAX = 100


def _utc(at: datetime) -> datetime:
    """The time in UTC without a zone, as the store has times."""
    try:
        return at.astimezone(UTC).replace(tzinfo=None)
    except OverflowError:
        raise ValueError("there is no such time in UTC") from None


def _has_words(text: str) -> str:
    if not words_of(text):
        raise ValueError("there is no word in it")
    return text


Time = Annotated[AwareDatetime, AfterValidator(_utc)]
Text = Annotated[str, Field(min_length=1, max_length=TEXT_LENGTH_MAX)]


class Filters(BaseModel):
    """The parameters of a list; one that is none of them is refused rather than ignored."""

    model_config = ConfigDict(extra="forbid")

    status: Annotated[
        list[ViewStatus],
        Field(description="how far they are; may be repeated", examples=[["ready", "preparing"]]),
    ] = []
    active: Annotated[
        bool | None,
        Field(
            description="only those that are not closed or cancelled; `false`: only those",
            examples=[True],
        ),
    ] = None
    channel: Annotated[Channel | None, Field(examples=["takeaway"])] = None
    table: Annotated[Text | None, Field(description="exactly this one", examples=["7"])] = None
    customer: Annotated[
        Text | None,
        Field(description="the whole name, whatever its case and accents", examples=["Zoë Ardi"]),
    ] = None
    placed_from: Annotated[
        Time | None,
        Field(alias="from", description="placed then or later", examples=["2026-11-23T18:00:00Z"]),
    ] = None
    placed_to: Annotated[
        Time | None,
        Field(alias="to", description="placed before that", examples=["2026-11-24T00:00:00Z"]),
    ] = None
    min_total: Annotated[
        int,
        Field(
            ge=0, le=MAX_SAFE_INTEGER, description="minor units of the currency", examples=[2000]
        ),
    ] = 0
    q: Annotated[
        Annotated[Text, AfterValidator(_has_words)] | None,
        Field(
            description="words that the customer, the items and their notes must have, each of "
            "them whole, whatever their case and accents",
            examples=["margherita no basil"],
        ),
    ] = None
    sort: Annotated[Sort, Field(description="the order of the list", examples=["-total"])] = (
        Sort.NEWEST
    )
    limit: Annotated[
        int,
        Field(
            ge=1,
            le=PAGE_ORDERS_MAX,
            description="orders of a page at most; it ends before it is longer than 4 MiB",
            examples=[20],
        ),
    ] = 100
    cursor: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=400,
            description="`next` of the page before, asked with the same filters",
            examples=[CURSOR],
        ),
    ] = None
    after: After = []

    def list_query(self, restaurant: str) -> ListQuery:
        """The list of this restaurant's orders that these parameters ask for."""
        return ListQuery(
            restaurant,
            self.sort,
            self._statuses(),
            self.table,
            self.customer,
            self.channel,
            frozenset(words_of(self.q or "")),
            self.placed_from,
            self.placed_to,
            self.min_total,
        )

    def _statuses(self) -> frozenset[ViewStatus]:
        of_these = frozenset(self.status or ViewStatus)
        if self.active is None:
            return of_these
        return of_these & (ACTIVE if self.active else OVER)
