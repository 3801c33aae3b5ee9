"""`python -m serving` serves; `python -m serving set-up` makes its streams and durables.

`dead-letters` lists, shows, replays and discards the messages that were set aside.
"""

import sys

from service_kit.http import server as http
from service_kit.nats.letter_commands import dead_letters_app
from service_kit.nats.set_up import run_set_up
from service_kit.runtime import logs
from service_kit.runtime.settings import ServiceSettings, load

from serving.bootstrap import bootstrap, replaying_broker, set_up
from serving.inbound.nats.orders import SERVICE
from serving.settings import Settings


def main(arguments: list[str]) -> None:
    """Do what the arguments say; end with 2 if they say nothing known."""
    match arguments:
        case []:
            settings = load(Settings)
            logs.configure("serving", settings.log_level)
            http.serve(bootstrap(settings), settings)
        case ["set-up"]:
            of_set_up = load(ServiceSettings)
            logs.configure("serving", of_set_up.log_level)
            run_set_up(set_up(of_set_up))
        case ["dead-letters", *rest]:
            dead_letters = dead_letters_app(SERVICE, replaying_broker, done="carried out")
            dead_letters(rest, prog_name="python -m serving dead-letters")
        case _:
            print("usage: python -m serving [set-up | dead-letters]", file=sys.stderr)
            sys.exit(2)


if __name__ == "__main__":
    main(sys.argv[1:])
