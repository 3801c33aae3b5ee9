"""`comanda team`: the NATS account of a team that subscribes, and what it may read."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from comanda_contracts import subjects
from comanda_contracts.streams import MENU, ORDERS, RESTAURANTS, TICKETS, Stream

from comanda_local.servers.nats import ACCOUNTS, password_variable

TEAMS_FILE = "teams.conf"
JETSTREAM_API = "$JS.comanda.API"
"""JetStream's API in a team's account, where the usual name is that of the account itself."""

SUBJECTS_BY_STREAM = {
    ORDERS: subjects.order("*", "*", "*"),
    TICKETS: subjects.ticket("*", "*", "*", "*"),
    MENU: subjects.menu_item("*", "*", "*"),
    RESTAURANTS: subjects.restaurant("*", "*"),
}
"""The streams that teams subscribe to, and what all their subjects look like."""

NAME_PATTERN = re.compile(r"[a-z][a-z0-9-]{0,31}")
FILTER_PATTERN = re.compile(r"[a-z]+\.v\d+(?:\.(?:[A-Za-z0-9_-]+|\*))*(?:\.>)?")


class NotGranted(Exception):
    """The grant can't be given; the text says why."""


@dataclass(frozen=True, slots=True)
class Grant:
    """A filter of one published stream that a team may read, or anything narrower."""

    stream: Stream
    subject: str

    @classmethod
    def of(cls, subject: str) -> Self:
        """Raises NotGranted unless the filter is within one published stream."""
        for stream, every in SUBJECTS_BY_STREAM.items():
            if FILTER_PATTERN.fullmatch(subject) and subjects.is_within(subject, every):
                return cls(stream, subject)
        raise NotGranted(f"{subject!r} is within none of {', '.join(SUBJECTS_BY_STREAM.values())}")


def write_team(name: str, subjects: Sequence[str], folder: Path = ACCOUNTS.parent) -> Path:
    """Write the team's account, anew if there is one, and see that NATS reads it.

    Raises NotGranted.
    """
    if not NAME_PATTERN.fullmatch(name) or not subjects:
        raise NotGranted("a team has a name of lower-case letters, digits and hyphens, and a grant")
    file = folder / f"team-{name}.conf"
    file.write_text(account(name, [Grant.of(subject) for subject in subjects]))
    listed, line = folder / TEAMS_FILE, f"include '{file.name}'\n"
    if line not in listed.read_text().splitlines(keepends=True):
        with listed.open("a") as lines:
            lines.write(line)
    return file


def account(team: str, grants: Sequence[Grant]) -> str:
    """The team's account. It publishes nothing, and has one consumer, of its name, for each grant.

    The second of a stream is `<team>-2`: permissions know names, not how names begin.
    """
    consumers = list(_consumers(team, grants))
    whole = team.upper().replace("-", "_")
    read = "".join(f"#   {grant.subject}, by consumer {name}\n" for grant, name in consumers)
    imports = "".join(f"    {line}\n" for each in consumers for line in _imports(*each))
    return (
        f"# The team {team}, as `comanda team` writes it. It may read, of these or less:\n{read}"
        f"TEAM_{whole} {{\n"
        "  users: [\n"
        "    {\n"
        f"      user: {team}\n"
        f"      password: ${password_variable(team)}\n"
        "      permissions {\n"
        f'        publish: ["{JETSTREAM_API}.CONSUMER.>", "$JS.ACK.>"]\n'
        '        subscribe: "_INBOX.>"\n'
        "      }\n"
        "    }\n"
        "  ]\n"
        f"  imports: [\n{imports}  ]\n"
        "}\n"
    )


def _consumers(team: str, grants: Iterable[Grant]) -> Iterator[tuple[Grant, str]]:
    so_far: Counter[str] = Counter()
    for grant in grants:
        so_far[grant.stream.name] += 1
        number = so_far[grant.stream.name]
        yield grant, team if number == 1 else f"{team}-{number}"


def _imports(grant: Grant, consumer: str) -> Iterator[str]:
    place = f"{grant.stream.name}.{consumer}"
    # the filter is part of the subject, and the server refuses a request whose body has another
    for request in (f"CREATE.{place}.{grant.subject}", f"INFO.{place}", f"DELETE.{place}"):
        yield _api(f"CONSUMER.{request}")
    yield _api(f"CONSUMER.MSG.NEXT.{place}")
    yield f'{{service: {{account: COMANDA, subject: "$JS.ACK.{place}.>"}}}}'


def _api(request: str) -> str:
    imported = f'{{account: COMANDA, subject: "$JS.API.{request}"}}'
    return f'{{service: {imported}, to: "{JETSTREAM_API}.{request}"}}'
