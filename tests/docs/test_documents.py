"""The documents name what is there, lead somewhere, and their diagrams can be read."""

import ast
import itertools
import re
from pathlib import Path

import pytest
from comanda_local.api import Addresses
from comanda_local.examples import examples

from tests.docs.documents import (
    CODE_BLOCK,
    CODE_SPAN,
    LINK,
    ROOT,
    dead_links,
    diagrams,
    documents,
    faults,
    missing_files,
    names_not_there,
    steps,
)

ARCHITECTURE = ROOT / "docs" / "architecture.md"
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
PAGES = [pytest.param(page, id=str(page.relative_to(ROOT))) for page in documents()]


@pytest.mark.parametrize("page", PAGES)
def test_every_file_that_is_named_is_there(page: Path) -> None:
    assert missing_files(page) == []


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: Path) -> None:
    assert dead_links(page) == []


@pytest.mark.parametrize("page", PAGES)
def test_every_diagram_can_be_read(page: Path) -> None:
    assert [faults(diagram) for diagram in diagrams(page)] == [[] for _ in diagrams(page)]


@pytest.mark.parametrize("page", PAGES)
def test_every_name_that_is_said_to_be_in_a_file_is_there(page: Path) -> None:
    assert names_not_there(page) == []


def test_each_arrow_of_a_flow_has_a_step_that_names_its_file() -> None:
    flows = steps(ARCHITECTURE)

    assert len(flows) >= 5
    for arrows, said in flows:
        assert len(said) == arrows
        assert all(".py`" in step for step in said), said


def test_the_way_of_a_command_follows_the_imports() -> None:
    ways = re.findall(r"^- \*\*\w+\*\* (.+)$", (ROOT / "README.md").read_text(), re.MULTILINE)

    assert len(ways) == 5
    for way in ways:
        for imported in way.split("⇢"):
            files = [ROOT / path for path in LINK.findall(imported)]
            for importing, next_one in itertools.pairwise(files):
                assert module_of(next_one) in imports_of(importing), (importing, next_one)


def module_of(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[parts.index("src") + 1 :])


