"""`comanda till`: the NATS account of a till that speaks no HTTP."""

import re
from pathlib import Path

from comanda_contracts.subjects import SLUG_PATTERN

from comanda_local.servers.nats import ACCOUNTS, password_variable
from comanda_local.teams import NotGranted, list_account

TILLS_FILE = "tills.conf"
DEVICE_PATTERN = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?")


def user_of(restaurant: str, device: str) -> str:
    """The till's user."""
    return f"till-{restaurant}-{device}"


def write_till(restaurant: str, device: str, folder: Path = ACCOUNTS.parent) -> Path:
    """Write the till's account, and see that NATS reads it. Repeated it changes nothing.

    Raises NotGranted for a name that no till can have, or that another one's user has: the till
    `b-c` of `a`, and `c` of `a-b`.
    """
    if not re.fullmatch(SLUG_PATTERN, restaurant) or not DEVICE_PATTERN.fullmatch(device):
        raise NotGranted(
            "a till is named by the slug of its restaurant and a name of lower-case letters, "
            "digits and inner hyphens"
        )
    file, text = folder / f"{user_of(restaurant, device)}.conf", account(restaurant, device)
    if file.exists() and file.read_text() != text:
        raise NotGranted(f"{user_of(restaurant, device)} is the user of another till")
    file.write_text(text)
    list_account(file, folder / TILLS_FILE)
    return file


def account(restaurant: str, device: str) -> str:
    """The till's account: it sends its restaurant's commands, and hears its own answers."""
    user = user_of(restaurant, device)
    commands, answers = f"commands.v1.{restaurant}.*", f"replies.v1.{restaurant}.{device}.>"
    return (
        f"# The till {device} of {restaurant}, as `comanda till` writes it.\n"
        f"{user.upper().replace('-', '_')} {{\n"
        "  users: [\n"
        "    {\n"
        f"      user: {user}\n"
        f"      password: ${password_variable(user)}\n"
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
