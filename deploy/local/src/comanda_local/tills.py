"""`comanda till`: the NATS account of a till that speaks no HTTP."""

import re
from pathlib import Path

from comanda_contracts.subjects import SLUG_PATTERN

from comanda_local.folders import replace_file
from comanda_local.nats_logins import Login, list_account, remove_account
from comanda_local.servers.nats import ACCOUNTS
from comanda_local.teams import NotGranted

TILLS_FILE = "tills.conf"
DEVICE_PATTERN = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?")

ANSWERS = re.compile(r'"replies\.v1\.(?P<restaurant>[^.\s"]+)\.(?P<device>[^.\s"]+)\.>"')
FIRST_LINE = re.compile(r"# The till (?P<device>\S+) of (?P<restaurant>[^\s,]+),")


def user_of(restaurant: str, device: str) -> str:
    """The till's user."""
    return f"till-{restaurant}-{device}"


def write_till(
    restaurant: str,
    device: str,
    folder: Path = ACCOUNTS.parent,
    *,
    login: Login | None = None,
) -> Path:
    """Write the till's account, and see that NATS reads it. Repeated it changes nothing.

    Without a login a till that is there keeps its own, and a new one has a password.

    Raises NotGranted for a name that no till can have, or that another one's user has: the till
    `b-c` of `a`, and `c` of `a-b`.
    """
    file, found = _own_file(restaurant, device, folder)
    login = login or found or Login.by_password(user_of(restaurant, device))
    replace_file(file, account(restaurant, device, login).encode())
    list_account(file, folder / TILLS_FILE)
    return file


def remove_till(restaurant: str, device: str, folder: Path = ACCOUNTS.parent) -> bool:
    """Let the till in no more. Returns whether it was there. Raises NotGranted for another's."""
    file, _ = _own_file(restaurant, device, folder)
    was_there = file.exists()
    remove_account(file, folder / TILLS_FILE)
    return was_there


def file_of(restaurant: str, device: str, folder: Path = ACCOUNTS.parent) -> Path:
    """The file of a till's account. Raises NotGranted for a name that no till can have."""
    if not re.fullmatch(SLUG_PATTERN, restaurant) or not DEVICE_PATTERN.fullmatch(device):
        raise NotGranted(
            "a till is named by the slug of its restaurant and a name of lower-case letters, "
            "digits and inner hyphens"
        )
    return folder / f"{user_of(restaurant, device)}.conf"


def _own_file(restaurant: str, device: str, folder: Path) -> tuple[Path, Login | None]:
    """The till's file and the login in it, if it is there. Raises NotGranted if it is another's."""
    file = file_of(restaurant, device, folder)
    if _till_in(file) not in (None, (restaurant, device)):
        raise NotGranted(f"{user_of(restaurant, device)} is the user of another till")
    return file, Login.found_in(file)


def _till_in(file: Path) -> tuple[str, str] | None:
    """Whose account it is, whichever release wrote it; None if it says that of nobody."""
    text = file.read_text() if file.exists() else ""
    if found := ANSWERS.search(text):
        return found["restaurant"], found["device"]
    if found := FIRST_LINE.match(text):
        return found["restaurant"], found["device"]
    return None


def account(restaurant: str, device: str, login: Login) -> str:
    """The till's account: it sends its restaurant's commands, and hears its own answers."""
    user = user_of(restaurant, device)
    commands, answers = f"commands.v1.{restaurant}.*", f"replies.v1.{restaurant}.{device}.>"
    return (
        f"# The till {device} of {restaurant}, as `comanda till` writes it.\n"
        f"{user.upper().replace('-', '_')} {{\n"
        "  users: [\n"
        "    {\n"
        f"{login}"
        "      permissions {\n"
        f'        publish: "{commands}"\n'
        f'        subscribe: "{answers}"\n'
        "      }\n"
        "    }\n"
        "  ]\n"
        "  imports: [\n"
        f'    {{service: {{account: COMANDA, subject: "{commands}"}}}}\n'
        f'    {{stream: {{account: ORDERING, subject: "{answers}"}}}}\n'
        "  ]\n"
        "}\n"
    )
