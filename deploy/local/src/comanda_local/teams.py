"""`comanda team`: the NATS account of a team that subscribes, and what it may read."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Self

from comanda_contracts import subjects
from comanda_contracts.streams import (
    ACCESS,
    MENU,
    ORDERS,
    ORDERS_ARCHIVE,
    RESTAURANTS,
    TICKETS,
    TICKETS_ARCHIVE,
    Stream,
)

from comanda_local.folders import replace_file
from comanda_local.nats_logins import Login, list_account, remove_account
from comanda_local.servers.nats import ACCOUNTS

TEAMS_FILE = "teams.conf"
JETSTREAM_API = "$JS.comanda.API"
"""JetStream's API in a team's account, where the usual name is that of the account itself."""

SUBJECTS_BY_STREAM = {
    ORDERS: subjects.order("*", "*", "*"),
    TICKETS: subjects.ticket("*", "*", "*", "*"),
    MENU: subjects.menu_item("*", "*", "*"),
    RESTAURANTS: subjects.restaurant("*", "*"),
    ACCESS: subjects.access("*", "*", "*"),
    ORDERS_ARCHIVE: subjects.archived_order("*", "*"),
    TICKETS_ARCHIVE: subjects.archived_ticket("*", "*"),
}
"""The streams that teams subscribe to, and what all their subjects look like."""

NAME_PATTERN = re.compile(r"[a-z][a-z0-9-]{0,31}")
FILTER_PATTERN = re.compile(r"(?:archive\.)?[a-z]+\.v\d+(?:\.(?:[A-Za-z0-9_-]+|\*))*(?:\.>)?")
RESERVED_PATTERN = re.compile(r"(?:operator|system|tills?|ordering|serving|query)(?:-.*)?")
"""Names of users that are no team, and of their consumers: `query-rebuild` is one of query's."""
GRANT_LINE = re.compile(r"#   (\S+)")


class NotGranted(Exception):
    """The grant can't be given; the text says why."""


@dataclass(frozen=True, slots=True)
class Grant:
    """A filter of one published stream that a team may read."""

    stream: Stream
    subject: str

    @classmethod
    def of(cls, subject: str) -> Self:
        """Raises NotGranted unless the filter is within one published stream."""
        for stream, every in SUBJECTS_BY_STREAM.items():
            if FILTER_PATTERN.fullmatch(subject) and subjects.is_within(subject, every):
                return cls(stream, subject)
        raise NotGranted(f"{subject!r} is within none of {', '.join(SUBJECTS_BY_STREAM.values())}")


@dataclass(frozen=True, slots=True)
class Team:
    """A team and what it may read: by one consumer of its name on each stream."""

    name: str
    grants: Sequence[Grant]

    @classmethod
    def of(cls, name: str, filters: Sequence[str]) -> Self:
        """Raises NotGranted for a name or grants that no team can have."""
        check_name(name)
        if not filters:
            raise NotGranted(f"say what {name} may read")
        for one, other in combinations(filters, 2):
            if _overlap(one, other):
                raise NotGranted(f"{one} and {other} overlap: a consumer takes neither twice")
        return cls(name, [Grant.of(subject) for subject in filters])

    @property
    def filters_by_stream(self) -> dict[Stream, list[str]]:
        """What its consumer on each stream is to read."""
        streams = dict.fromkeys(grant.stream for grant in self.grants)
        return {
            stream: [grant.subject for grant in self.grants if grant.stream is stream]
            for stream in streams
        }


def write_team(
    name: str,
    filters: Sequence[str],
    folder: Path = ACCOUNTS.parent,
    *,
    login: Login | None = None,
) -> Team:
    """Write the team's account, anew if there is one, and see that NATS reads it.

    Without a login a team that is there keeps its own, and a new one has a password. Raises
    NotGranted.
    """
    team = Team.of(name, filters)
    file = file_of(name, folder)
    login = login or Login.found_in(file) or Login.by_password(name)
    replace_file(file, account(team, login).encode())
    list_account(file, folder / TEAMS_FILE)
    return team


