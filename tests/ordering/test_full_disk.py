"""A PostgreSQL whose disk is full, on a small disk of its own: said, got over, nothing lost."""

import errno
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from comanda_local.folders import temporary_folder

from tests.ordering.test_unavailable import Site, running_site

pytestmark = pytest.mark.servers

DISK_MIB = 128
PLACED_MAX = 2000
"""Orders that never fit beside what fills the disk."""


@pytest.fixture
def disk() -> Iterator[Path]:
    """A folder with a file system of its own."""
    with temporary_folder() as folder:
        disk = folder / "disk"
        disk.mkdir()
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m,mode=755", "tmpfs", str(disk)],
            capture_output=True,
            text=True,
            check=False,
        )
        if mounted.returncode != 0:
            pytest.skip(f"a small disk needs the right to mount one: {mounted.stderr.strip()}")
        try:
            yield disk
        finally:
            subprocess.run(["umount", "--lazy", str(disk)], check=True)


@pytest.fixture
async def site(disk: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    async with running_site(disk / "postgres", monkeypatch) as site:
        yield site


async def test_orders_are_refused_while_the_disk_is_full_and_those_accepted_are_there(
    site: Site, disk: Path
) -> None:
    filler = disk / "filler"
    fill(filler)
    answers = [await site.place()]
    while answers[-1].status_code == 201 and len(answers) < PLACED_MAX:
        answers.append(await site.place())
    reason = await site.says(lambda state: state != "ready")
    again = await site.place()

    filler.unlink()
    await site.says(lambda state: state == "ready")
    after = await site.place()

    refused = answers.pop()
    assert [(each.status_code, each.headers["Retry-After"]) for each in (refused, again)] == [
        (503, "1")
    ] * 2
    assert "No space left on device" in reason
    assert after.status_code == 201
    assert await site.orders() == len(answers) + 1


def fill(path: Path) -> None:
    """Write to the file until the disk has no room for another byte."""
    with path.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(65_536)):
                pass
        except OSError as error:
            assert error.errno == errno.ENOSPC  # noqa: PT017 - it is what ends the loop
