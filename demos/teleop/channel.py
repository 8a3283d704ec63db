"""The exchange between the control loop and a browser page, across two threads."""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

import numpy as np

from trailkit.demos.command import STILL, Button, Command
from trailkit.demos.teleop.base import Picture, Status

_SILENCE = 0.5  # s without a message from the page, after which nobody is present; it sends ten per second


class Moment(NamedTuple):
    """What the page should show."""

    number: int
    status: Status
    pictures: Mapping[str, Picture]
    heard: int  # the number of the newest message from the page when this was made


class Channel:
    """The newest command in one direction, the newest moment in the other; only button presses are never dropped."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._command = STILL
        self._buttons: deque[Button] = deque()
        self._heard = 0
        self._heard_at: float | None = None
        self._moment: Moment | None = None
        self._on_moment: Callable[[], None] = lambda: None

    def command(self) -> Command:
        """The person's current command; called by the control loop."""
        with self._lock:
            button = self._buttons.popleft() if self._buttons else None
            there = self.attended()
            return (self._command if there else STILL)._replace(button=button, connected=there)

    def attended(self) -> bool:
        """Whether a page is sending messages."""
        heard_at = self._heard_at
        return heard_at is not None and time.monotonic() - heard_at < _SILENCE

    def publish(self, status: Status, pictures: Mapping[str, Picture]) -> None:
        """Makes this the newest moment; called by the control loop."""
        with self._lock:
            number = self._moment.number + 1 if self._moment is not None else 0
            self._moment = Moment(number, status, pictures, self._heard)
        self._on_moment()

    def moment(self) -> Moment | None:
        """The newest moment, or None if there is none yet."""
        with self._lock:
            return self._moment

    def wake(self, loop: asyncio.AbstractEventLoop, event: asyncio.Event) -> None:
        """Sets an event, in the event loop of another thread, whenever there is a newer moment."""

        def wake() -> None:
            with suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(event.set)

        self._on_moment = wake

    def move(self, axes: Sequence[float], turn: Sequence[float], grip: float, number: int) -> None:
        """Takes in, clipped, what the page says of axes [3], turn [3] and the gripper; and its message's number."""
        clipped = np.clip(np.array([axes, turn], np.float32), -1.0, 1.0)
        with self._lock:
            self._command = Command(clipped[0], min(max(grip, -1.0), 1.0), clipped[1])
            self._heard, self._heard_at = number, time.monotonic()

    def press(self, button: Button) -> None:
        """Receives a button press. It ends an episode, so the gripper command is reset to not start the next one."""
        with self._lock:
            self._buttons.append(button)
            self._command = self._command._replace(grip=0.0)

    def leave(self) -> None:
        """Called when the page is gone."""
        with self._lock:
            self._command, self._heard_at = STILL, None