def imports_of(file: Path) -> set[str]:
    """Modules that a file imports, and what it imports from them, which may be modules, too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{name.name}" for name in node.names)}
        elif isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
    return found


def test_the_commands_to_try_in_the_readme_are_those_that_are_tried() -> None:
    printed = examples(
        Addresses("http://localhost:8001", "http://localhost:8002", "http://localhost:8003"),
        Path(".data/curl"),
    )
    [block] = [
        body
        for kind, body in CODE_BLOCK.findall((ROOT / "README.md").read_text())
        if "ORDER=" in body
    ]

    tried = commands_of(printed.replace("http://", ""))

    assert [each for each in commands_of(block) if each not in tried] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_request_to_a_service_is_sent_with_a_token(page: Path) -> None:
    """By a file, from which `curl` has it: what is an argument is in the list of processes."""
    written = re.findall(r"\bcurl\b[^`|;]*", re.sub(r"\\\n *", " ", page.read_text()))

    assert [each for each in written if "/v1/" in each.splitlines()[0] and " -K " not in each] == []


def commands_of(script: str) -> list[str]:
    """The lines of a script without comments, a command over several lines in one."""
    joined = re.sub(r"\\\n *", " ", script)
    return [line for line in joined.splitlines() if line and not line.startswith("#")]


def test_every_page_of_the_documents_is_listed() -> None:
    index = (ROOT / "docs" / "README.md").read_text()
    there = {each.name for each in (ROOT / "docs").iterdir()} - {"README.md"}

    listed = {link.removesuffix("/README.md") for link in LINK.findall(index)}

    assert {link for link in listed if not link.startswith("../")} == there


def test_each_word_is_in_the_glossary_once() -> None:
    rows = re.findall(r"^\| ([^|]+) \|", (ROOT / "docs" / "glossary.md").read_text(), re.MULTILINE)
    words = [row for row in rows if row not in ("word", "---")]

    assert len(words) > 60
    assert sorted(words) == sorted(set(words))


@pytest.mark.parametrize("decision", [pytest.param(each, id=each.stem) for each in DECISIONS])
def test_a_decision_says_when_why_and_what_was_rejected(decision: Path) -> None:
    text = decision.read_text()
    title, status = re.findall(r"\A# (.+)\n\n(.+)\n", text)[0]

    assert title.startswith(f"{decision.name[:4]}. ")
    assert re.match(r"\d{4}-\d\d-\d\d · (accepted|superseded by)", status)
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == [
        "Context",
        "Decision",
        "Rejected",
        "Consequences",
    ]


def test_decisions_are_numbered_without_gaps_and_listed() -> None:
    index = (ROOT / "docs" / "decisions" / "README.md").read_text()

    assert [int(each.name[:4]) for each in DECISIONS] == list(range(1, len(DECISIONS) + 1))
    for each in DECISIONS:
        title, day, status = re.findall(r"\A# (.+)\n\n(\S+) · (\w+)", each.read_text())[0]
        number, _, words = title.partition(". ")
        assert f"| [{number}]({each.name}) | {words} | {day} | {status} |" in index


SOURCES = [
    ROOT / ".importlinter",
    ROOT / "requirements.in",
    *(
        file
        for folder in ("contracts/src", "shared/src", "services", "deploy", "tests")
        for file in sorted((ROOT / folder).rglob("*"))
        if file.suffix in {".py", ".conf", ".yaml"}
    ),
]
CITATION = re.compile(r"^# decision/(\d{4}): (.+)$", re.MULTILINE)


def test_the_code_cites_every_decision_that_holds_by_its_title() -> None:
    titles = {}
    for each in DECISIONS:
        title, status = re.findall(r"\A# \d+\. (.+)\n\n\S+ · (\w+)", each.read_text())[0]
        if status == "accepted":
            titles[each.name[:4]] = title.lower()

    cited = {
        (number, title.lower())
        for file in SOURCES
        for number, title in CITATION.findall(file.read_text())
    }

    assert cited == set(titles.items())


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("see `services/query/src/query/gone.py`", ["services/query/src/query/gone.py"]),
        ("see `docs/architecture.md`", []),
        ("see `services/query/gone/`", ["services/query/gone/"]),
        ("`text/event-stream`, `/v1/restaurants`, `a/b`", []),
    ],
)
def test_a_file_that_is_gone_is_found(tmp_path: Path, text: str, missing: list[str]) -> None:
    page = tmp_path / "page.md"
    page.write_text(text)

    assert CODE_SPAN.search(text)
    assert missing_files(page) == missing


@pytest.mark.parametrize("link", ["gone.md", "other.md#no-such-heading", "#nowhere"])
def test_a_link_that_leads_nowhere_is_found(tmp_path: Path, link: str) -> None:
    (tmp_path / "other.md").write_text("# Some heading\n")
    page = tmp_path / "page.md"
    page.write_text(f"# Planted\n\n[there]({link}) [here](#planted) [so](other.md#some-heading)\n")

    assert dead_links(page) == [link]


@pytest.mark.parametrize(
    "line",
    [
        "A->>C: nobody declared C",
        "A->>B",
        "A=>>B: no such arrow",
        "A->>B: this; that",
        "loop for ever",
        "words",
    ],
)
def test_a_line_that_is_no_diagram_is_found(line: str) -> None:
    diagram = f"sequenceDiagram\n    participant A\n    participant B\n    {line}\n"

    assert faults(diagram) != []
    assert faults(diagram.replace(line, "A->>B: right")) == []


def test_a_name_that_is_not_in_its_file_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("`names_not_there` in `tests/docs/documents.py`, `Gone` in `tests/node.py`")

    assert names_not_there(page) == ["Gone in tests/node.py"]


def test_every_make_target_is_named_and_no_other() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE))
    table = re.findall(
        r"^\| `make ([a-z-]+)`", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE
    )
    named = {
        name for page in documents() for name in re.findall(r"`make ([a-z-]+)", page.read_text())
    }

    assert set(table) == targets
    assert named <= targets
