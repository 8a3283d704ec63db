"""When a failed role of a program is restarted, and when the program gives up."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Patience:
    """How failures are tolerated, in seconds."""

    first_delay: float = 0.5
    largest_delay: float = 30.0
    healthy_after: float = 20.0  # a run that lasted this long clears earlier failures
    tries: int = 6  # failures without a healthy run in between


class Restarts:
    """Counts a role's failures, and computes the delay after each, which doubles every time."""

    def __init__(self, patience: Patience | None = None) -> None:
        self._patience = patience or Patience()
        self._in_a_row = 0
        self.count = 0

    def failed(self, lasted: float) -> float | None:
        """Records a failure.

        Args:
            lasted: How long the role had been running, in seconds.

        Returns:
            How long to wait before the next start, in seconds; None to give up.
        """
        if lasted >= self._patience.healthy_after:
            self._in_a_row = 0
        self._in_a_row += 1
        self.count += 1
        if self._in_a_row >= self._patience.tries:
            return None
        doubled: float = self._patience.first_delay * 2.0 ** (self._in_a_row - 1)
        return min(self._patience.largest_delay, doubled)


class Stint:
    """How long a role has worked, not counting the time during which it hangs."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._until = 0.0

    def seen(self, at: float, idle: float) -> None:
        """Records a sign of life.

        Args:
            at: The time, in seconds.
            idle: How long it has made no progress by then, in seconds.
        """
        self._since = at if self._since is None else self._since
        self._until = max(self._until, self._since, at - idle)

    @property
    def seconds(self) -> float:
        """The time from the first sign of life to the last progress."""
        return 0.0 if self._since is None else self._until - self._since
