"""A restaurant on the system that tests share: the three services as real processes."""

import pytest
from comanda_local.stack import Stack

from tests.e2e.restaurant import Restaurant


@pytest.fixture
def restaurant(stack: Stack) -> Restaurant:
    return Restaurant(stack)
