"""The policies that wait for their evaluation, and what came of it."""

import threading
from typing import Any, NamedTuple

from trailkit.agents.base import Parameters
from trailkit.agents.run.evaluation.evaluate import Evaluation
from trailkit.agents.run.metrics import Clocks


class Due(NamedTuple):
    """A policy that is to be evaluated."""

    clocks: Clocks  # when it was the newest
    token: str  # tells it from the policy of the same step of a course that the run has left
    parameters: Parameters
    reference: Any  # to the parameters, for other processes


class Backlog:
    """Policies to be evaluated, the oldest first; each stays until its result is written. For several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._due: dict[int, Due] = {}
        self._results: dict[int, Evaluation] = {}

    def __len__(self) -> int:
        return len(self._due)

    def __contains__(self, step: int) -> bool:
        return step in self._due

    def steps(self) -> list[int]:
        """Of which there are policies."""
        with self._lock:
            return list(self._due)

    def add(self, due: Due) -> None:
        """Puts down a policy; its step must be a new one."""
        with self._lock:
            self._due[due.clocks.step] = due

    def oldest(self) -> Due | None:
        """The oldest that has no result yet."""
        with self._lock:
            step = min(self._due.keys() - self._results.keys(), default=None)
            return None if step is None else self._due[step]

    def finish(self, step: int, token: str, result: Evaluation) -> None:
        """Takes a result, unless it is of a policy that is not, or no longer, waited for."""
        with self._lock:
            if step in self._due and self._due[step].token == token:
                self._results[step] = result

    def results(self) -> list[tuple[Due, Evaluation]]:
        """What has a result that is still to be written, and the result."""
        with self._lock:
            return [(self._due[step], result) for step, result in sorted(self._results.items())]

    def remove(self, step: int) -> None:
        """Forgets a policy whose result is written."""
        with self._lock:
            del self._due[step], self._results[step]

    def state(self) -> list[dict[str, Any]]:
        """What a checkpoint keeps of it."""
        with self._lock:
            kept = sorted(self._due.values(), key=lambda due: due.clocks.step)
        return [{**due.clocks._asdict(), "token": due.token, "parameters": due.parameters} for due in kept]
