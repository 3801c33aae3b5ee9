"""Folders of data: temporary ones, the lock on one that is in use, and files replaced whole."""

import contextlib
import fcntl
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from comanda_local.processes import CannotStart


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder that is removed at the end.

    Others may pass through it: as root, PostgreSQL runs as a user of its own.
    """
    folder = Path(tempfile.mkdtemp(prefix="comanda-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock the folder, for as long as the context or this process lasts. Raises CannotStart."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a+") as lock:
        _lock(lock, folder)
        yield


def replace_file(file: Path, content: bytes, *, mode: int = 0o666) -> None:
    """Write the file anew: whoever reads it meanwhile reads it whole, as it was or as it is.

    `mode`, less the umask, is what a new file has; one that is there keeps its own or less.
    """
    if file.exists():
        mode &= file.stat().st_mode
    with _written_beside(file, content, mode) as beside:
        beside.replace(file)


def make_file(file: Path, content: bytes, *, mode: int = 0o666) -> None:
    """Write a new file, whole or not at all. Raises FileExistsError if there is one."""
    with _written_beside(file, content, mode) as beside:
        os.link(beside, file)


@contextlib.contextmanager
def _written_beside(file: Path, content: bytes, mode: int) -> Iterator[Path]:
    """A file beside it that has the content, and that mode from its first byte on."""
    beside = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        yield beside
    finally:
        beside.unlink(missing_ok=True)


def _lock(lock: IO[str], folder: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        raise CannotStart(
            f"Comanda is already up on {folder} (process {lock.read().strip()}). "
            "Stop that one first, or give another folder."
        ) from None
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
