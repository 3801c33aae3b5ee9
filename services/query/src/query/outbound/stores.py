"""All the stores of the views in MongoDB, over the same generations."""

from query.outbound.generations import Generations
from query.outbound.menus import MongoMenus
from query.outbound.orders import MongoOrders
from query.outbound.sales import MongoSales
from query.views.store import Stores


def stores_over(generations: Generations) -> Stores:
    """What events are projected into; a rebuild fills the same in another generation."""
    return Stores(MongoOrders(generations), MongoSales(generations), MongoMenus(generations))


async def set_up(generations: Generations) -> None:
    """Make the indexes that are not there, in each generation that is written."""
    for store in (MongoOrders(generations), MongoSales(generations), MongoMenus(generations)):
        await store.set_up()
