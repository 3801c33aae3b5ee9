"""Every alert has a page, and every command on a page is one that there is."""

import re
import shlex
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import typer
from ordering.outbound.database.engine import connect
from ordering.outbound.forgetting.commands import forget_app
from ordering.outbound.outbox.parked_commands import parked_app
from ordering.outbound.republish.commands import republish_app
from query.cli import app as query_app
from service_kit.nats.letter_commands import dead_letters_app
from service_kit.runtime.clock import utc_now
from typer.core import TyperGroup
from uuid_utils.compat import uuid7

from tests.deploy.manifests import KUBERNETES, ROOT, render
from tests.deploy.rules.monitoring import alerts

FOLDER = ROOT / "docs" / "runbooks"
PAGES = sorted(each for each in FOLDER.glob("*.md") if each.name != "README.md")
RESTORE = ROOT / "docs" / "restore.md"
HEADINGS = ["What it means", "How to look", "What to do", "When it is over"]

OPERATE = "deploy/kubernetes/operate.sh"
OTHERS = {
    "kubectl": re.compile(
        r"annotate|apply|create|delete|describe|exec|get|logs|patch|port-forward|scale|top pods"
        r"|rollout (status|restart|undo)"
    ),
    "nats": re.compile(r"stream (report|info|backup|restore|edit|rm)|consumer report"),
    "helm": re.compile(r"upgrade --install nats nats/nats --version"),
    "curl": re.compile(r"-s localhost:8000/health/ready"),
    "export": re.compile("NATS_(URL|CA)="),
    "nats()": re.compile(r"\{ command nats --tlsfirst \$@; \}"),
}
"""Programs that are not ours, and what they are asked to do."""


def dead_letters(*, of_commands: bool = False) -> typer.Typer:
    def connected() -> Any:
        pytest.fail("nothing is run")

    return dead_letters_app("a service", connected, done="done", of_commands=of_commands)


OURS: dict[str, dict[str, typer.Typer]] = {
    "ordering": {
        "dead-letters": dead_letters(of_commands=True),
        "parked": parked_app(partial(connect, "")),
        "republish": republish_app(partial(connect, ""), new_id=uuid7, clock=utc_now),
        "forget": forget_app(
            partial(connect, ""), lambda: pytest.fail("nothing is run"), new_id=uuid7, clock=utc_now
        ),
    },
    "serving": {"dead-letters": dead_letters()},
}


def commands(page: Path) -> list[str]:
    """Each command in its blocks, with the lines that it goes on in."""
    blocks = re.findall(r"^ *```sh\n(.*?)^ *```$", page.read_text(), re.DOTALL | re.MULTILINE)
    lines = (line.strip() for block in blocks for line in block.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def fault(command: str) -> str | None:
    """What is wrong with a command; None if there is one like it."""
    program, *arguments = shlex.split(command.removesuffix("&"))
    if program == OPERATE:
        return fault_of_ours(arguments)
    known = OTHERS.get(program)
    if known is None or not known.match(" ".join(arguments)):
        return f"nobody knows {command}"
    files = [each for each in arguments if each.startswith("deploy/")]
    return next((f"{each} is not there" for each in files if not (ROOT / each).exists()), None)


def fault_of_ours(arguments: list[str]) -> str | None:
    """As `fault`, of a service and one of its operators' commands."""
    service, *rest = arguments
    if service == "query":
        command: Any = typer.main.get_command(query_app)
    else:
        name, *rest = rest
        if name not in OURS.get(service, {}):
            return f"{service} has no command {name}"
        command = typer.main.get_command(OURS[service][name])
    while isinstance(command, TyperGroup) and rest and not rest[0].startswith("-"):
        found: Any = command.commands.get(rest[0])
        if found is None:
            return f"{service} has no command {rest[0]}"
        command, rest = found, rest[1:]
    options = {option for each in command.params for option in each.opts}
    unknown = [each for each in rest if each.startswith("-") and each not in options]
    return f"{service}: {command.name} has no {unknown}" if unknown else None


@pytest.mark.programs
def test_every_alert_has_a_page_and_every_page_an_alert() -> None:
    raised = {each["alert"] for each in alerts(render(KUBERNETES / "overlays" / "production"))}

    assert raised == {page.stem for page in PAGES}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_says_what_it_means_how_to_look_what_to_do_and_when_it_is_over(page: Path) -> None:
    text = page.read_text()

    assert text.startswith(f"# {page.stem}\n")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == HEADINGS
    assert f"({page.name})" in (FOLDER / "README.md").read_text()


@pytest.mark.parametrize(
    "page", [*PAGES, FOLDER / "README.md", RESTORE], ids=lambda page: page.stem
)
def test_every_command_on_a_page_is_there(page: Path) -> None:
    assert [fault(each) for each in commands(page) if fault(each)] == []
    assert commands(page)


@pytest.mark.parametrize("page", [FOLDER / "StreamsWiped.md", RESTORE], ids=lambda page: page.stem)
def test_serving_is_stopped_before_ordering_says_everything_again_and_started_after(
    page: Path,
) -> None:
    said = [each for each in commands(page) if "republish" in each and "--dry-run" not in each]
    scaled = [each for each in commands(page) if "scale" in each and "deployment/serving" in each]

    (republished,), (stopped, started) = said, scaled
    order = [commands(page).index(each) for each in (stopped, republished, started)]
    assert order == sorted(order)
    assert stopped.endswith("--replicas=0")
    assert started.endswith("--replicas=3")


@pytest.mark.parametrize(
    "command",
    [
        f"{OPERATE} ordering dead-letter list",
        f"{OPERATE} serving parked list",
        f"{OPERATE} query dead-letters replay --every",
        f"{OPERATE} query rebuild --force",
        f"{OPERATE} query generations delete",
        "kubectl destroy -n comanda",
        "kubectl apply -k deploy/kubernetes/ordering/large",
        "nats stream purge ORDERS",
        "rm -r data",
    ],
)
def test_a_command_that_is_not_there_is_found(command: str) -> None:
    assert fault(command)
