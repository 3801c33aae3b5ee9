"""How a team or a till shows NATS who it is: by a key, or by a password."""

import os
import re
from pathlib import Path
from typing import Self

import nkeys

from comanda_local.folders import replace_file
from comanda_local.servers.nats import password_variable

SEED_BYTES = 32
LOGIN_LINES = re.compile(
    r"^      (?:(nkey: U[A-Z2-7]{55})|(user: \S+)\n      (password: \S+))$", re.MULTILINE
)


class Login:
    """The lines of an account's file that say who is let in. They hold nothing secret."""

    def __init__(self, *lines: str) -> None:
        self.lines = lines

    @classmethod
    def by_password(cls, user: str) -> Self:
        """A name, and a password that the server finds in its environment at its start."""
        return cls(f"user: {user}", f"password: ${password_variable(user)}")

    @classmethod
    def by_key(cls, seed: bytes) -> Self:
        """A key, of which the server is given the public half."""
        return cls(f"nkey: {nkeys.from_seed(bytearray(seed)).public_key.decode()}")

    @classmethod
    def found_in(cls, account: Path) -> Self | None:
        """Who is let in already; None if there is no such account, or it names nobody."""
        found = LOGIN_LINES.search(account.read_text()) if account.exists() else None
        return cls(*filter(None, found.groups())) if found else None

    def __str__(self) -> str:
        return "".join(f"      {line}\n" for line in self.lines)


def new_seed() -> bytes:
    """The secret half of a user's new key."""
    seed: bytes = nkeys.encode_seed(os.urandom(SEED_BYTES), nkeys.PREFIX_BYTE_USER)
    return seed


def save_seed(seed: bytes, file: Path) -> None:
    """Write it for its owner alone, in the place of one that was there before."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    replace_file(file, seed, mode=0o600)


def list_account(file: Path, listed: Path) -> None:
    """Include the file of an account in the list that NATS reads, unless it is there."""
    lines = listed.read_text()
    if _include(file) not in lines.splitlines(keepends=True):
        ended = lines if lines.endswith("\n") or not lines else f"{lines}\n"
        replace_file(listed, (ended + _include(file)).encode())


def remove_account(file: Path, listed: Path) -> None:
    """Remove an account and its line in the list, whichever of them is there."""
    lines = listed.read_text().splitlines(keepends=True)
    left = [line for line in lines if line.rstrip("\n") != _include(file).rstrip("\n")]
    if left != lines:
        replace_file(listed, "".join(left).encode())
    file.unlink(missing_ok=True)


def _include(file: Path) -> str:
    return f"include '{file.name}'\n"
