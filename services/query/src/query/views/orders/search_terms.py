"""Search terms: the texts by which an order is found, held by one index of the store."""

import re
import unicodedata
from datetime import date
from functools import lru_cache

from anyascii import anyascii
from comanda_contracts import Order

from query.views.orders.status import is_active

ANY_ORDER = "order:"
"""The term of every order."""

TERM_LENGTH_MAX = 100
"""Characters of a text: a longer one is found by its beginning."""

WORD = re.compile(r"[^\W_]+")


# decision/0021: what an order is found by is kept as terms in one index
def terms_of(order: Order) -> list[str]:
    """All terms of an order, sorted."""
    terms = {ANY_ORDER, of_channel(order.channel), of_number(order.business_day, order.number)}
    if order.table is not None:
        terms |= {of_table(order.table)}
        terms |= {of_active_table(order.table)} if is_active(order) else set()
    if order.customer is not None:
        terms |= {of_customer(order.customer)}
    return sorted(terms.union(*map(words_of, _texts(order))))


def of_channel(channel: str) -> str:
    """The term of the orders that came by a channel."""
    return f"channel:{channel}"


def of_table(table: str) -> str:
    """The term of all orders of a table."""
    return f"table:{table[:TERM_LENGTH_MAX]}"


def of_active_table(table: str) -> str:
    """The term of a table's active orders: few, however long the restaurant is in business."""
    return f"active-table:{table[:TERM_LENGTH_MAX]}"


def of_customer(name: str) -> str:
    """The term of a customer's orders, whatever the case, the accents and the spaces."""
    return f"customer:{' '.join(folded(name).split())[:TERM_LENGTH_MAX]}"


def of_number(day: date | str, number: str) -> str:
    """The term of the one order with this number on this business day."""
    return f"number:{day}/{number}"


@lru_cache(maxsize=10_000)  # the names of what is on the menus
def words_of(text: str) -> frozenset[str]:
    """The words of a text, each a term; a term of another kind has a colon, a word has not."""
    return frozenset(word[:TERM_LENGTH_MAX] for word in WORD.findall(folded(text)))


def folded(text: str) -> str:
    """The text without case and accents, in the letters and marks that every keyboard has.

    `Zoë` and `ZOE` are the same, `Şişli` and `sisli`, `Łuczak` and `luczak`. Letters of other
    scripts stay what they are.
    """
    if text.isascii():
        return text.lower()
    parts = unicodedata.normalize("NFKD", text.casefold())
    return "".join(map(_plain, parts)).lower()


@lru_cache(maxsize=1_000)
def _plain(part: str) -> str:
    """A letter as one without a stroke, or as the two that it is; a curved mark as a straight."""
    if part.isascii():
        return part
    if unicodedata.combining(part):
        return ""
    is_plain_somewhere = unicodedata.category(part).startswith("P") or unicodedata.name(
        part, ""
    ).startswith(("LATIN ", "MODIFIER LETTER "))
    return anyascii(part) if is_plain_somewhere else part


def _texts(order: Order) -> list[str]:
    """The texts whose words are terms: the customer, the items and the notes on them."""
    lines = [line for each in order.rounds for line in each.lines]
    texts = [order.customer, *(line.name for line in lines), *(line.note for line in lines)]
    return [text for text in texts if text]
