"""Lays out what the host serves: pages that are asked for anew, and files kept for ever.

    python build.py FOLDER

Every folder of the site with a `main.js` is a page, made of the one template `page.html`, and its
manifest of `page.webmanifest`. What pages load is in `assets/<hash of all of it>/`, so a name's
content never changes. The pages and the worker name that folder, and what a page's scripts import
is named for the browser to load at once. Text is compressed beside itself.
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
PAGE, TITLE, PRELOADS = "@PAGE@", "@TITLE@", "@PRELOADS@"
"""In the templates: the page's name, how it is called, and links to the modules that it imports."""
TEMPLATES = ("page.html", "page.webmanifest")
SHELL = '["@SHELL@"]'
"""In the worker: the paths of what it keeps."""
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
    texts = {name: (site / name).read_text() for name in ("index.html", "worker.js")}
    for page in sorted(each.parent.name for each in site.glob("*/main.js")):
        texts |= _of_page(site, page)
    shell = [f"/assets/{version}/{file.relative_to(site).as_posix()}" for file in loaded]
    shell += [f"/{Path(name).stem}" for name in texts if name.endswith(".html")]
    for name, text in texts.items():
        whole = text.replace(SHELL, json.dumps(shell)).replace(VERSION, version)
        _write(folder / name, whole.encode())
    return version


def _of_page(site: Path, page: str) -> dict[str, str]:
    """The page and its manifest, by their names."""
    filled = {}
    for template in TEMPLATES:
        text = (site / template).read_text().replace(PRELOADS, _preloads(site, page))
        text = text.replace(PAGE, page).replace(TITLE, page.capitalize())
        filled[f"{page}{Path(template).suffix}"] = text
    return filled


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


def _preloads(site: Path, page: str) -> str:
    """A link for each module that the page's own imports, directly or not."""
    found: dict[Path, None] = {}
    _follow(site / page / "main.js", found)
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
