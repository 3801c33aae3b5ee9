"""`python -m ordering` serves; `migrate` brings the schema up to date, `set-up` makes streams.

`dead-letters` lists, shows, replays and discards the messages that were set aside; `parked` lists,
shows and releases the events that can't be published.
"""

import sys

from service_kit.http.server import serve
from service_kit.nats.letter_commands import dead_letters_app
from service_kit.nats.set_up import run_set_up
from service_kit.runtime import logs
from service_kit.runtime.settings import ServiceSettings, load

from ordering.bootstrap import SERVICE, bootstrap, replaying_broker, set_up_messaging
from ordering.outbound.outbox.parked_commands import parked_app
from ordering.settings import DatabaseSettings, Settings


def main(arguments: list[str]) -> None:
    """Do what the arguments say; end with 1 and a reason if they say nothing known."""
    match arguments:
        case []:
            settings = load(Settings)
            logs.configure("ordering", settings.log_level)
            serve(bootstrap(settings), settings)
        case ["migrate"]:
            _migrate()
        case ["set-up"]:
            run_set_up(set_up_messaging(load(ServiceSettings)))
        case ["dead-letters", *rest]:
            dead_letters = dead_letters_app(SERVICE, replaying_broker, done="carried out")
            dead_letters(rest, prog_name="python -m ordering dead-letters")
        case ["parked", *rest]:
            parked_app(_database_url)(rest, prog_name="python -m ordering parked")
        case _:
            sys.exit("usage: python -m ordering [migrate | set-up | dead-letters | parked]")


def _database_url() -> str:
    return load(DatabaseSettings).database_url.get_secret_value()


def _migrate() -> None:
    # here, as it imports Alembic, which takes a while and which a service does without
    from ordering.outbound.database.migration import CannotMigrate, migrate

    try:
        migrate(_database_url())
    except CannotMigrate as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main(sys.argv[1:])
