"""A NATS cluster of three, as in production: streams with three copies, one of them the leader."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from comanda_local.ports import LOOPBACK, free_port
from comanda_local.processes import Child

SIZE = 3


class Node:
    """One server of the cluster; a restart keeps its port and its data."""

    def __init__(self, number: int, folder: Path, route: int, routes: Sequence[int]) -> None:
        self.name = f"node-{number}"
        self._port = free_port()
        self._config = folder / "nats.conf"
        peers = ", ".join(json.dumps(f"nats://{LOOPBACK}:{each}") for each in routes)
        folder.mkdir(parents=True)
        self._config.write_text(
            f'server_name: {self.name}\nlisten: "{LOOPBACK}:{self._port}"\n'
            f"jetstream {{ store_dir: {json.dumps(str(folder / 'data'))} }}\n"
            f'cluster {{ name: test, listen: "{LOOPBACK}:{route}", routes: [{peers}] }}\n'
        )
        program = Path(sys.executable).with_name("nats-server")
        self.process = Child(self.name, [str(program), "-c", str(self._config)], folder)

    @property
    def url(self) -> str:
        return f"nats://{LOOPBACK}:{self._port}"


def new_cluster(folder: Path) -> list[Node]:
    """Start the nodes; it takes them a moment to find each other and agree on a leader."""
    routes = [free_port() for _ in range(SIZE)]
    nodes = [
        Node(number, folder / str(number), route, routes) for number, route in enumerate(routes)
    ]
    for node in nodes:
        node.process.start()
    return nodes
