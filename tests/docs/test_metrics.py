"""The page of metrics has what is exported, all of it and nothing else."""

import re

import pytest

from tests.deploy.exporters import metrics_of
from tests.deploy.programs import SERVICES
from tests.docs.metrics import PAGE, page

pytestmark = pytest.mark.programs


def test_the_page_is_what_the_services_say() -> None:
    assert PAGE.read_text() == page(), "make schemas"


def test_it_lists_what_is_exported_and_nothing_else() -> None:
    listed = set(re.findall(r"^\| `(\w+)` \|", PAGE.read_text(), re.MULTILINE))

    assert listed == {each.name for service in SERVICES for each in metrics_of(service)}
