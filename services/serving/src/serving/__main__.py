"""`python -m serving` serves; `python -m serving set-up` makes its streams and durables."""

import asyncio
import sys

from service_kit.http import server as http
from service_kit.runtime import logs
from service_kit.runtime.settings import load

from serving.bootstrap import bootstrap, set_up
from serving.settings import Settings


def main(arguments: list[str]) -> None:
    """Do what the arguments say; end with 2 if they say nothing known."""
    match arguments:
        case []:
            settings = load(Settings)
            logs.configure("serving", settings.log_level)
            http.serve(bootstrap(settings), settings)
        case ["set-up"]:
            settings = load(Settings)
            logs.configure("serving", settings.log_level)
            asyncio.run(set_up(settings))
        case _:
            print("usage: python -m serving [set-up]", file=sys.stderr)
            sys.exit(2)


if __name__ == "__main__":
    main(sys.argv[1:])
