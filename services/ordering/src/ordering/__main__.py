"""`python -m ordering` serves; `migrate` brings the schema up to date, `set-up` makes streams.

`dead-letters` lists, shows, replays and discards the messages that were set aside; `parked` lists,
shows and releases the events that can't be published; `republish` has the present state published
again after the streams lost it; `forget` forgets guests.
"""

import sys
from typing import TYPE_CHECKING

from service_kit.runtime import telemetry
from service_kit.runtime.imports import uncollected
from service_kit.runtime.settings import ServiceSettings, load

from ordering.settings import DatabaseSettings, Settings

if TYPE_CHECKING:
    from service_kit.runtime.nats_servers import NatsServers
    from sqlalchemy.ext.asyncio import AsyncEngine


def main(arguments: list[str]) -> None:
    """Do what the arguments say; end with 1 and a reason if they say nothing known.

    Each command imports its own parts: none starts later for what only another needs.
    """
    match arguments:
        case []:
            _serve()
        case ["migrate"]:
            _migrate()
        case ["set-up"] | ["set-up", "--apply-retention"]:
            with uncollected():
                from service_kit.nats.set_up import run_set_up

                from ordering.bootstrap import set_up_messaging

            apply_retention = len(arguments) > 1
            run_set_up(set_up_messaging(load(ServiceSettings), apply_retention=apply_retention))
        case ["dead-letters", *rest]:
            from service_kit.nats.letter_commands import dead_letters_app

            from ordering.bootstrap import SERVICE, replaying_broker

            dead_letters = dead_letters_app(
                SERVICE, replaying_broker, done="carried out", of_commands=True
            )
            dead_letters(rest, prog_name="python -m ordering dead-letters")
        case ["parked", *rest]:
            from ordering.outbound.outbox.parked_commands import parked_app

            parked_app(_engine)(rest, prog_name="python -m ordering parked")
        case ["republish", *rest]:
            from service_kit.runtime.clock import utc_now
            from uuid_utils.compat import uuid7

            from ordering.outbound.republish.commands import republish_app

            republish = republish_app(_engine, new_id=uuid7, clock=utc_now)
            republish(rest, prog_name="python -m ordering republish")
        case ["forget", *rest]:
            from service_kit.runtime.clock import utc_now
            from uuid_utils.compat import uuid7

            from ordering.outbound.forgetting.commands import forget_app

            forget = forget_app(_engine, _servers, new_id=uuid7, clock=utc_now)
            forget(rest, prog_name="python -m ordering forget")
        case _:
            sys.exit(
                "usage: python -m ordering "
                "[migrate | set-up | dead-letters | parked | republish | forget]"
            )


def _serve() -> None:
    with uncollected():
        from service_kit.http.server import serve

        from ordering.bootstrap import bootstrap

    settings = load(Settings)
    telemetry.start("ordering", settings)
    serve(bootstrap(settings), settings)


def _engine() -> "AsyncEngine":
    from ordering.outbound.database.engine import connect

    settings = load(DatabaseSettings)
    return connect(settings.database_url.get_secret_value(), settings.database_tls)


def _servers() -> "NatsServers":
    return load(ServiceSettings).nats_servers


def _migrate() -> None:
    from service_kit.runtime import logs

    from ordering.outbound.database.migration import CannotMigrate, migrate

    settings = load(DatabaseSettings)
    logs.configure("ordering", settings.log_level, settings.log_form)
    try:
        migrate(settings.database_url.get_secret_value(), settings.database_tls)
    except CannotMigrate as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main(sys.argv[1:])
