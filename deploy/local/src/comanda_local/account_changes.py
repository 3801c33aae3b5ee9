"""A change of NATS's accounts: by one command at a time, and whole or not at all."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from comanda_local.folders import replace_file


@contextlib.contextmanager
def changing(folder: Path, *files: Path) -> Iterator[None]:
    """Change the accounts in the folder alone; others wait until this has ended.

    If it fails the files are put back as they were, the last one first.
    """
    held = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        before = {file: file.read_bytes() if file.exists() else None for file in files}
        try:
            yield
        except BaseException:
            for file, content in reversed(before.items()):
                _put_back(file, content)
            raise
    finally:
        os.close(held)


def _put_back(file: Path, content: bytes | None) -> None:
    if content is None:
        file.unlink(missing_ok=True)
    elif not file.exists() or file.read_bytes() != content:
        replace_file(file, content)
