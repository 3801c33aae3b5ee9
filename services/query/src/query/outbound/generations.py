"""Generations of the views: one answers, and others may be filled beside it."""

from collections.abc import Sequence

from query.outbound.mongo import Collection, Database


class Generation:
    """One whole set of views, in collections of its own."""

    def __init__(self, database: Database, number: int) -> None:
        self.number = number
        self.orders: Collection = database[f"orders-{number}"]
        self.menu: Collection = database[f"menu-{number}"]
        self.restaurants: Collection = database[f"restaurants-{number}"]
        self.sales_days: Collection = database[f"sales-days-{number}"]
        self.sales_hours: Collection = database[f"sales-hours-{number}"]


class Generations:
    """Which generation is read, and which ones a change is written to."""

    def __init__(self, database: Database) -> None:
        self.live = Generation(database, 1)

    async def written(self) -> Sequence[Generation]:
        """The generations that a change received before this call must reach."""
        return [self.live]
