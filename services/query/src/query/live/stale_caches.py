"""Tells caches of what was read about restaurants that it is stale, as changes come."""

from collections.abc import Sequence
from typing import Protocol

from query.live.change_stream import ChangeListener


class CacheOfRestaurants(Protocol):
    """A cache of what was read about restaurants, to be told when it is stale."""

    def invalidate(self, restaurant: str) -> None:
        """Something of the restaurant has changed."""

    def invalidate_all(self) -> None:
        """Anything may have changed."""


class Caches:
    """Several caches that are stale together."""

    def __init__(self, *caches: CacheOfRestaurants) -> None:
        self._caches: Sequence[CacheOfRestaurants] = caches

    def invalidate(self, restaurant: str) -> None:
        """Something of the restaurant has changed."""
        for each in self._caches:
            each.invalidate(restaurant)

    def invalidate_all(self) -> None:
        """Anything may have changed."""
        for each in self._caches:
            each.invalidate_all()


class StaleMenus(ChangeListener):
    """Tells a cache of menus of changed items and restaurants, whose keys begin with the slug."""

    def __init__(self, cache: CacheOfRestaurants) -> None:
        self._cache = cache

    def on_change(self, key: str) -> None:
        """The menu of its restaurant is stale."""
        restaurant, _, _ = key.partition("/")
        self._cache.invalidate(restaurant)

    def on_close(self) -> None:
        """Invalidate everything: changes are not told from now on."""
        self._cache.invalidate_all()
