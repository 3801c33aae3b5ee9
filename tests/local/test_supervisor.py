"""What ends by itself is said and started again, ever later while it keeps ending."""

from pathlib import Path
from typing import cast

import pytest
from comanda_local.processes import CannotStart, Child
from comanda_local.supervisor import PAUSE_S_MAX, STEADY_AFTER_S, Supervisor


class Process:
    name, log, exit_code = "serving", Path("log"), -9

    def __init__(self) -> None:
        self.alive = True

    def tail(self) -> str:
        return "its last words"


class FakePart:
    """A service without a process."""

    def __init__(self) -> None:
        self.fake = Process()
        self.starts = 0
        self.refuses = False

    @property
    def process(self) -> Child:
        return cast("Child", self.fake)

    def start(self) -> None:
        if self.refuses:
            raise CannotStart("the port is taken")
        self.starts += 1
        self.fake.alive = True


@pytest.fixture
def part() -> FakePart:
    return FakePart()


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def supervisor(part: FakePart, said: list[str]) -> Supervisor:
    return Supervisor([part], said.append, said.append)


def test_what_runs_is_left_alone(supervisor: Supervisor, part: FakePart, said: list[str]) -> None:
    for now in range(100):
        supervisor.look(now)

    assert (part.starts, said) == (0, [])


def test_an_end_is_said_once_with_its_log(
    supervisor: Supervisor, part: FakePart, said: list[str]
) -> None:
    part.fake.alive = False

    for now in (100.0, 100.5, 101.0, 101.5):
        supervisor.look(now)

    assert part.starts == 1
    assert said == [
        "serving ended by itself (exit code -9), and is started again in 1 s. The end of log:",
        "its last words",
        "serving was started again.",
    ]


def pauses(supervisor: Supervisor, part: FakePart, *, ends: int, runs_s: float) -> list[int]:
    """How long it is left alone each time, if it ends so often and runs so long in between."""
    now, found = 1000.0, []
    for _ in range(ends):
        part.fake.alive, before, ended = False, part.starts, now
        while part.starts == before:
            supervisor.look(now)
            now += 0.5
        found.append(int(now - 0.5 - ended))
        now += runs_s
    return found


def test_what_keeps_ending_is_left_alone_ever_longer(
    supervisor: Supervisor, part: FakePart
) -> None:
    assert pauses(supervisor, part, ends=7, runs_s=5) == [1, 2, 4, 8, 16, 30, 30]
    assert PAUSE_S_MAX == 30


def test_what_ran_for_long_is_started_soon(supervisor: Supervisor, part: FakePart) -> None:
    assert pauses(supervisor, part, ends=3, runs_s=STEADY_AFTER_S) == [1, 1, 1]


def test_what_can_not_be_started_is_tried_again(
    supervisor: Supervisor, part: FakePart, said: list[str]
) -> None:
    part.fake.alive, part.refuses = False, True
    for now in (100.0, 101.0):
        supervisor.look(now)
    part.refuses = False

    supervisor.look(103.0)

    assert part.starts == 1
    assert said[-3:] == [
        "serving can't be started; once more in 2 s.",
        "the port is taken",
        "serving was started again.",
    ]
