"""When a role of a program that failed is started again, and when the program gives up."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Patience:
    """How failures are borne, in seconds."""

    first_delay: float = 0.5
    largest_delay: float = 30.0
    healthy_after: float = 20.0  # a run that lasted so long says nothing against the next one
    tries: int = 6  # failures without a healthy run between them


class Restarts:
    """Counts a role's failures, and says how long to wait after each: twice as long as after the one before."""

    def __init__(self, patience: Patience | None = None) -> None:
        self._patience = patience or Patience()
        self._in_a_row = 0
        self.count = 0

    def failed(self, lasted: float) -> float | None:
        """Takes note of a failure.

        Args:
            lasted: How long the role had run, seconds.

        Returns:
            How long to wait before the next start, seconds; None when it is no use.
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
    """How long a role has worked; the time in which it is stuck counts for nothing."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._until = 0.0

    def seen(self, at: float, idle: float) -> None:
        """Takes note of a sign of life.

        Args:
            at: When, seconds.
            idle: How long it has not got on by then, seconds.
        """
        self._since = at if self._since is None else self._since
        self._until = max(self._until, self._since, at - idle)

    @property
    def seconds(self) -> float:
        """From the first sign of life until it last got on."""
        return 0.0 if self._since is None else self._until - self._since
