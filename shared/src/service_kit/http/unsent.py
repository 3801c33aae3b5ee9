"""How many bytes all live feeds of a process may hold that their readers have not taken."""

from collections.abc import Callable, Iterable

import structlog
from prometheus_client import Counter, Gauge

log = structlog.get_logger()

UNSENT_BYTES_MAX = 64 * 1024 * 1024
"""What several feeds wait to send counts once, as it is in memory once."""

UNSENT = Gauge("comanda_live_unsent_bytes", "Bytes that live feeds hold for their readers")
CLOSED = Counter(
    "comanda_live_feeds_closed_total", "Live feeds closed because all together held too much"
)


class UnsentBytes:
    """What feeds hold; beyond `UNSENT_BYTES_MAX` those are closed that free most."""

    def __init__(self) -> None:
        self.total = 0
        self._holders: dict[int, int] = {}
        """By the identity of a piece: how many hold it, each of whom keeps it alive."""
        self._accounts: set[Account] = set()

    def account(self, close: Callable[[], None]) -> "Account":
        """An account of one feed. `close` ends it, and is called at most once."""
        return Account(self, close)

    def hold(self, account: "Account", piece: bytes) -> None:
        holders = self._holders.get(id(piece), 0)
        self._holders[id(piece)] = holders + 1
        self._accounts.add(account)
        if not holders:
            self.total += len(piece)

    def release(self, account: "Account", piece: bytes) -> None:
        holders = self._holders[id(piece)] - 1
        if holders:
            self._holders[id(piece)] = holders
        else:
            del self._holders[id(piece)]
            self.total -= len(piece)
        if not account.pieces:
            self._accounts.discard(account)

    def fit(self) -> None:
        """Close the feeds that free most until the others fit."""
        if self.total > UNSENT_BYTES_MAX:
            for account in sorted(self._accounts, key=self._share_bytes, reverse=True):
                log.info("live feed closed", held_bytes=account.size_bytes, of_all=self.total)
                CLOSED.inc()
                account.close()
                if self.total <= UNSENT_BYTES_MAX:
                    break
        UNSENT.set(self.total)

    def _share_bytes(self, account: "Account") -> float:
        """What the feed holds, each piece divided among those who hold it and keep it there."""
        held = account.pieces.items()
        return sum(len(piece) / self._holders[identity] for identity, (piece, _) in held)


class Account:
    """What one feed holds."""

    def __init__(self, unsent: UnsentBytes, close: Callable[[], None]) -> None:
        self._unsent = unsent
        self._close = close
        self.is_closed = False
        self.pieces: dict[int, tuple[bytes, int]] = {}
        """Each piece, and how often the feed is to send it, by its identity."""
        self.size_bytes = 0

    def hold(self, pieces: Iterable[bytes]) -> bool:
        """Hold these, too. Returns False if the feed is closed, now or before."""
        for piece in pieces if not self.is_closed else ():
            _, times = self.pieces.get(id(piece), (piece, 0))
            self.pieces[id(piece)] = piece, times + 1
            if not times:
                self.size_bytes += len(piece)
                self._unsent.hold(self, piece)
        self._unsent.fit()
        return not self.is_closed

    def release(self, pieces: Iterable[bytes]) -> None:
        """They are sent, or given up."""
        for piece in pieces if not self.is_closed else ():
            _, times = self.pieces.pop(id(piece))
            if times > 1:
                self.pieces[id(piece)] = piece, times - 1
            else:
                self.size_bytes -= len(piece)
                self._unsent.release(self, piece)

    def end(self) -> None:
        """Release everything, and hold nothing any more."""
        for piece, _ in list(self.pieces.values()):
            self.pieces[id(piece)] = piece, 1
            self.release([piece])
        self.is_closed = True

    def close(self) -> None:
        """End the feed itself."""
        self.end()
        self._close()


PROCESS = UnsentBytes()
"""What all feeds of this process hold."""
