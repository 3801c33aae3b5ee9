"""Visits of simulated guests: their orders, generated from a menu."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from comanda_local.api import Json

NAMES = (
    *("Ada", "Bruno", "Chiara", "Dario", "Elena", "Fabio", "Giulia", "Hakim", "Irene", "Jonas"),
    *("Katia", "Luca", "Maria", "Nadia", "Omar", "Paola", "Quirin", "Rosa", "Sami", "Teresa"),
)
NOTES = ("no onions", "well done", "gluten-free, please", "to share", "extra hot")
TABLES = 30


@dataclass(frozen=True, slots=True)
class Visit:
    """One guest's visit: the order's body, and the lines of each further round."""

    label: str
    order: Json
    further_rounds: tuple[list[Json], ...] = ()


def takeaway(label: str, customer: str, lines: list[Json]) -> Visit:
    return Visit(label, {"channel": "takeaway", "customer": customer, "lines": lines})


def generate_visits(count: int, skus: Sequence[str], *, seed: int) -> list[Visit]:
    """`count` visits; the same ones for the same seed.

    Three of five eat in, and a third of those order again, once or twice.
    """
    chance = random.Random(seed)  # noqa: S311 - guests, not secrets
    return [_visit(f"guest {number}", skus, chance) for number in range(1, count + 1)]


def _visit(label: str, skus: Sequence[str], chance: random.Random) -> Visit:
    if chance.random() < 2 / 5:
        return takeaway(label, chance.choice(NAMES), _lines(skus, chance))
    order = {
        "channel": "dine_in",
        "table": str(chance.randint(1, TABLES)),
        "guests": chance.randint(1, 6),
        "lines": _lines(skus, chance),
    }
    further = chance.choice((0, 0, 0, 0, 1, 2))
    return Visit(label, order, tuple(_lines(skus, chance) for _ in range(further)))


def _lines(skus: Sequence[str], chance: random.Random) -> list[Json]:
    chosen = chance.sample(skus, k=min(len(skus), chance.randint(1, 5)))
    return [_line(sku, chance) for sku in chosen]


def _line(sku: str, chance: random.Random) -> Json:
    line: Json = {"sku": sku, "quantity": chance.choice((1, 1, 1, 2, 2, 3))}
    return line | {"note": chance.choice(NOTES)} if chance.random() < 1 / 10 else line
