"""All the stores of the views in MongoDB, over the same generations."""

from query.storage.generations import Generations
from query.storage.menus import MongoMenus
from query.storage.orders.store import MongoOrders
from query.storage.sales.store import MongoSales
from query.views.ports import Stores


def stores_over(generations: Generations) -> Stores:
    """The stores that events are projected into; a rebuild fills the same in another generation."""
    return Stores(MongoOrders(generations), MongoSales(generations), MongoMenus(generations))


async def set_up(generations: Generations) -> None:
    """Make the indexes that are not there, in each generation that is written."""
    for store in (MongoOrders(generations), MongoSales(generations), MongoMenus(generations)):
        await store.set_up()
