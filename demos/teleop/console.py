"""What the window-based devices share: the images, the keys that decide about an episode, the gripper toggle."""

import os
from collections import deque
from collections.abc import Mapping
from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trailkit.demos.command import STILL, Button, Command
from trailkit.demos.extra import extra
from trailkit.demos.teleop.base import Picture, Status


class Key(IntEnum):
    """Keys by their position, named as on a US keyboard: USB usage numbers, which are SDL's scancodes."""

    A = 4
    D = 7
    E = 8
    I = 12  # noqa: E741  # a key's name
    J = 13
    K = 14
    L = 15
    O = 18  # noqa: E741
    Q = 20
    R = 21
    S = 22
    U = 24
    W = 26
    ENTER = 40
    ESCAPE = 41
    BACKSPACE = 42
    SPACE = 44
    PAGE_UP = 75
    DELETE = 76
    PAGE_DOWN = 78
    RIGHT = 79
    LEFT = 80
    DOWN = 81
    UP = 82
    KEYPAD_ENTER = 88


DECISIONS = {
    Key.ENTER: Button.KEEP,
    Key.KEYPAD_ENTER: Button.KEEP,
    Key.BACKSPACE: Button.DISCARD,
    Key.DELETE: Button.DISCARD,
    Key.R: Button.RERECORD,
    Key.ESCAPE: Button.STOP,
}


class Hint(NamedTuple):
    """An entry of the key map."""

    keys: tuple[str, ...]
    meaning: str


FINGERS = "close or open the fingers"
KEYBOARD_HINTS = (
    Hint(("Space",), FINGERS),
    Hint(("Enter",), "keep"),
    Hint(("Backspace",), "discard"),
    Hint(("R",), "record again"),
    Hint(("Esc",), "stop"),
)


class Input(NamedTuple):
    """The input that a window received since the last poll."""

    held: frozenset[int]  # keys that are down, or were for a moment since
    pressed: tuple[int, ...] = ()  # keys newly pressed, in order
    pad: tuple[int, ...] = ()  # gamepad buttons newly pressed, by their numbers in SDL's standard layout
    closed: bool = False  # whether the person closed the window


class Moment(NamedTuple):
    """What a window shows."""

    status: Status
    pictures: Mapping[str, Picture]
    grip: float
    connected: bool


class Console:
    """A window, and the person's decisions made in it or on its device."""

    def __init__(self, device: str, legend: tuple[tuple[Hint, ...], ...]) -> None:
        """Opens the window.

        Args:
            device: The person's device, to be named when it is disconnected.
            legend: The rows of the key map.

        Raises:
            UserError: If there is no screen to open it on, or pygame is not installed.
        """
        os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
        with extra("teleop"):
            from trailkit.demos.teleop.window import Window  # noqa: PLC0415  # it needs the extra
        self._window = Window(device, legend)
        self._buttons: deque[Button] = deque()
        self._grip = 0.0
        self._attempt = 0
        self._connected = True

    def poll(self) -> Input:
        """Handles the window's input: the decision keys, the gripper key, and closing."""
        given = self._window.poll()
        for key in given.pressed:
            if key == Key.SPACE:
                self.toggle_grip()
            elif key in DECISIONS:
                self.press(DECISIONS[Key(key)])
        if given.closed:
            self.press(Button.STOP)
        return given

    def press(self, button: Button) -> None:
        """Queues a decision."""
        self._buttons.append(button)

    def toggle_grip(self) -> None:
        """Closes the fingers, or opens them if they are closing."""
        self._grip = -1.0 if self._grip > 0 else 1.0

    def command(
        self, axes: NDArray[np.float32], turn: NDArray[np.float32] = STILL.turn, connected: bool = True
    ) -> Command:
        """What is commanded with these axes [3] and turn [3], and the first decision that was not reported yet."""
        self._connected = connected
        button = self._buttons.popleft() if self._buttons else None
        if button is not None:
            self._grip = 0.0  # the next attempt waits for the person's first move, which this would be
        return Command(axes, self._grip, turn, button, connected)

    def show(self, status: Status, pictures: Mapping[str, Picture]) -> None:
        """Shows a moment. The gripper command is reset at the start of an attempt."""
        if status.attempt != self._attempt:
            self._attempt, self._grip = status.attempt, 0.0
        self._window.show(Moment(status, pictures, self._grip, self._connected))

    def close(self) -> None:
        """Closes the window. A second call does nothing."""
        self._window.close()
