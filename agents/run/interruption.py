"""Ending in good order when the system or a person asks for it."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def interruptible(interrupted: threading.Event) -> Iterator[None]:
    """Makes SIGINT and SIGTERM set an event instead of ending the process; who looks at it ends in its own time."""

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        interrupted.set()

    handlers = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
