"""A signal ends what a command does, wherever Python is just then."""

import asyncio
import signal
import sys
import weakref
from collections.abc import Iterator

import pytest
from comanda_local.interrupts import SIGNALS, interrupt_in_order, run


class Dropped:
    """Whose end is noticed by a weak reference."""


@pytest.fixture(autouse=True)
def _own_signals() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (*SIGNALS, signal.SIGALRM)}
    hook = sys.unraisablehook
    interrupt_in_order()
    yield
    sys.unraisablehook = hook
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_in_the_callback_of_a_weak_reference_ends_what_runs(number: int) -> None:
    ended: list[str] = []

    async def work() -> None:
        dropped = Dropped()
        noticed = weakref.ref(dropped, lambda _: signal.raise_signal(number))
        try:
            del dropped
            assert noticed() is None
            await asyncio.sleep(60)
        finally:
            ended.append("in order")

    with pytest.raises(KeyboardInterrupt):
        run(work())

    assert ended == ["in order"]


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_that_a_callback_drops_is_raised_again(number: int) -> None:
    def be_interrupted() -> None:
        dropped = Dropped()
        noticed = weakref.ref(dropped, lambda _: signal.raise_signal(number))
        del dropped
        while noticed() is None:
            signal.pause()

    with pytest.raises(KeyboardInterrupt):
        be_interrupted()


def test_a_signal_where_nothing_runs_is_a_keyboard_interrupt_and_further_ones_are_ignored() -> None:
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGTERM)

    signal.raise_signal(signal.SIGINT)


def test_what_is_not_interrupted_returns() -> None:
    async def work() -> int:
        return 3

    assert run(work()) == 3
