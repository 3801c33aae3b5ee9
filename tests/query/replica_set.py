"""A MongoDB of three members, whose elections a test can hold up."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from comanda_local.folders import temporary_folder
from comanda_local.ports import LOOPBACK
from comanda_local.servers import MongoDB
from comanda_local.servers.mongodb import REPLICA_SET
from pymongo import MongoClient, WriteConcern

START_TIMEOUT_S = 60
FROZEN_S = 600
"""For which a member that is told so does not stand for election."""

ON_ALL = WriteConcern(w=3)

Document = dict[str, Any]


class ReplicaSet:
    """Three members on loopback. An election takes about a second."""

    def __init__(self, folder: Path) -> None:
        self.members = [MongoDB(folder / str(n)) for n in range(3)]

    @property
    def url(self) -> str:
        hosts = ",".join(map(_host, self.members))
        return f"mongodb://{hosts}/comanda?replicaSet={REPLICA_SET}"

    def start(self) -> None:
        """Start the members, and wait until one is primary and the others follow it."""
        for member in self.members:
            (member.process.log.parent / "data").mkdir(parents=True, exist_ok=True)
            member.process.start()
        first = self.members[0]
        first.process.wait_until(lambda: all(map(_listens, self.members)), within=START_TIMEOUT_S)
        members = [{"_id": n, "host": _host(each)} for n, each in enumerate(self.members)]
        settings = {"electionTimeoutMillis": 1000}
        wanted = {"_id": REPLICA_SET, "members": members, "settings": settings}
        with _client(first) as client:
            client.admin.command("replSetInitiate", wanted)
        first.process.wait_until(
            lambda: sorted(map(_role, self.members)) == ["primary", "secondary", "secondary"],
            within=START_TIMEOUT_S,
        )

    def kill_primary(self) -> MongoDB:
        """Kill it; until `elect` no other member stands for election. Returns it."""
        [primary] = [each for each in self.members if _role(each) == "primary"]
        for each in self.members:
            if each is not primary:
                with _client(each) as client:
                    client.admin.command("replSetFreeze", FROZEN_S)
        primary.kill()
        return primary

    def elect(self) -> None:
        """Let the members that are left elect one of them."""
        for each in self.members:
            if each.process.alive:
                with _client(each) as client:
                    client.admin.command("replSetFreeze", 0)

    def stop(self) -> None:
        for member in self.members:
            member.kill()

    def until_all_have_all(self) -> None:
        """Wait until every member has what the primary has now."""
        with MongoClient[Document](self.url) as client:
            everywhere = client.get_database("comanda", write_concern=ON_ALL)
            everywhere["marks"].insert_one({})


@contextlib.contextmanager
def a_replica_set() -> Iterator[ReplicaSet]:
    with temporary_folder() as folder:
        members = ReplicaSet(folder)
        try:
            members.start()
            yield members
        finally:
            members.stop()


def _host(member: MongoDB) -> str:
    return f"{LOOPBACK}:{member.port}"


def _listens(member: MongoDB) -> bool:
    return member.process.listens_on(member.port)


def _client(member: MongoDB) -> MongoClient[Document]:
    return MongoClient(LOOPBACK, member.port, directConnection=True)


def _role(member: MongoDB) -> str:
    with _client(member) as client:
        hello = client.admin.command("hello")
    if hello["isWritablePrimary"]:
        return "primary"
    return "secondary" if hello.get("secondary") else "neither"
