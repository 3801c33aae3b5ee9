"""The command line: `comanda up`, `demo`, `audit`, `token` and more, and what operates services."""

import os
import re
import secrets as secrets_of_python
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from comanda_contracts.subjects import SLUG_PATTERN
from rich.console import Console

from comanda_local import access
from comanda_local.access import GuestKeys, Issuer
from comanda_local.account_changes import changing
from comanda_local.audit import CONVERGENCE_TIMEOUT_S
from comanda_local.audit.command import print_audit
from comanda_local.cluster_secrets import Size, new_secrets, write_secrets
from comanda_local.compose_environment import complete_environment
from comanda_local.demo import demo as hold_demo
from comanda_local.events.commands import app as events
from comanda_local.interrupts import run
from comanda_local.nats_keys import new_seed, save_seed
from comanda_local.nats_logins import Login
from comanda_local.nats_reload import NotReloaded, lacks_variable, reload_nats
from comanda_local.operators_commands import HELP_OPTION, SUMMARIES, run_command, show_help
from comanda_local.options import (
    DEFAULT_DATA,
    Data,
    DatabaseUrl,
    MongoUrl,
    NatsUrl,
    OrderingUrl,
    QueryUrl,
    ServingUrl,
)
from comanda_local.plain_words import in_plain_words
from comanda_local.pos_export.file_format import Numbers, parse_format
from comanda_local.pos_export.money import DEFAULT_ZONE, check_zone
from comanda_local.replay import Replay, Source, place, read
from comanda_local.servers.nats import ACCOUNTS, password_variable
from comanda_local.stack import NATS_URL, Ports
from comanda_local.status.screen import as_json, print_status
from comanda_local.status.survey import survey
from comanda_local.status.system_status import troubles
from comanda_local.system_urls import (
    DEFAULT_NATS_PORT,
    DEFAULT_PAGES_PORT,
    DEFAULT_PORTS,
    SystemUrls,
    find_nats,
)
from comanda_local.team_consumers import delete_consumers, make_consumers, restart_consumers
from comanda_local.teams import (
    TEAMS_FILE,
    NotGranted,
    Team,
    check_name,
    granted,
    remove_team,
    write_team,
    written_teams,
)
from comanda_local.teams import file_of as team_file
from comanda_local.tills import DEVICE_PATTERN, TILLS_FILE, remove_till, user_of, write_till
from comanda_local.tills import file_of as till_file
from comanda_local.up import up as stay_up

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Comanda on one machine: the services on real, embedded servers.",
)
app.add_typer(events, name="events")
console = Console()

HOUR_S = 3600.0
DEVICES_TOKEN_S = 30 * 24 * HOUR_S
PUBLIC = 0o644
"""Mode of a file that a container's user may read."""
ACCESS = "COMANDA_ACCESS"
Key = Annotated[
    Path | None,
    typer.Option("--access", envvar=ACCESS, help="Folder of the key; <data>/access by default."),
]
Restaurant = Annotated[str | None, typer.Argument(help="Its slug; * stands for every one.")]
TOKEN_FILE = "COMANDA_TOKEN_FILE"  # noqa: S105 - a variable's name

SKIP_HELP = "Place the orders though some rows have to be left out."
ONLY_READ_HELP = "Show how the files are read; place nothing."
Prices = Annotated[
    Path | None,
    typer.Option(exists=True, dir_okay=False, help="The price list, if the orders have no prices."),
]
Columns = Annotated[
    str, typer.Option(help="What columns are called: order=Bon no,item=Dish; date= is none.")
]
DateFormat = Annotated[
    str | None, typer.Option(help="day-first, month-first, year-first, or as %d/%m/%Y %H:%M.")
]
Decimal = Annotated[
    list[str], typer.Option(help="Mark of decimals, . or ,; twice: for orders, then prices.")
]
Encoding = Annotated[
    list[str], typer.Option(help="Such as cp1252; twice: for orders, then prices.")
]
Delimiter = Annotated[
    list[str], typer.Option(help="Character or its name (tab); twice: for orders, then prices.")
]
Currency = Annotated[str | None, typer.Option(help="ISO 4217 code, such as EUR.")]
Zone = Annotated[str, typer.Option(help="IANA time zone of the restaurant.")]
OrderNumbers = Annotated[
    Numbers | None, typer.Option(help="Whether numbers are used anew, on another day.")
]


