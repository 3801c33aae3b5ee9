"""`python -m tests.drill`: hold the drill, and say what came back and how long it took."""

import argparse
import asyncio
import sys

from comanda_local.folders import temporary_folder

from tests.drill.drill import Report, drill


def main() -> int:
    """Returns 0 if everything that was ordered came back, once."""
    parser = argparse.ArgumentParser(prog="python -m tests.drill", description=__doc__)
    parser.add_argument("--orders", type=int, default=60, help="of the evening before the loss")
    parser.add_argument("--seed", type=int, default=1, help="another one makes another evening")
    given = parser.parse_args()
    with temporary_folder() as folder:
        report = asyncio.run(drill(folder, given.orders, seed=given.seed))
    print_report(report)
    return 0 if report.is_good else 1


def print_report(report: Report) -> None:
    """The table of the steps, and what came back."""
    for name, seconds in report.steps:
        print(f"{seconds:8.1f} s  {name}")
    print(f"{sum(seconds for _, seconds in report.steps):8.1f} s  together")
    for each in report.complaints:
        print(each)
    print(f"{report.settled_at_once} rounds that were over were in the queue for a moment")
    print(f"{report.orders} orders: {report.lost} lost, {report.doubled} doubled")


if __name__ == "__main__":
    sys.exit(main())
