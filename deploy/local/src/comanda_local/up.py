"""`comanda up`: everything on this machine, until it is told to stop."""

import contextlib
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console

from comanda_local import api
from comanda_local.access import Issuer, Role, curl_configuration, write_for_owner
from comanda_local.examples import examples
from comanda_local.interrupts import run
from comanda_local.menus import la_piazza, set_menu
from comanda_local.pages_host import PagesHost, paired_links
from comanda_local.ports import free_port
from comanda_local.stack import Ports, Stack
from comanda_local.supervisor import Part, Supervisor
from comanda_local.system_urls import SYSTEM_FILE, SystemUrls
from comanda_local.team_consumers import FROM_THE_BEGINNING

POLL_INTERVAL_S = 0.5
"""Seconds between two looks at whether everything runs."""

CURL_FILE = "curl"
"""In the folder of the data: what `curl -K` reads to be a manager of the sample restaurant."""
MANAGER = "manager"
MANAGERS_TOKEN_S = 12 * 3600.0


def up(folder: Path, ports: Ports, console: Console) -> None:
    """Start everything, stay up until interrupted, stop everything. Raises CannotStart."""
    stack = Stack(folder, ports)
    with (
        contextlib.suppress(KeyboardInterrupt),
        console.status("starting …") as status,
        stack,
        _registered(stack) as system,
        _pages(stack, ports, system) as pages,
    ):
        status.stop()
        _print_addresses(system, stack, console)
        _print_links(pages, stack, console)
        print(examples(system.addresses, folder / CURL_FILE), flush=True)
        try:
            _watch([*stack.parts, pages], console)
        finally:
            console.print("stopping …")
    for name in stack.killed:
        console.print(f"{name} did not end in time and was killed.")


@contextlib.contextmanager
def _registered(stack: Stack) -> Iterator[SystemUrls]:
    """Open the sample restaurant, and write down for the other commands where the system is.

    A token for whoever tries it with curl is written beside it.
    """
    system = SystemUrls.of(stack)
    run(_open_la_piazza(system))
    files = (system.save(stack.folder), stack.folder / CURL_FILE)
    write_for_owner(files[1], curl_configuration(_managers_token(stack.issuer)))
    try:
        yield system
    finally:
        for file in files:
            file.unlink(missing_ok=True)


@contextlib.contextmanager
def _pages(stack: Stack, ports: Ports, system: SystemUrls) -> Iterator[PagesHost]:
    host = PagesHost(ports.pages or free_port(), stack.folder / "pages", system.addresses)
    try:
        host.start()
        yield host
    finally:
        host.stop()


def _managers_token(issuer: Issuer) -> str:
    grants = {la_piazza().slug: [Role.MANAGER]}
    return issuer.token(grants, subject=MANAGER, lifetime_s=MANAGERS_TOKEN_S)


async def _open_la_piazza(system: SystemUrls) -> None:
    """Set the sample menu, unless the restaurant has one."""
    venue = la_piazza()
    async with api.connected(system.addresses, system.auth()) as services:
        if not await services.menu(venue.slug):
            await set_menu(services, venue)


def _print_addresses(system: SystemUrls, stack: Stack, console: Console) -> None:
    console.print("[bold green]Comanda is up.[/bold green] Ctrl-C stops it.\n")
    for name, url in system.services.items():
        console.print(f"  {name:<9} {url}/docs", highlight=False)
    console.print(f"  {'':<9} metrics are at /metrics of each service", highlight=False)
    console.print(f"  {'nats':<9} {system.nats_address}", highlight=False)
    secrets = f"its operator's URL, with the password, is in {stack.folder / SYSTEM_FILE}"
    console.print(f"  {'':<9} {secrets}", highlight=False, soft_wrap=True)
    console.print(f"  {'data':<9} {stack.folder}\n", highlight=False)
    for consumer in stack.team_consumers:
        if consumer.endswith(FROM_THE_BEGINNING):
            console.print(f"  consumer {consumer}: its team may read more\n", highlight=False)


def _print_links(pages: PagesHost, stack: Stack, console: Console) -> None:
    """A link for each page: whoever opens it has that page's rights, so they are for here."""
    console.print("Open in a browser; each link is paired, for 30 days:\n", highlight=False)
    for page, link in paired_links(pages, la_piazza().slug, stack.issuer).items():
        console.print(f"  {page:<9} {link}", markup=False, highlight=False, soft_wrap=True)
    console.print()


def _watch(parts: Sequence[Part], console: Console) -> None:
    """Keep everything running until interrupted: what ends by itself is started again."""

    def say(line: str) -> None:
        console.print(line, style="bold red", markup=False, highlight=False, soft_wrap=True)

    def say_log(text: str) -> None:
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    supervisor = Supervisor(parts, say, say_log)
    while True:
        supervisor.look(time.monotonic())
        time.sleep(POLL_INTERVAL_S)
