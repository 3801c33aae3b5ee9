"""How a team or a till shows NATS who it is: by a key, or by a password."""

import re
from pathlib import Path
from typing import Self

from comanda_local.folders import replace_file
from comanda_local.nats_keys import public_half
from comanda_local.servers.nats import password_variable

LOGIN_LINES = re.compile(
    r"^      (?:(nkey: (?:U[A-Z2-7]{55}|\$COMANDA_NATS_[A-Z0-9_]+_NKEY))"
    r"|(user: \S+)\n      (password: \S+))$",
    re.MULTILINE,
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
        return cls(f"nkey: {public_half(seed)}")

    @classmethod
    def found_in(cls, account: Path) -> Self | None:
        """Who is let in already; None if there is no such account, or it names nobody."""
        found = LOGIN_LINES.search(account.read_text()) if account.exists() else None
        return cls(*filter(None, found.groups())) if found else None

    def __str__(self) -> str:
        return "".join(f"      {line}\n" for line in self.lines)


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
