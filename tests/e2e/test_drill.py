"""Every store is lost in an evening, and what was ordered comes back, once."""

import asyncio

import pytest
from comanda_local.folders import temporary_folder

from tests.drill.drill import drill

pytestmark = [pytest.mark.servers, pytest.mark.xdist_group("drill"), pytest.mark.timeout(600)]

ORDERS = 3
"""Of the evening that is over when everything is lost: the least, since two systems start."""


def test_a_small_evening_comes_back_after_the_loss_of_every_store() -> None:
    with temporary_folder() as folder:
        report = asyncio.run(drill(folder, ORDERS))

    assert report.complaints == []
    assert (report.lost, report.doubled) == (0, 0)
    assert report.orders > ORDERS
