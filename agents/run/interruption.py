"""Orderly termination when the system or a user requests it."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = signal.SIGINT, signal.SIGTERM, signal.SIGHUP  # Ctrl-C; a scheduler; a closed terminal or connection


@contextmanager
def interruptible(interrupted: threading.Event) -> Iterator[None]:
    """Makes SIGINT, SIGTERM and SIGHUP set an event instead of ending the process.

    The code that checks the event ends in its own time. Ignored signals, like SIGHUP under nohup, remain ignored; so do
    all signals outside of the main thread, where Python cannot handle them.
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
