"""`python -m serving` serves; `python -m serving set-up` makes its streams and durables.

`dead-letters` lists, shows, replays and discards the messages that were set aside.
"""

import sys

from service_kit.runtime import logs, telemetry
from service_kit.runtime.imports import uncollected
from service_kit.runtime.settings import ServiceSettings, load

from serving.settings import Settings


def main(arguments: list[str]) -> None:
    """Do what the arguments say; end with 2 if they say nothing known.

    Each command imports its own parts: none starts later for what only another needs.
    """
    match arguments:
        case []:
            _serve()
        case ["set-up"] | ["set-up", "--apply-retention"]:
            _set_up(apply_retention=len(arguments) > 1)
        case ["dead-letters", *rest]:
            from service_kit.nats.letter_commands import dead_letters_app

            from serving.bootstrap import replaying_broker
            from serving.inbound.nats.orders import SERVICE

            dead_letters = dead_letters_app(SERVICE, replaying_broker, done="carried out")
            dead_letters(rest, prog_name="python -m serving dead-letters")
        case _:
            print("usage: python -m serving [set-up | dead-letters]", file=sys.stderr)
            sys.exit(2)


def _serve() -> None:
    with uncollected():
        from service_kit.http import server as http

        from serving.bootstrap import bootstrap

    settings = load(Settings)
    telemetry.start("serving", settings)
    http.serve(bootstrap(settings), settings)


def _set_up(*, apply_retention: bool) -> None:
    with uncollected():
        from service_kit.nats.set_up import run_set_up

        from serving.bootstrap import set_up

    settings = load(ServiceSettings)
    logs.configure("serving", settings.log_level)
    run_set_up(set_up(settings, apply_retention=apply_retention))


if __name__ == "__main__":
    main(sys.argv[1:])
