"""`python -m serving`: run the service until SIGTERM."""

from service_kit.http import server as http
from service_kit.runtime import logs
from service_kit.runtime.settings import load

from serving.bootstrap import bootstrap
from serving.settings import Settings


def main() -> None:
    """Read the settings, then serve."""
    settings = load(Settings)
    logs.configure("serving", settings.log_level)
    http.serve(bootstrap(settings), settings)


if __name__ == "__main__":
    main()
