# decision/0071: nats has the public halves of keys alone
"""Keys by which users are let in to NATS: the secret half, the seed, and the public one."""

import os
from pathlib import Path

import nkeys

from comanda_local.folders import replace_file

SEED_BYTES = 32


def new_seed() -> bytes:
    """The secret half of a user's new key."""
    seed: bytes = nkeys.encode_seed(os.urandom(SEED_BYTES), nkeys.PREFIX_BYTE_USER)
    return seed


def public_half(seed: bytes) -> str:
    """What the server is given of the key. Raises ValueError if this is no user's seed."""
    try:
        public: str = nkeys.from_seed(bytearray(seed)).public_key.decode()
    except (nkeys.NkeysError, ValueError) as error:
        raise ValueError("is no seed of a key") from error
    if not public.startswith("U"):
        raise ValueError("is the seed of no user's key")
    return public


def save_seed(seed: bytes, file: Path) -> None:
    """Write it for its owner alone, in the place of one that was there before."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    replace_file(file, seed, mode=0o600)


def saved_seed(file: Path) -> bytes:
    """The seed in this file, which is made, once, if it is not there; its owner's alone."""
    if not file.exists():
        save_seed(new_seed(), file)
    return file.read_bytes().strip()