@app.command()
def up(
    data: Data = DEFAULT_DATA,
    ordering_port: Annotated[int, typer.Option(envvar="COMANDA_ORDERING_PORT")] = DEFAULT_PORTS[
        "ordering"
    ],
    serving_port: Annotated[int, typer.Option(envvar="COMANDA_SERVING_PORT")] = DEFAULT_PORTS[
        "serving"
    ],
    query_port: Annotated[int, typer.Option(envvar="COMANDA_QUERY_PORT")] = DEFAULT_PORTS["query"],
    nats_port: Annotated[int, typer.Option(envvar="COMANDA_NATS_PORT")] = DEFAULT_NATS_PORT,
    pages_port: Annotated[int, typer.Option(envvar="COMANDA_PAGES_PORT")] = DEFAULT_PAGES_PORT,
) -> None:
    """Start everything and stay up until Ctrl-C; what ends by itself is started again."""
    ports = Ports(ordering_port, serving_port, query_port, nats_port, pages_port)
    with in_plain_words():
        stay_up(data, ports, console)


@app.command()
def demo(
    orders: Annotated[int, typer.Option(min=1, max=100_000)] = 300,
    guests: Annotated[int, typer.Option(min=1, max=500, help="Guests at once.")] = 24,
    seed: Annotated[int, typer.Option(help="Another one makes another evening.")] = 1,
) -> None:
    """An evening at the restaurant, on a system of its own that is gone afterwards."""
    with in_plain_words():
        _exit(hold_demo(orders, at_once=guests, seed=seed, console=console))


@app.command()
def audit(
    *,
    restaurant: Annotated[str | None, typer.Option(help="Only this one.")] = None,
    patience: Annotated[
        float, typer.Option(min=0, help="Seconds that what is on its way is given to arrive.")
    ] = CONVERGENCE_TIMEOUT_S,
    repair: Annotated[
        bool,
        typer.Option("--repair", help="Before, repair the views: `comanda query audit --repair`."),
    ] = False,
    data: Data = DEFAULT_DATA,
    ordering: OrderingUrl = None,
    serving: ServingUrl = None,
    query: QueryUrl = None,
    nats_url: NatsUrl = None,
    database: DatabaseUrl = None,
    mongodb: MongoUrl = None,
) -> None:
    """Compare what is written with what is shown, order by order, from end to end.

    It compares the tables of ordering and the tickets of serving with each other and with what
    query answers over HTTP. `comanda query audit` compares the streams with the store of the views,
    and knows what to repair.
    """
    with in_plain_words():
        system = _find(data, ordering, serving, query, nats_url, database, mongodb)
        if repair and run_command("query", system, ["audit", "--repair"]) != 0:
            _exit(went_well=False)
        _exit(run(print_audit(system, restaurant, patience, console)))


@app.command()
def status(
    *,
    in_json: Annotated[bool, typer.Option("--json", help="All of it as a JSON object.")] = False,
    data: Data = DEFAULT_DATA,
    ordering: OrderingUrl = None,
    serving: ServingUrl = None,
    query: QueryUrl = None,
    nats_url: NatsUrl = None,
    database: DatabaseUrl = None,
    mongodb: MongoUrl = None,
) -> None:
    """Show the whole system on one screen. Ends with 1 if anything is wrong, and says what.

    Services are asked for their health, NATS for streams, consumers and dead letters, PostgreSQL
    for the outbox. A server that nobody says the URL of is not asked.
    """
    with in_plain_words():
        urls = (ordering, serving, query, nats_url, database, mongodb)
        found = run(survey(_find(data, *urls, with_database=False)))
        if in_json:
            print(as_json(found))
        else:
            print_status(found, console)
        _exit(not troubles(found))


def _pass_on_to(service: str, summary: str) -> None:
    """Have `comanda <service> …` run the operators' commands of the service."""

    @app.command(
        name=service,
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
        add_help_option=False,
        help=summary,
    )
    def operate(
        context: typer.Context,
        *,
        data: Data = DEFAULT_DATA,
        nats_url: NatsUrl = None,
        database: DatabaseUrl = None,
        mongodb: MongoUrl = None,
    ) -> None:
        with in_plain_words():
            if HELP_OPTION in context.args:
                raise typer.Exit(show_help(service, context.args))
            system = _find(data, None, None, None, nats_url, database, mongodb)
            raise typer.Exit(run_command(service, system, context.args))


