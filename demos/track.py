"""How to show progress through many demonstrations."""

from collections.abc import Iterable
from typing import Protocol, TypeVar

Item = TypeVar("Item")


class Track(Protocol):
    """Passes items on, and shows how many there were so far."""

    def __call__(self, items: Iterable[Item], total: int | None) -> Iterable[Item]:
        """Yields the items; `total` is their expected number, if known."""


def untracked(items: Iterable[Item], total: int | None) -> Iterable[Item]:
    """Shows nothing."""
    return items
