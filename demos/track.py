"""How those that go through many demonstrations let others see how far they are."""

from collections.abc import Iterable
from typing import Protocol, TypeVar

Item = TypeVar("Item")


class Track(Protocol):
    """Passes items on, and shows how many there were."""

    def __call__(self, items: Iterable[Item], total: int | None) -> Iterable[Item]:
        """Yields the items; `total` is how many there are to be, if that is known."""


def untracked(items: Iterable[Item], total: int | None) -> Iterable[Item]:
    """Shows nothing."""
    return items
