"""What is ordered in a benchmark: the same menu and the same orders for every contestant."""

import json
import random
from dataclasses import dataclass

RESTAURANT = "la-piazza"
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


def bodies(count: int, *, seed: int = 1) -> list[str]:
    """Orders of 1 to 6 lines as JSON, half of them dine-in."""
    chance = random.Random(seed)
    return [json.dumps(_order(chance)) for _ in range(count)]


def _order(chance: random.Random) -> dict[str, object]:
    lines = [
        {"sku": chance.choice(MENU).sku, "quantity": chance.randint(1, 3)}
        for _ in range(chance.randint(1, 6))
    ]
    if chance.random() < 0.5:
        table = str(chance.randint(1, TABLES))
        return {"channel": "dine_in", "table": table, "guests": 2, "lines": lines}
    return {"channel": "takeaway", "customer": "Ada Lovelace", "lines": lines}
