"""Runs calls that may never return without waiting for them forever."""

import queue
import threading
from collections.abc import Callable
from typing import Any, NamedTuple


class _Outcome(NamedTuple):
    value: Any
    error: BaseException | None


class DeadlineRunner:
    """Runs calls one at a time in its own thread, which is abandoned when a call does not return.

    One thread serves all calls instead of one each, because the allocator keeps a separate memory arena per thread.
    """

    def __init__(self, timeout_s: float) -> None:
        """Sets how long a call may take, in seconds."""
        self._timeout_s = timeout_s
        self._calls: queue.SimpleQueue[Callable[[], Any] | None] | None = None
        self._outcomes: queue.SimpleQueue[_Outcome] = queue.SimpleQueue()

    def __call__(self, call: Callable[[], Any], wait_on: Callable[[], bool] = lambda: False) -> Any:
        """Runs a call and returns its result or raises its error.

        Args:
          call: What to run.
          wait_on: Asked at each timeout whether to wait for as long again.

        Raises:
          TimeoutError: If the call did not return in time. The next call gets a new thread.
        """
        if self._calls is None:
            self._calls, self._outcomes = queue.SimpleQueue(), queue.SimpleQueue()
            arguments = (self._calls, self._outcomes)
            threading.Thread(target=_serve, args=arguments, name="replay", daemon=True).start()
        self._calls.put(call)
        try:
            outcome = self._outcome(wait_on)
        except BaseException:  # an interrupt, too, leaves a pending call, whose outcome the next call must not receive
            self.close()
            raise
        if outcome.error is not None:
            raise outcome.error
        return outcome.value

    def _outcome(self, wait_on: Callable[[], bool]) -> _Outcome:
        while True:
            try:
                return self._outcomes.get(timeout=self._timeout_s)
            except queue.Empty:
                if not wait_on():
                    raise TimeoutError(f"no answer within {self._timeout_s:g} s") from None

    def close(self) -> None:
        """Lets the thread end after its current call. A second close does nothing."""
        if self._calls is not None:
            self._calls.put(None)
            self._calls = None


def _serve(calls: "queue.SimpleQueue[Callable[[], Any] | None]", outcomes: "queue.SimpleQueue[_Outcome]") -> None:
    while (call := calls.get()) is not None:
        try:
            outcome = _Outcome(call(), None)
        except BaseException as error:
            outcome = _Outcome(None, error)
        outcomes.put(outcome)
        del call, outcome  # whatever they reference must be freed now, not at the next call