for _service, _summary in SUMMARIES.items():
    _pass_on_to(_service, _summary)


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    add_help_option=False,
    help="Forget a guest everywhere: RESTAURANT --phone, --customer or --order (or --help).",
)
def forget(
    context: typer.Context,
    *,
    data: Data = DEFAULT_DATA,
    nats_url: NatsUrl = None,
    database: DatabaseUrl = None,
) -> None:
    with in_plain_words():
        if HELP_OPTION in context.args:
            raise typer.Exit(show_help("ordering", ["forget", HELP_OPTION]))
        system = _find(data, None, None, None, nats_url, database, None)
        raise typer.Exit(run_command("ordering", system, ["forget", *context.args]))


@app.command()
def replay(
    *,
    orders: Annotated[Path, typer.Argument(exists=True, dir_okay=False)],
    prices: Prices = None,
    columns: Columns = "",
    date_format: DateFormat = None,
    decimal: Decimal = [],  # noqa: B006 - typer's own
    encoding: Encoding = [],  # noqa: B006 - typer's own
    delimiter: Delimiter = [],  # noqa: B006 - typer's own
    currency: Currency = None,
    zone: Zone = DEFAULT_ZONE,
    numbers: OrderNumbers = None,
    skip_bad_rows: Annotated[bool, typer.Option("--skip-bad-rows", help=SKIP_HELP)] = False,
    only_read: Annotated[bool, typer.Option("--only-read", help=ONLY_READ_HELP)] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first orders.")] = None,
    rate: Annotated[float | None, typer.Option(min=0.01, help="Orders a second at most.")] = None,
    guests: Annotated[int, typer.Option(min=1, max=500, help="Guests at once.")] = 32,
    restaurant: str = "takeaway-replay",
    data: Data = DEFAULT_DATA,
    ordering: OrderingUrl = None,
    serving: ServingUrl = None,
    query: QueryUrl = None,
    nats_url: NatsUrl = None,
    database: DatabaseUrl = None,
) -> None:
    """Place the orders of a point-of-sale export once more, through the running system.

    How the files are written is guessed and shown. Where two readings are possible, an option has
    to say which.
    """
    with in_plain_words():
        parsed = (columns, date_format, decimal, encoding, delimiter, currency, numbers)
        source = Source(orders, prices, parse_format(*parsed), skip_bad_rows)
        check_zone(zone)
        export = read(source, console)
        if export is None or only_read:
            raise typer.Exit(0 if export else 1)
        system = _find(data, ordering, serving, query, nats_url, database)
        _exit(place(export, Replay(restaurant, zone, limit, rate, guests), system, console))


@app.command()
def token(
    restaurant: Restaurant = None,
    role: Annotated[access.Role | None, typer.Argument(help="What it may do there.")] = None,
    *,
    subject: Annotated[
        str | None, typer.Option(help="Who has it, as events name him; the role by default.")
    ] = None,
    hours: Annotated[float, typer.Option(min=0.01, max=24 * 366)] = 12,
    curl: Annotated[
        bool, typer.Option("--curl", help="Print it as a configuration of curl's, for curl -K.")
    ] = False,
    init: Annotated[
        Path | None, typer.Option(help="Make a key in this folder instead, unless it has one.")
    ] = None,
    data: Data = DEFAULT_DATA,
    key: Key = None,
) -> None:
    """Print an access token for somebody, signed with the system's own key.

    Of the key that --init makes services are given the public half, jwks.json. In the folder
    `guests` beside it is the key of guests' capabilities: ordering is given that, query its
    jwks.json.
    """
    with in_plain_words():
        if init:
            print(Issuer.in_folder(init, jwks_mode=PUBLIC).jwks)
            print(GuestKeys(init / access.GUESTS_FOLDER, jwks_mode=PUBLIC).jwks)
            return
        if not restaurant or not role:
            raise NotGranted("say in which restaurant, and in which role")
        grants = {_slug(restaurant): [role]}
        signed = _issuer(data, key).token(
            grants, subject=subject or role, lifetime_s=hours * HOUR_S
        )
        print(access.curl_configuration(signed) if curl else signed, end="" if curl else "\n")


