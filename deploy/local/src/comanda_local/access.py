"""Access tokens of a system that has no provider of them: its key, and what is signed with it.

A token is a JWT of RFC 9068. Its claim `comanda` says which roles its subject has, by restaurant;
`*` is every restaurant.
"""

import contextlib
import json
import os
import time
import uuid
from collections.abc import Generator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Self

import httpx
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeyParameters

from comanda_local.processes import CannotStart

ISSUER = "https://comanda.local"
AUDIENCE = "comanda"
CLAIM = "comanda"
EVERYWHERE = "*"
"""In place of a restaurant: every one."""

FOLDER = "access"
"""In the folder of the data."""
KEY_FILE = "key.json"
JWKS_FILE = "jwks.json"
GUEST_KEY = "COMANDA_GUEST_KEY"
GUEST_JWKS = "COMANDA_GUEST_JWKS"
GUESTS_FOLDER = "guests"
"""In the folder with the key: the guests' key, and its set."""

ALGORITHM = "ES256"
TOKEN_TYPE = "at+jwt"  # noqa: S105 - RFC 9068's name of the type
LIFETIME_S = 3600.0
"""For which a program of ours signs a token for itself."""
RENEWAL_MARGIN_S = 600.0
"""Seconds before the end of a token when a program of ours signs its next one."""

Grants = Mapping[str, Sequence[str]]
"""Roles by restaurant."""


class Role(StrEnum):
    """What somebody may do in a restaurant."""

    TILL = "till"
    KITCHEN = "kitchen"
    MANAGER = "manager"
    BOARD = "board"
    READER = "reader"
    OPERATOR = "operator"


class Issuer:
    """Signs access tokens with a key of its own."""

    def __init__(self, key: ECKey, jwks: Path) -> None:
        """`jwks` is the file of the public half."""
        self.jwks = jwks
        self._key = key

    @classmethod
    def in_folder(cls, folder: Path, *, jwks_mode: int = 0o600) -> Self:
        """The key in this folder, which is made, once, if it is not there; its owner's alone.

        So is a folder that is made; one that is there stays as open as it was. Raises CannotStart
        if what is there is no such key.
        """
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        key = _key_in(folder)
        _replace(folder / JWKS_FILE, _public_set(key), mode=jwks_mode)
        return cls(key, folder / JWKS_FILE)

    @classmethod
    def found_in(cls, folder: Path) -> Self:
        """The key that is in this folder. Raises CannotStart if there is none."""
        if not (folder / KEY_FILE).exists():
            raise CannotStart(
                f"There is no key in {folder}: start Comanda there, make one with "
                "`comanda token --init`, or set COMANDA_TOKEN_FILE to a file with a token."
            )
        return cls(_key_in(folder), folder / JWKS_FILE)

    @property
    def environment(self) -> dict[str, str]:
        """What a service is told, so that it believes what is signed here."""
        return {
            "COMANDA_JWKS": str(self.jwks),
            "COMANDA_ISSUER": ISSUER,
            "COMANDA_AUDIENCE": AUDIENCE,
        }

    def token(
        self, grants: Grants, *, subject: str, lifetime_s: float, device: str | None = None
    ) -> str:
        """A token that is good from now on, for so long."""
        issued_at = int(time.time())
        claims: dict[str, object] = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": subject,
            "client_id": "comanda",
            "iat": issued_at,
            "exp": issued_at + int(lifetime_s),
            "jti": str(uuid.uuid4()),
            CLAIM: {restaurant: list(roles) for restaurant, roles in grants.items()},
        }
        if device is not None:
            claims["device"] = device
        header = {"typ": TOKEN_TYPE, "alg": ALGORITHM, "kid": self._key.kid}
        return jwt.encode(header, claims, self._key, algorithms=[ALGORITHM])


class GuestKeys:
    """The key by which ordering signs guests' capabilities, and its public half for query."""

    def __init__(self, folder: Path, *, jwks_mode: int = 0o600) -> None:
        """They are in the folder, or made. Raises CannotStart."""
        self._key = folder / KEY_FILE
        self.jwks = Issuer.in_folder(folder, jwks_mode=jwks_mode).jwks

    def environment_of(self, service: str) -> dict[str, str]:
        """What the service is told: the private half is for ordering alone."""
        match service:
            case "ordering":
                return {GUEST_KEY: str(self._key)}
            case "query":
                return {GUEST_JWKS: str(self.jwks)}
            case _:
                return {}


class Bearer(httpx.Auth):
    """Sends a token with every request, and signs the next one in time."""

    def __init__(self, issuer: Issuer, grants: Grants, *, subject: str) -> None:
        self._issuer = issuer
        self._grants = grants
        self._subject = subject
        self._header = ""
        self._renewed_at = float("-inf")

    @property
    def header(self) -> str:
        """The value of the header `Authorization`, now."""
        if time.monotonic() > self._renewed_at + LIFETIME_S - RENEWAL_MARGIN_S:
            token = self._issuer.token(self._grants, subject=self._subject, lifetime_s=LIFETIME_S)
            self._header, self._renewed_at = f"Bearer {token}", time.monotonic()
        return self._header

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Add the header."""
        request.headers["Authorization"] = self.header
        yield request


class TokenFile(httpx.Auth):
    """Sends the token that is in a file just then: whoever has it from a provider renews it."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Add the header. Raises OSError if the file can't be read."""
        request.headers["Authorization"] = f"Bearer {self._file.read_text().strip()}"
        yield request


def curl_configuration(token: str) -> str:
    """What `curl -K` reads to send the token, which is then in no list of processes."""
    return f'header = "Authorization: Bearer {token}"\n'


def write_for_owner(file: Path, text: str) -> None:
    """Write what is secret, whole at every moment, to a file that its owner alone can read."""
    _replace(file, text, mode=0o600)


def new_key_pair() -> tuple[str, str]:
    """The texts of a new private key, and of the set with its public half."""
    key = _new_key()
    return json.dumps(key.as_dict(private=True)), _public_set(key)


def _new_key() -> ECKey:
    parameters: KeyParameters = {"use": "sig", "alg": ALGORITHM}
    return ECKey.generate_key("P-256", parameters, private=True, auto_kid=True)


def _public_set(key: ECKey) -> str:
    return json.dumps({"keys": [key.as_dict(private=False)]}, indent=2)


def _key_in(folder: Path) -> ECKey:
    file = folder / KEY_FILE
    if not file.exists():
        _make_once(file, json.dumps(_new_key().as_dict(private=True)))
    try:
        key = ECKey.import_key(json.loads(file.read_text()))
    except (ValueError, JoseError) as error:
        raise CannotStart(f"{file} is no key. Remove it, and a new one is made.") from error
    if not key.is_private or not key.kid:
        raise CannotStart(f"{file} is no private key with an id. Remove it, and a new one is made.")
    return key


def _make_once(file: Path, text: str) -> None:
    """Write a new file, whole, unless somebody else just did."""
    written = _written_beside(file, text, mode=0o600)
    try:
        with contextlib.suppress(FileExistsError):
            os.link(written, file)
    finally:
        written.unlink()


def _replace(file: Path, text: str, *, mode: int) -> None:
    """Have the file hold this text, whole at every moment."""
    _written_beside(file, text, mode=mode).replace(file)


def _written_beside(file: Path, text: str, *, mode: int) -> Path:
    beside = file.with_name(f".{file.name}-{uuid.uuid4().hex}")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as opened:
        os.fchmod(opened.fileno(), mode)
        opened.write(text)
        opened.flush()
        os.fsync(opened.fileno())
    return beside
