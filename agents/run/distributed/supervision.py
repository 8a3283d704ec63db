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