@app.command()
def pair(
    restaurant: Restaurant,
    role: Annotated[access.Role, typer.Argument(help="What the device is for.")],
    *,
    name: Annotated[str | None, typer.Option(help="The device's, in its restaurant.")] = None,
    data: Data = DEFAULT_DATA,
    key: Key = None,
) -> None:
    """Print the access token of a device, which is good for 30 days.

    Its subject, by which it is withdrawn, is named beside it.
    """
    with in_plain_words():
        if not restaurant:
            raise NotGranted("say in which restaurant")
        device = name or f"{role}-{secrets_of_python.token_hex(3)}"
        if not DEVICE_PATTERN.fullmatch(device):
            raise NotGranted(
                "a device is named by lower-case letters, digits and inner hyphens, 32 at most"
            )
        subject = f"{device}@{_slug(restaurant)}"
        signed = _issuer(data, key).token(
            {restaurant: [role]}, subject=subject, lifetime_s=DEVICES_TOKEN_S, device=device
        )
        typer.echo(f"{subject}, for 30 days:", err=True)
        print(signed)


Renew = Annotated[
    bool, typer.Option("--renew", help="A new key: the key or password before is refused.")
]
Remove = Annotated[bool, typer.Option("--remove", help="Let it in no more.")]
ByPassword = Annotated[
    bool, typer.Option("--password", help="By a password, for a client that knows no keys.")
]


@app.command()
def till(
    restaurant: Annotated[str, typer.Argument(help="The restaurant's slug.")],
    device: Annotated[str, typer.Argument(help="The till's name in its restaurant.")],
    *,
    renew: Renew = False,
    remove: Remove = False,
    by_password: ByPassword = False,
    data: Data = DEFAULT_DATA,
) -> None:
    """Let a till send commands over NATS: write its account, and have a running NATS take it.

    Its key is in <data>/nats/keys. Repeated it changes nothing.
    """
    with in_plain_words():
        folder, user = ACCOUNTS.parent, user_of(restaurant, device)
        file, key = till_file(restaurant, device, folder), _key_file(data, user)
        if remove:
            _remove(user, lambda: remove_till(restaurant, device, folder), data)
            return
        with changing(folder, key, file, folder / TILLS_FILE):
            login, how = _login(user, file, data, renew=renew, by_password=by_password)
            write_till(restaurant, device, folder, login=login)
            has_taken_it = reload_nats(data)
        print(how)
        _say_whether_taken(has_taken_it)


@app.command()
def team(
    name: Annotated[
        str | None, typer.Argument(help="Without one: all teams that are let in.")
    ] = None,
    subjects: Annotated[
        list[str] | None, typer.Argument(help="What it may read: orders.v1.*.*.placed")
    ] = None,
    *,
    renew: Renew = False,
    remove: Remove = False,
    by_password: ByPassword = False,
    start_over: Annotated[
        bool, typer.Option("--start-over", help="Its consumers begin at the beginning.")
    ] = False,
    data: Data = DEFAULT_DATA,
    nats_url: Annotated[
        str | None, typer.Option("--nats", envvar=NATS_URL, help="The operator's URL.")
    ] = None,
) -> None:
    """Let a team subscribe: write its NATS account, and make its consumers.

    Its key is in <data>/nats/keys. Repeated it changes nothing; with other subjects it changes what
    the team may read, and a consumer that is to read more begins at the beginning. Where NATS is
    not known to run, only the account is written: without a name all teams' consumers are made.
    """
    with in_plain_words():
        url, files = find_nats(data, nats_url)
        folder = ACCOUNTS.parent
        if start_over:
            restarted = restart_consumers(*_started_over(name, subjects, url, folder), files)
            print("from the beginning: " + ", ".join(run(restarted)))
            return
        if name and remove:
            _remove(name, lambda: remove_team(name, folder), data)
            if url:
                run(delete_consumers(url, name, files))
            return
        if name:
            check_name(name)
            file, key = team_file(name, folder), _key_file(data, name)
            with changing(folder, key, file, folder / TEAMS_FILE):
                login, how = _login(name, file, data, renew=renew, by_password=by_password)
                teams = [write_team(name, subjects or granted(name, folder), folder, login=login)]
                has_taken_it = reload_nats(data)
            print(how)
            _say_whether_taken(has_taken_it)
        else:
            teams = written_teams(folder)
        if url:
            print("consumers " + ", ".join(run(make_consumers(url, teams, files))))
        else:
            print("No consumers yet: `comanda up` makes them, or this command with --nats.")


