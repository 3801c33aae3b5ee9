"""`comanda env`: what Docker Compose is given by `.env`, passwords and keys."""

import re
from pathlib import Path

from comanda_local.folders import replace_file
from comanda_local.nats_keys import new_seed, public_half
from comanda_local.processes import CannotStart
from comanda_local.servers.nats import new_password

EXAMPLE = ".env.example"
"""Beside the file: the names, without values."""
NAME = re.compile(r"^(COMANDA_[A-Z0-9_]+)=", re.MULTILINE)
SEED, PUBLIC_HALF = "_SEED", "_NKEY"
"""How the names of a key's two halves end."""


def complete_environment(file: Path) -> list[str]:
    """Give each name of the example a value, in a file of its owner alone; what has one keeps it.

    Only the public half of a key whose seed is made is made anew.

    Returns the names that were given one. Raises CannotStart if there is no example, or if a seed
    that is there is none.
    """
    example = file.with_name(EXAMPLE)
    if not example.exists():
        raise CannotStart(f"there is no {example}, which has the names")
    text = file.read_text() if file.exists() else ""
    values = {name: line for name, _, line in (each.partition("=") for each in text.splitlines())}
    names = NAME.findall(example.read_text())
    missing = [name for name in names if not values.get(name)]
    missing += [each for each in names if _other_half(each) in missing and each not in missing]
    made: dict[str, str] = {}
    for name in missing:
        made[name] = _value(name, values | made)
    kept = [line for line in text.splitlines() if line.partition("=")[0] not in made]
    lines = [*kept, *(f"{name}={value}" for name, value in made.items())]
    if made:
        file.touch(mode=0o600)
        replace_file(file, "".join(f"{line}\n" for line in lines).encode(), mode=0o600)
    return missing


def _other_half(name: str) -> str:
    """The seed's name of a public half's; nothing for another."""
    return name.removesuffix(PUBLIC_HALF) + SEED if name.endswith(PUBLIC_HALF) else ""


def _value(name: str, values: dict[str, str]) -> str:
    if name.endswith(SEED):
        return new_seed().decode()
    if name.endswith(PUBLIC_HALF):  # it comes after its seed
        seed = _other_half(name)
        try:
            return public_half(values[seed].encode())
        except ValueError as error:
            raise CannotStart(f"{seed} {error}") from error
    return new_password()
