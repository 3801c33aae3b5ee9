"""Lays out what the host serves: pages that are asked for anew, and files kept for ever.

    python build.py FOLDER

What pages load is in `assets/<hash of all of it>/`, so a name's content never changes. The pages
and the worker name that folder, and what a page's scripts import is named for the browser to load
at once. Text is compressed beside itself.
"""

# decision/0072: pages are at one origin with the services

import gzip
import hashlib
import json
import re
import shutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

SITE = Path(__file__).parent / "site"
VERSION = "@VERSION@"
"""In a page, the worker and the manifest: the hash."""
SHELL = '["@SHELL@"]'
"""In the worker: the paths of what it keeps."""
PRELOADS = "<!-- preloads -->"
ENTRY = re.compile(r'<script type="module" src="/assets/@VERSION@/([^"]+)"')
IMPORT = re.compile(r"""(?:from|import) ?['"](\.[^'"]+)['"]""")
COMPRESSED = {".html", ".js", ".css", ".svg", ".webmanifest"}
HASH_LENGTH = 12


def build(folder: Path, site: Path = SITE) -> str:
    """Make the folder anew from the site. Returns the hash of what it loads."""
    shutil.rmtree(folder, ignore_errors=True)
    loaded = sorted(_loaded(site))
    version = _hash(site, loaded)
    for file in loaded:
        _copy(file, folder / "assets" / version / file.relative_to(site))
    pages = sorted(site.glob("*.html"))
    shell = [f"/assets/{version}/{file.relative_to(site).as_posix()}" for file in loaded]
    shell += [f"/{page.stem}" for page in pages]
    for file in (*pages, *site.glob("*.webmanifest"), site / "worker.js"):
        text = file.read_text().replace(PRELOADS, _preloads(site, file))
        text = text.replace(SHELL, json.dumps(shell)).replace(VERSION, version)
        _write(folder / file.name, text.encode())
    return version


def _loaded(site: Path) -> Iterator[Path]:
    """What pages load; the types beside what is vendored are for the checker alone."""
    for file in site.rglob("*"):
        if file.is_file() and file.parent != site and not file.name.endswith(".d.ts"):
            yield file


def _hash(site: Path, files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        content = file.read_bytes()
        digest.update(f"{file.relative_to(site).as_posix()} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()[:HASH_LENGTH]


def _preloads(site: Path, page: Path) -> str:
    """A link for each module that the page's own imports, directly or not."""
    found: dict[Path, None] = {}
    for entry in ENTRY.findall(page.read_text()):
        _follow(site / entry, found)
    return "\n  ".join(
        f'<link rel="modulepreload" href="/assets/{VERSION}/{module.relative_to(site).as_posix()}">'
        for module in found
    )


def _follow(module: Path, found: dict[Path, None]) -> None:
    if module in found:
        return
    found[module] = None
    for imported in IMPORT.findall(module.read_text()):
        _follow((module.parent / imported).resolve(), found)


def _copy(file: Path, to: Path) -> None:
    _write(to, file.read_bytes())


def _write(to: Path, content: bytes) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    to.write_bytes(content)
    if to.suffix in COMPRESSED:
        to.with_name(f"{to.name}.gz").write_bytes(gzip.compress(content, 9, mtime=0))


if __name__ == "__main__":
    build(Path(sys.argv[1]))
