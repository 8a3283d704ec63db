"""Ending in good order when the system or a person asks for it."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = signal.SIGINT, signal.SIGTERM, signal.SIGHUP  # Ctrl-C; a scheduler; a terminal or connection that is gone


@contextmanager
def interruptible(interrupted: threading.Event) -> Iterator[None]:
    """Makes SIGINT, SIGTERM and SIGHUP set an event instead of ending the process.

    Who looks at it ends in its own time. A signal that is ignored, as SIGHUP under nohup, stays so; so do all in a
    thread that is not the main one, where Python hears none.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        interrupted.set()

    heeded = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    handlers = {number: signal.signal(number, interrupt) for number in heeded}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
