"""Optimistic concurrency: a change may be meant for one version alone."""

from typing import Protocol

from ordering.domain.refusals import VersionMismatch


class Versioned(Protocol):
    """What counts its changes."""

    @property
    def version(self) -> int: ...


def expect(current: Versioned | None, version: int | None) -> None:
    """Raise VersionMismatch unless `current` is at this version; None stands for any.

    What is not there yet is at version 0.
    """
    actual = current.version if current else 0
    if version is not None and version != actual:
        raise VersionMismatch(expected=version, actual=actual)
