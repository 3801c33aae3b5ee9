"""The real servers, embedded: each a process of ours, on loopback, its data in a given folder."""

from comanda_local.servers.mongodb import MongoDB
from comanda_local.servers.nats import Nats
from comanda_local.servers.postgres import Postgres

__all__ = ["MongoDB", "Nats", "Postgres"]
