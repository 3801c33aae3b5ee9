"""The entry point: without a command everything runs, with one a part of it, or an operation."""

import typer
from service_kit.http import server as http
from service_kit.nats.letter_commands import dead_letters_app
from service_kit.nats.set_up import run_set_up
from service_kit.runtime import telemetry
from service_kit.runtime.settings import ServiceSettings, load

from query.bootstrap import Role, bootstrap, replaying_broker, set_up_durables
from query.cli.audit import audit
from query.cli.generations import generations_app, rebuild, rollback
from query.projection.projector import SERVICE
from query.settings import Settings

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    help="The read side of Comanda. Without a command it answers and projects until SIGTERM.",
)


@app.callback(invoke_without_command=True)
def everything(context: typer.Context) -> None:
    """Answer questions and project events, in one process."""
    if context.invoked_subcommand is None:
        _serve(Role.EVERYTHING)


@app.command()
def api() -> None:
    """Answer questions only, from what projectors have stored."""
    _serve(Role.API)


@app.command()
def projector() -> None:
    """Project events only; the HTTP port has the probes and the metrics."""
    _serve(Role.PROJECTOR)


@app.command(name="set-up")
def set_up() -> None:
    """Make the durable consumers of the streams that are projected; to be done at each release.

    The streams are made by their owners, which are waited for. Safe to repeat.
    """
    run_set_up(set_up_durables(load(ServiceSettings)))


app.command()(rebuild)
app.command()(rollback)
app.command()(audit)
app.add_typer(generations_app, name="generations")
app.add_typer(dead_letters_app(SERVICE, replaying_broker, done="projected"), name="dead-letters")


def _serve(role: Role) -> None:
    settings = load(Settings)
    telemetry.start("query", settings)
    http.serve(bootstrap(settings, role), settings)
