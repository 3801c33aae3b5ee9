"""What one read of the outbox brings: bounded by number and by weight, of each part by itself."""

from ordering.outbound.outbox.outbox import KINDS, select_unpublished
from sqlalchemy import text

from tests.ordering.conftest import Database

FILL = text("""
    INSERT INTO outbox (partition, aggregate, subject, headers, body)
    VALUES (:partition, :aggregate, '', '{}', convert_to(repeat(md5(:seed), :size / 32), 'UTF8'))
""")
LARGE, SMALL = 400_000, 64


async def test_a_read_brings_no_more_of_a_partition_once_its_bodies_are_heavy(
    database: Database,
) -> None:
    events = [
        *(("orders.v1.a.1", 0, LARGE) for _ in range(6)),
        *(("menu.v1.a.tea", 0, SMALL) for _ in range(6)),
        *(("orders.v1.a.2", 1, SMALL) for _ in range(6)),
    ]
    async with database.engine.begin() as connection:
        for number, (aggregate, partition, size) in enumerate(events):
            values = {"aggregate": aggregate, "partition": partition, "size": size}
            await connection.execute(FILL, values | {"seed": str(number)})

    async with database.engine.connect() as connection:
        found = await select_unpublished(connection, [0, 1], KINDS, limit=5, bytes_max=1_000_000)
        heavy = await select_unpublished(connection, [0], ["orders"], limit=5, bytes_max=1)
        light = await select_unpublished(connection, [0], ["menu"], limit=5, bytes_max=1_000_000)

    assert [row.id for row in found] == [1, 2, 3, 7, 8, 9, 10, 11, 13, 14, 15, 16, 17]
    assert {len(row.body) for row in found[:3]} == {LARGE}
    assert [row.id for row in heavy] == [1], "one comes however heavy it is"
    assert [row.id for row in light] == [7, 8, 9, 10, 11]
