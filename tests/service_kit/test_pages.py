"""The pages of a service: they need nothing from elsewhere, and may load nothing from there."""

import re
import socket

import httpx
import pytest

from tests.support.browser import listening, shown_at
from tests.support.openapi import ordering_app

PAGES = {"/": 0, "/docs": 3, "/asyncapi": 3}
"""With how many files each comes."""
TYPES = {"js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8"}


@pytest.fixture(autouse=True)
def somebodys_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMANDA_JWKS", "none.json")
    monkeypatch.setenv("COMANDA_ISSUER", "https://none.invalid/")


async def got(path: str) -> httpx.Response:
    transport = httpx.ASGITransport(ordering_app())
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        return await client.get(path)


def named_in(page: str) -> list[str]:
    return [each for each in re.findall(r'(?:src|href)="([^"]*)"', page) if each != "data:,"]


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_may_load_nothing_from_another_origin(path: str) -> None:
    page = await got(path)

    policy = page.headers["content-security-policy"]
    assert "default-src 'none'; script-src 'self'" in policy
    assert "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors" in policy
    assert ":" not in policy.replace("data:", "")
    assert "*" not in policy
    assert "<script>" not in page.text
    assert not [each for each in named_in(page.text) if "//" in each or each.startswith("/")]


@pytest.mark.parametrize("path", PAGES)
async def test_every_file_of_a_page_is_answered_with_its_type_and_kept(path: str) -> None:
    names = [each for each in named_in((await got(path)).text) if "/assets/" in each]

    files = [await got(f"/{name}") for name in names]

    assert len(names) == PAGES[path]
    for name, file in zip(names, files, strict=True):
        assert file.status_code == 200
        assert file.headers["content-type"] == TYPES[name.rpartition(".")[2]]
        assert file.headers["cache-control"] == "max-age=86400"
        assert file.headers["x-content-type-options"] == "nosniff"
        assert file.text.strip()


@pytest.mark.programs
@pytest.mark.parametrize(
    ("path", "shown"),
    [("/docs", "/restaurants/{restaurant}/menu"), ("/asyncapi", "commands.v1.{restaurant}")],
)
async def test_a_page_is_whole_in_a_browser_without_the_internet(path: str, shown: str) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        async with listening(ordering_app(), listener):
            page, said = await shown_at(f"http://127.0.0.1:{listener.getsockname()[1]}{path}")

    assert shown in page.replace("<wbr>", "").replace("\u200b", "")
    assert "Error" not in said
    assert "Content Security Policy" not in said
