"""The policies that await evaluation, and their results."""

import threading
from typing import Any, NamedTuple

from trailkit.agents.base import Parameters
from trailkit.agents.run.evaluation.evaluate import Evaluation
from trailkit.agents.run.metrics import Clocks


class Due(NamedTuple):
    """A policy that awaits evaluation."""

    clocks: Clocks  # when it was the newest
    token: str  # distinguishes it from a policy of the same step in a history that the run has abandoned
    parameters: Parameters
    reference: Any  # to the parameters, for other processes


class Backlog:
    """Policies to be evaluated, oldest first; each stays until its result is written. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._due: dict[int, Due] = {}
        self._results: dict[int, Evaluation] = {}

    def __len__(self) -> int:
        return len(self._due)

    def __contains__(self, step: int) -> bool:
        return step in self._due

    def steps(self) -> list[int]:
        """The steps of the policies."""
        with self._lock:
            return list(self._due)

    def add(self, due: Due) -> None:
        """Adds a policy; its step must be new."""
        with self._lock:
            self._due[due.clocks.step] = due

    def oldest(self) -> Due | None:
        """The oldest policy without a result."""
        with self._lock:
            step = min(self._due.keys() - self._results.keys(), default=None)
            return None if step is None else self._due[step]

    def finish(self, step: int, token: str, result: Evaluation) -> None:
        """Stores a result, unless its policy is not, or no longer, awaited."""
        with self._lock:
            if step in self._due and self._due[step].token == token:
                self._results[step] = result

    def results(self) -> list[tuple[Due, Evaluation]]:
        """The policies whose results are still to be written, with the results."""
        with self._lock:
            return [(self._due[step], result) for step, result in sorted(self._results.items())]

    def remove(self, step: int) -> None:
        """Removes a policy whose result was written."""
        with self._lock:
            del self._due[step], self._results[step]

    def state(self) -> list[dict[str, Any]]:
        """The state to store in a checkpoint."""
        with self._lock:
            kept = sorted(self._due.values(), key=lambda due: due.clocks.step)
        return [{**due.clocks._asdict(), "token": due.token, "parameters": due.parameters} for due in kept]