def remove_team(name: str, folder: Path = ACCOUNTS.parent) -> bool:
    """Let the team in no more. Returns whether it was there.

    Raises NotGranted for a name that no team can have.
    """
    check_name(name)
    file = file_of(name, folder)
    was_there = file.exists()
    remove_account(file, folder / TEAMS_FILE)
    return was_there


def written_teams(folder: Path = ACCOUNTS.parent) -> list[Team]:
    """The teams that were let in, as their accounts say; one that grants nothing is none."""
    names = [file.stem.removeprefix("team-") for file in sorted(folder.glob("team-*.conf"))]
    return [Team.of(name, filters) for name in names if (filters := granted(name, folder))]


def granted(name: str, folder: Path = ACCOUNTS.parent) -> list[str]:
    """What a team that is let in may read; nothing if there is none."""
    file = file_of(name, folder)
    lines = map(GRANT_LINE.match, file.read_text().splitlines() if file.exists() else [])
    return [line.group(1) for line in lines if line]


def check_name(name: str) -> None:
    """Raises NotGranted for a name that no team can have."""
    if not NAME_PATTERN.fullmatch(name):
        raise NotGranted("a team has a name of lower-case letters, digits and hyphens")
    if RESERVED_PATTERN.fullmatch(name):
        raise NotGranted(f"{name} is the name of a user of Comanda, or of its consumer")


def file_of(name: str, folder: Path = ACCOUNTS.parent) -> Path:
    """The file of a team's account."""
    return folder / f"team-{name}.conf"


def account(team: Team, login: Login) -> str:
    """The team's account. It publishes and makes nothing; the operator makes its consumers."""
    read = "".join(f"#   {grant.subject}\n" for grant in team.grants)
    imports = "".join(
        f"    {line}\n"
        for stream in team.filters_by_stream
        for line in _imports(f"{stream.name}.{team.name}")
    )
    return (
        f"# The team {team.name}, as `comanda team` writes it. It may read, by consumers of its "
        f"name:\n{read}"
        f"TEAM_{team.name.upper().replace('-', '_')} {{\n"
        "  users: [\n"
        "    {\n"
        f"{login}"
        "      permissions {\n"
        f'        publish: ["{JETSTREAM_API}.CONSUMER.>", "$JS.ACK.>"]\n'
        '        subscribe: "_INBOX.>"\n'
        "      }\n"
        "    }\n"
        "  ]\n"
        f"  imports: [\n{imports}  ]\n"
        "}\n"
    )


def _imports(consumer: str) -> Iterator[str]:
    """What the consumer is asked, and both forms in which its messages are acknowledged."""
    for request in (f"CONSUMER.INFO.{consumer}", f"CONSUMER.MSG.NEXT.{consumer}"):
        imported = f'{{account: COMANDA, subject: "$JS.API.{request}"}}'
        yield f'{{service: {imported}, to: "{JETSTREAM_API}.{request}"}}'
    for place in (consumer, f"_.*.{consumer}"):
        yield f'{{service: {{account: COMANDA, subject: "$JS.ACK.{place}.>"}}}}'


def covers(wide: str, narrow: str) -> bool:
    """Whether every subject that fits the narrow filter fits the wide one."""
    wides, narrows = wide.split("."), narrow.split(".")
    for a, b in zip(wides, narrows, strict=False):
        if a == ">":
            return True
        if b == ">" or a not in ("*", b):
            return False
    return len(wides) == len(narrows)


def _overlap(one: str, other: str) -> bool:
    """Whether a subject can fit both filters."""
    ones, others = one.split("."), other.split(".")
    for a, b in zip(ones, others, strict=False):
        if ">" in (a, b):
            return True
        if "*" not in (a, b) and a != b:
            return False
    return len(ones) == len(others)
