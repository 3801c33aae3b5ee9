"""An operator's command that can't be carried out says why in a line."""

import contextlib
from collections.abc import AsyncIterator

import nats.errors
import pytest
import typer
from comanda_local.ports import LOOPBACK, free_port
from pymongo.errors import OperationFailure
from query.cli import command
from query.maintenance import session
from query.maintenance.session import OperatorSession
from query.views.ports import StoreUnavailable

LONG = "not to be had, " * 20


@pytest.fixture(autouse=True)
def urls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of servers that are not there."""
    monkeypatch.setenv("COMANDA_NATS_URL", f"nats://{LOOPBACK}:{free_port()}")
    monkeypatch.setenv("COMANDA_MONGODB_URL", f"mongodb://{LOOPBACK}:{free_port()}/comanda")


async def nothing(_: OperatorSession) -> bool:
    return True


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OperationFailure("Authentication failed.\n" + LONG, 18), "MongoDB refuses: Auth"),
        (StoreUnavailable(LONG), "MongoDB does not answer: not"),
        (nats.errors.NoServersError(), "NATS does not answer: NoServersError"),
        (TimeoutError(LONG), "NATS does not answer: TimeoutError not"),
    ],
)
def test_a_server_that_refuses_or_is_away_is_named_in_a_line(
    error: Exception,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    @contextlib.asynccontextmanager
    async def no_session(*_: object) -> AsyncIterator[OperatorSession]:
        raise error
        yield

    monkeypatch.setattr(command, "open_session", no_session)

    with pytest.raises(typer.Exit) as ended:
        command.run(nothing)

    (line,) = capsys.readouterr().err.splitlines()
    assert ended.value.exit_code == 1
    assert line.startswith(said)


async def test_mongodb_is_waited_for_a_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes = [StoreUnavailable("starting"), StoreUnavailable("starting"), None]

    class Starting:
        """Generations in a store that is not there yet."""

        async def refresh(self) -> None:
            if error := outcomes.pop(0):
                raise error

    monkeypatch.setattr(session, "LOOK_AGAIN_AFTER_S", 0.0)

    await session._until_known(Starting())  # type: ignore[arg-type]
    assert outcomes == []

    monkeypatch.setattr(session, "CONNECT_TIMEOUT_S", -1.0)
    outcomes.append(StoreUnavailable("away"))
    with pytest.raises(StoreUnavailable, match="away"):
        await session._until_known(Starting())  # type: ignore[arg-type]
