"""`python -m ordering` serves; `python -m ordering migrate` brings the schema up to date."""

import sys

from service_kit.http.server import serve
from service_kit.runtime import logs
from service_kit.runtime.settings import load

from ordering.bootstrap import bootstrap
from ordering.outbound.database.engine import migrate
from ordering.settings import DatabaseSettings, Settings


def main(arguments: list[str]) -> None:
    """Do what the arguments say; end with 2 if they say nothing known."""
    match arguments:
        case []:
            settings = load(Settings)
            logs.configure("ordering", settings.log_level)
            serve(bootstrap(settings), settings)
        case ["migrate"]:
            migrate(load(DatabaseSettings).database_url.get_secret_value())
        case _:
            sys.exit("usage: python -m ordering [migrate]")


if __name__ == "__main__":
    main(sys.argv[1:])
