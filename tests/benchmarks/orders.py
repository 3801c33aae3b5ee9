"""What is ordered in a benchmark: the same menu and the same orders for every contestant."""

import itertools
import json
import random
from dataclasses import dataclass

from tests.benchmarks.wrk import Request

RESTAURANT = "la-piazza"
"""Whose orders are asked for."""
ELSEWHERE = ("al-porto", "da-mario", "il-forno", "la-torre")
"""Restaurants on the same system that nobody asks about, so that a flood of orders there leaves
what the questions are about as it is, however many a contestant takes."""
TABLES = 60
CATEGORIES = ("Antipasti", "Pizza", "Pasta", "Secondi", "Dolci", "Bevande")


@dataclass(frozen=True, slots=True)
class Item:
    """A menu item; `price` in minor units."""

    sku: str
    name: str
    category: str
    price: int


MENU = tuple(
    Item(f"item-{number:02}", f"Item {number}", CATEGORIES[number % 6], 250 + 50 * (number % 31))
    for number in range(60)
)


def address(restaurant: str) -> str:
    return f"/v1/restaurants/{restaurant}"


def placing(*restaurants: str, count: int = 3000, seed: int = 1) -> list[Request]:
    """Requests for orders of 1 to 6 lines, half of them dine-in, at the restaurants in turn."""
    chance = random.Random(seed)
    return [
        Request("POST", f"{address(restaurant)}/orders", json.dumps(_order(chance)))
        for restaurant in itertools.islice(itertools.cycle(restaurants), count)
    ]


def _order(chance: random.Random) -> dict[str, object]:
    lines = [
        {"sku": chance.choice(MENU).sku, "quantity": chance.randint(1, 3)}
        for _ in range(chance.randint(1, 6))
    ]
    if chance.random() < 0.5:
        table = str(chance.randint(1, TABLES))
        return {"channel": "dine_in", "table": table, "guests": 2, "lines": lines}
    return {"channel": "takeaway", "customer": "Ada Lovelace", "lines": lines}
