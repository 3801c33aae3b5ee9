"""What the streams say of every document, in order of the documents' keys, in bounded memory."""

import contextlib
import itertools
import sqlite3
from collections.abc import Iterable, Iterator
from typing import Self

from query.maintenance.fingerprints import Fingerprints, without_forgotten

CACHE_KIB = 32 * 1024
"""Of SQLite's pages; what is more goes to a temporary file, which has no name."""

CREATE = """
CREATE TABLE fingerprints (
    key TEXT, part TEXT, version INTEGER, digest INTEGER, PRIMARY KEY (key, part)
) WITHOUT ROWID
"""
KEEP_NEWEST = """
INSERT INTO fingerprints VALUES (?, ?, ?, ?)
ON CONFLICT (key, part) DO UPDATE SET version = excluded.version, digest = excluded.digest
WHERE (excluded.version, excluded.digest) > (version, digest)
"""
BY_KEY = "SELECT key, part, version, digest FROM fingerprints ORDER BY key"


class PublishedFingerprints:
    """The newest fingerprint of each part of each document; it is closed as a context manager."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        for setting in (f"cache_size = -{CACHE_KIB}", "journal_mode = OFF", "synchronous = OFF"):
            self._database.execute(f"PRAGMA {setting}")
        self._database.execute(CREATE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(sqlite3.Error):
            self._database.close()

    def keep_newest(self, more: Iterable[tuple[str, Fingerprints]]) -> None:
        """Take in the fingerprints of documents, by their keys, where they are newer."""
        rows = (
            (key, part, version, digest)
            for key, parts in more
            for part, (version, digest) in parts.items()
        )
        self._database.execute("BEGIN")
        self._database.executemany(KEEP_NEWEST, rows)
        self._database.execute("COMMIT")

    def by_key(self) -> Iterator[tuple[str, Fingerprints]]:
        """Each document's, in the order of keys, which is that of MongoDB and of Python."""
        rows = self._database.execute(BY_KEY)
        for key, parts in itertools.groupby(rows, key=lambda row: row[0]):
            yield (
                key,
                without_forgotten({part: (version, digest) for _, part, version, digest in parts}),
            )
