"""Bytes of which a test can see whether anybody still holds them."""

import weakref


class _Life:
    pass


class _TracedBytes(bytes):
    life: _Life


def traced(content: bytes) -> tuple[bytes, weakref.ref[_Life]]:
    """The bytes, and a reference that is dead once nobody holds them any more."""
    made = _TracedBytes(content)
    made.life = _Life()
    return made, weakref.ref(made.life)