def _started_over(
    name: str | None, subjects: list[str] | None, url: str | None, folder: Path
) -> tuple[str, Team]:
    """Where, and whose consumers. Raises NotGranted if that is not said, or more is."""
    if not name or subjects:
        raise NotGranted("say which team starts over, and nothing else")
    if not url:
        raise NotGranted(f"no NATS is known to run: give the operator's URL, {NATS_URL}")
    return url, Team.of(name, granted(name, folder))


def _remove(user: str, remove: Callable[[], bool], data: Path) -> None:
    """Remove the account, and have NATS throw the user out, though it was removed before.

    If NATS refuses, the account is gone all the same: it is not to come back with a restart.
    """
    with changing(ACCOUNTS.parent):
        was_there = remove()
        try:
            has_taken_it = reload_nats(data)
        except NotReloaded as error:
            raise NotReloaded(
                f"{error}\nIt lets {user} in until it takes its files: mend them, and repeat this."
            ) from error
        _key_file(data, user).unlink(missing_ok=True)
    print(f"{user} is let in no more" + ("." if was_there else "; there was no account of it."))
    _say_whether_taken(has_taken_it)


def _login(
    user: str, account: Path, data: Path, *, renew: bool, by_password: bool
) -> tuple[Login, str]:
    """How the account's user is to be let in, and what to say of it. A new key is saved first."""
    found = Login.found_in(account)
    if by_password:
        variable = password_variable(user)
        if lacks_variable(data, variable):
            raise NotGranted(
                f"the NATS that runs has no {variable}, and can be given none: stop it, repeat "
                "this, and start it again"
            )
        return Login.by_password(user), f"{account}; its password is {variable} of NATS."
    if found and not renew:
        return found, f"{account}; it is let in as before."
    seed, file = new_seed(), _key_file(data, user)
    save_seed(seed, file)
    return Login.by_key(seed), f"{account}; its key is {file}."


def _key_file(data: Path, user: str) -> Path:
    return data / "nats" / "keys" / f"{user}.nk"


def _say_whether_taken(has_taken_it: bool) -> None:
    if has_taken_it:
        print("NATS has taken it.")
    else:
        print("No NATS runs here: a cluster's takes the files as deploy/nats/README.md says.")


@app.command()
def secrets(
    size: Annotated[Size, typer.Argument(help="The size of the cluster.")],
    file: Annotated[Path, typer.Argument(help="A new file, which its owner alone can read.")],
) -> None:
    """Make the passwords and keys of a cluster on Kubernetes, as Secrets for `kubectl create -f`.

    Each is made once, and is in each Secret that needs it. A file that is there is left as it is.
    """
    with in_plain_words():
        made = new_secrets(size)
        write_secrets(made, file)
        print(f"{file}: {', '.join(made)}")


@app.command()
def env(
    file: Annotated[Path, typer.Argument(help="Beside .env.example.")] = Path(".env"),
) -> None:
    """Make the passwords and keys that Docker Compose is given, in a file of yours alone.

    What is missing is made, what is there stays: repeat it after an upgrade.
    """
    with in_plain_words():
        made = complete_environment(file)
        print(f"{file}: {len(made)} made" if made else f"{file}: nothing was missing")


def _find(data: Path, *urls: str | None, with_database: bool = True) -> SystemUrls:
    names = ("ordering", "serving", "query", "nats", "database", "mongodb")
    given = {"access": os.environ.get(ACCESS), "token_file": os.environ.get(TOKEN_FILE)}
    urls_by_name = given | dict(zip(names, urls, strict=False))
    return SystemUrls.find(data, urls_by_name, with_database=with_database)


def _slug(restaurant: str) -> str:
    if restaurant != access.EVERYWHERE and not re.fullmatch(SLUG_PATTERN, restaurant):
        raise NotGranted(f"{restaurant!r} is no restaurant's slug, nor {access.EVERYWHERE} for all")
    return restaurant


def _issuer(data: Path, key: Path | None) -> Issuer:
    return Issuer.found_in(key or data / access.FOLDER)


def _exit(went_well: bool) -> None:
    raise typer.Exit(0 if went_well else 1)
