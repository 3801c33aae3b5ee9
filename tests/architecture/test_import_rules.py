"""The import rules catch what they are there to catch."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.programs

ROOT = Path(__file__).parents[2]
SOURCES = [
    "contracts/src",
    "shared/src",
    "services/ordering/src",
    "services/serving/src",
    "services/query/src",
    "deploy/local/src",
]

VIOLATIONS = {
    "a service imports another": ("serving/inbound/planted.py", "import ordering.domain.order"),
    "a service imports the local stack": ("query/api/planted.py", "import comanda_local"),
    "the kit imports a service": ("service_kit/runtime/planted.py", "import query.views"),
    "the contracts import the kit": (
        "comanda_contracts/planted.py",
        "import service_kit.http.health",
    ),
    "the contracts import a framework": ("comanda_contracts/planted.py", "import fastapi"),
    "the contracts import what releases them": (
        "comanda_contracts/planted.py",
        "import contract_release.contract",
    ),
    "the release of the contracts imports a service": (
        "contract_release/planted.py",
        "import ordering.domain.order",
    ),
    "the local stack imports the kit": (
        "comanda_local/planted.py",
        "import service_kit.http.health",
    ),
    "the domain imports the application": (
        "ordering/domain/planted.py",
        "import ordering.application.place_order",
    ),
    "inbound imports outbound": (
        "ordering/inbound/planted.py",
        "import ordering.outbound.relay.relay",
    ),
    "outbound imports inbound": (
        "serving/outbound/planted.py",
        "import serving.inbound.http.tickets",
    ),
    "the transaction imports the relay": (
        "ordering/outbound/transaction/planted.py",
        "import ordering.outbound.relay.relay",
    ),
    "the relay imports the transaction": (
        "ordering/outbound/relay/planted.py",
        "import ordering.outbound.transaction.rows",
    ),
    "the outbox imports the relay": (
        "ordering/outbound/outbox/planted.py",
        "import ordering.outbound.relay.partitions",
    ),
    "the database imports the outbox": (
        "ordering/outbound/database/planted.py",
        "import ordering.outbound.outbox.outbox",
    ),
    "the application imports a driver": ("ordering/application/planted.py", "import asyncpg"),
    "the application imports the contracts": (
        "serving/application/planted.py",
        "import comanda_contracts",
    ),
    "the domain reads the clock": ("serving/domain/planted.py", "import time"),
    "the domain logs": ("ordering/domain/planted.py", "import logging"),
    "a view imports a driver": ("query/views/planted.py", "import pymongo"),
    "a view imports the storage": ("query/views/planted.py", "import query.storage"),
    "an order's view imports the board's": (
        "query/views/orders/planted.py",
        "import query.views.board.view",
    ),
    "the storage imports the API": ("query/storage/planted.py", "import query.api.board_routes"),
    "the API imports the storage": ("query/api/planted.py", "import query.storage.client"),
    "the API imports the projection": ("query/api/planted.py", "import query.projection.apply"),
    "the projection imports the storage": (
        "query/projection/planted.py",
        "import query.storage.client",
    ),
    "maintenance imports the live feeds": (
        "query/maintenance/planted.py",
        "import query.live.feeds",
    ),
    "the live feeds import maintenance": (
        "query/live/planted.py",
        "import query.maintenance.audit",
    ),
    "the store of sales imports that of orders": (
        "query/storage/sales/planted.py",
        "import query.storage.orders.store",
    ),
    "the kit's HTTP imports its NATS": (
        "service_kit/http/planted.py",
        "import service_kit.nats.pull",
    ),
    "the kit's access imports its HTTP": (
        "service_kit/access/planted.py",
        "import service_kit.http.problems",
    ),
    "a file fits no layer of the kit's access": ("service_kit/access/planted.py", ""),
    "the kit's runtime imports its HTTP": (
        "service_kit/runtime/planted.py",
        "import service_kit.http.health",
    ),
    "a file fits no layer of ordering": ("ordering/planted.py", ""),
    "a file fits no layer of ordering's outbound": ("ordering/outbound/planted.py", ""),
    "a file fits no layer of serving": ("serving/planted.py", ""),
    "a file fits no layer of query": ("query/planted.py", ""),
    "a file fits no layer of query's views": ("query/views/planted.py", ""),
    "a file fits no layer of query's storage": ("query/storage/planted.py", ""),
    "a file fits no layer of the service kit": ("service_kit/planted.py", ""),
}


def module_of(violation: str) -> str:
    """The name of its module in the sources: each has one of its own, and nobody imports it."""
    return f"planted_{[*VIOLATIONS].index(violation)}"


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sources and the rules, to plant violations in."""
    folder = tmp_path_factory.mktemp("copy")
    for source in SOURCES:
        shutil.copytree(ROOT / source, folder, dirs_exist_ok=True)
    shutil.copy(ROOT / ".importlinter", folder)
    return folder


@pytest.fixture(scope="module")
def report(copy: Path) -> str:
    """What is said of the sources with all violations, each a module that no other one imports."""
    planted = {
        (copy / place).with_stem(module_of(violation)): code
        for violation, (place, code) in VIOLATIONS.items()
    }
    for file, code in planted.items():
        file.write_text(code)
    result = lint(copy)
    for file in planted:
        file.unlink()
    assert result.returncode == 1, result.stdout
    return result.stdout


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_sources_keep_the_rules(copy: Path) -> None:
    result = lint(copy)

    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("violation", VIOLATIONS)
def test_a_planted_violation_is_caught(report: str, violation: str) -> None:
    assert re.search(rf"\b{module_of(violation)}\b", report), report
