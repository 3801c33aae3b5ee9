"""What the documents say that can be checked: files they name, links, diagrams, steps."""

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]

CODE_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CODE_SPAN = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)
PATH = re.compile(r"[\w.-]+(/[\w.-]+)*/?")
NAMED_FILE = re.compile(r"\.(py|md|toml|conf|ya?ml|mjs|js|sh|json|lock|in|lua)$")
MADE_LATER = frozenset({".data", ".venv", ".bench"})
"""Folders that are no part of the repository."""
INSTALLED = frozenset({"node_modules", ".build"})
"""Folders of what others wrote."""


def documents() -> list[Path]:
    """Every page that is for people."""
    pages = [
        ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")
    ]
    pages += [ROOT / "contracts" / "events.md", *sorted((ROOT / "docs").rglob("*.md"))]
    for folder in ("contracts", "deploy", "examples", "services", "tests"):
        pages += sorted(
            page
            for page in (ROOT / folder).rglob("README.md")
            if not INSTALLED.intersection(page.parts)
        )
    return [page for page in pages if page.exists()]


def missing_files(page: Path) -> list[str]:
    """Paths in backticks that name nothing.

    A path begins at the repository's root, at the page's folder or at the service's package. What a
    superseded decision names may be gone.
    """
    text = LINK.sub("", CODE_BLOCK.sub("", page.read_text()))
    if "· superseded by" in text:
        return []
    return [path for path in CODE_SPAN.findall(text) if _names_a_file(path) and not _is(page, path)]


def _names_a_file(path: str) -> bool:
    if "/" not in path.strip("/") or not PATH.fullmatch(path):
        return False
    first = path.split("/", maxsplit=1)[0]
    if first in MADE_LATER:
        return False
    return bool(NAMED_FILE.search(path)) or (ROOT / first).is_dir()


def _is(page: Path, path: str) -> bool:
    service = page.parent / "src" / page.parent.name
    return any((folder / path).exists() for folder in (ROOT, page.parent, service))


SAID_TO_BE_IN = re.compile(r"`(\w+)` in `([\w./-]+\.\w+)`")


def names_not_there(page: Path) -> list[str]:
    """Where a page says that a name is in a file, and it is not."""
    return [
        f"{name} in {path}"
        for name, path in SAID_TO_BE_IN.findall(page.read_text())
        if not re.search(
            rf"\b{name}\b", (ROOT / path).read_text() if (ROOT / path).exists() else ""
        )
    ]


def dead_links(page: Path) -> list[str]:
    """Relative links, and links to a heading, that lead nowhere."""
    text = CODE_BLOCK.sub("", page.read_text())
    return [link for link in LINK.findall(text) if _is_relative(link) and not _leads(page, link)]


def _is_relative(link: str) -> bool:
    return not re.match(r"[a-z]+:", link)


def _leads(page: Path, link: str) -> bool:
    path, _, heading = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    if not target.exists():
        return False
    return not heading or heading in {_anchor(each) for each in HEADING.findall(target.read_text())}


def _anchor(heading: str) -> str:
    """As GitHub makes it."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def diagrams(page: Path) -> list[str]:
    """The Mermaid diagrams of a page."""
    return [body for kind, body in CODE_BLOCK.findall(page.read_text()) if kind == "mermaid"]


ARROW = re.compile(r"^(\w+)\s*(->>|-->>)\s*(\w+)\s*: [^\s;#][^;#]*$")
"""A semicolon would end the statement, a hash would begin an entity."""
PARTICIPANT = re.compile(r"^(?:participant|actor) (\w+)(?: as \S.*)?$")
OPENS = re.compile(r"^(alt|opt|loop|par|critical|rect)\b")
CONTINUES = re.compile(r"^(else|and|option)\b")
NOTE = re.compile(r"^Note (?:over|left of|right of) (\w+)(?:,\s*(\w+))?: [^;#]+$")
NODE = r"\w+(?:\[\[.+?\]\]|\[\(.+?\)\]|\(\[.+?\]\)|\[.+?\])?"
EDGE = re.compile(rf"^{NODE}(?: (?:<?--|<?==) .+? (?:-->|==>)| (?:-->|==>)) {NODE}$")
NODES = re.compile(rf"^{NODE}$")
MOVE = re.compile(r"^(\[\*\]|\w+) --> (\[\*\]|\w+): [\w-]+$")


def faults(diagram: str) -> list[str]:
    """Lines that Mermaid would not read, as far as our diagrams go, and names nobody declared."""
    first, *lines = (line.strip() for line in diagram.strip().splitlines())
    if first == "sequenceDiagram":
        return list(_faults_of_sequence(lines))
    if re.fullmatch(r"flowchart (LR|TD|TB)", first):
        return list(_faults_of_flowchart(lines))
    if first == "stateDiagram-v2":
        return [line for line in lines if not MOVE.match(line)]
    return [first]


def _faults_of_sequence(lines: list[str]) -> Iterator[str]:
    known: set[str] = set()
    depth = 0
    for line in filter(None, lines):
        if declared := PARTICIPANT.match(line):
            known.add(declared[1])
        elif arrow := ARROW.match(line):
            yield from (line for name in (arrow[1], arrow[3]) if name not in known)
        elif note := NOTE.match(line):
            yield from (line for name in filter(None, note.groups()) if name not in known)
        elif OPENS.match(line):
            depth += 1
        elif line == "end":
            depth -= 1
        elif line != "autonumber" and not (depth and CONTINUES.match(line)):
            yield line
    if depth:
        yield "a block is not ended, or ended twice"


def _faults_of_flowchart(lines: list[str]) -> Iterator[str]:
    depth = 0
    for line in filter(None, lines):
        if re.fullmatch(r'subgraph \w+(?: \[".+"\])?', line):
            depth += 1
        elif line == "end":
            depth -= 1
        elif not EDGE.match(line) and not NODES.match(line):
            yield line
    if depth:
        yield "a block is not ended, or ended twice"


def steps(page: Path) -> list[tuple[int, list[str]]]:
    """Of each sequence diagram: how many arrows it has, and the numbered steps that follow it."""
    text = page.read_text()
    found = []
    for block in CODE_BLOCK.finditer(text):
        if block[1] == "mermaid" and block[2].startswith("sequenceDiagram"):
            arrows = [line for line in block[2].splitlines() if ARROW.match(line.strip())]
            section = text[block.end() :].split("\n## ")[0]
            found.append((len(arrows), re.findall(r"^\d+\. (.+)$", section, re.MULTILINE)))
    return found
