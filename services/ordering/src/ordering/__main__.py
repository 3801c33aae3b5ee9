"""`python -m ordering` serves; `migrate` brings the schema up to date, `set-up` makes streams.

`dead-letters` lists, shows, replays and discards the messages that were set aside.
"""

import asyncio
import sys

from service_kit.http.server import serve
from service_kit.nats.jetstream import ServerTooOld
from service_kit.nats.letter_commands import dead_letters_app
from service_kit.runtime import logs
from service_kit.runtime.settings import ServiceSettings, load

from ordering.bootstrap import SERVICE, bootstrap, replaying_broker, set_up_messaging
from ordering.outbound.database.engine import migrate
from ordering.settings import DatabaseSettings, Settings


def main(arguments: list[str]) -> None:
    """Do what the arguments say; end with 1 and a reason if they say nothing known."""
    match arguments:
        case []:
            settings = load(Settings)
            logs.configure("ordering", settings.log_level)
            serve(bootstrap(settings), settings)
        case ["migrate"]:
            migrate(load(DatabaseSettings).database_url.get_secret_value())
        case ["set-up"]:
            asyncio.run(_set_up(load(ServiceSettings)))
        case ["dead-letters", *rest]:
            dead_letters = dead_letters_app(SERVICE, replaying_broker, done="carried out")
            dead_letters(rest, prog_name="python -m ordering dead-letters")
        case _:
            sys.exit("usage: python -m ordering [migrate | set-up | dead-letters]")


async def _set_up(settings: ServiceSettings) -> None:
    try:
        await set_up_messaging(settings)
    except (TimeoutError, ServerTooOld) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main(sys.argv[1:])
