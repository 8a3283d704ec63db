"""The keyboard as a device: the hand moves and turns while keys are held."""

from collections.abc import Collection, Mapping

import numpy as np
from numpy.typing import NDArray

from trailkit.demos.command import Command
from trailkit.demos.teleop.base import Picture, Status
from trailkit.demos.teleop.console import KEYBOARD_HINTS, Console, Hint, Key

MOVES = {
    **dict.fromkeys((Key.D, Key.RIGHT), (0, 1)),
    **dict.fromkeys((Key.A, Key.LEFT), (0, -1)),
    **dict.fromkeys((Key.W, Key.UP), (1, 1)),
    **dict.fromkeys((Key.S, Key.DOWN), (1, -1)),
    **dict.fromkeys((Key.E, Key.PAGE_UP), (2, 1)),
    **dict.fromkeys((Key.Q, Key.PAGE_DOWN), (2, -1)),
}  # the axis of `Command.axes` that each moves, and which way
TURNS = {
    Key.K: (0, 1),
    Key.I: (0, -1),
    Key.L: (1, 1),
    Key.J: (1, -1),
    Key.U: (2, 1),
    Key.O: (2, -1),
}  # the same of `Command.turn`: the hand's top goes where the key lies, and U turns it to the left
_MOVE_HINTS = (
    Hint(("W", "S"), "away, towards you"),
    Hint(("A", "D"), "left, right, or the arrow keys"),
    Hint(("E", "Q"), "up, down"),
)
_TURN_HINTS = (
    Hint(("I", "K"), "tilt away, towards you"),
    Hint(("J", "L"), "tilt left, right"),
    Hint(("U", "O"), "turn left, right"),
)


def axes_of(held: Collection[int]) -> NDArray[np.float32]:
    """The axes [3] that held keys ask for. Opposite keys cancel out; others than those of `MOVES` do nothing."""
    return _sum(MOVES, held)


def turn_of(held: Collection[int]) -> NDArray[np.float32]:
    """The turn [3] that held keys ask for, as `axes_of` has the axes."""
    return _sum(TURNS, held)


def _sum(ways: Mapping[Key, tuple[int, int]], held: Collection[int]) -> NDArray[np.float32]:
    total = np.zeros(3, np.float32)
    for key, (axis, way) in ways.items():
        if key in held:
            total[axis] += way
    return total.clip(-1.0, 1.0)


class KeyboardDevice:
    """Moves and turns the hand at full speed while keys are held in the window.

    While another window has the focus, the hand holds still and the episode continues.
    """

    def __init__(self, turns: bool = False) -> None:
        """Opens the window.

        Args:
            turns: Whether the hand can be turned, so that its keys are to be shown.

        Raises:
            UserError: If there is no screen to open it on, or pygame is not installed.
        """
        hints = _MOVE_HINTS + _TURN_HINTS if turns else _MOVE_HINTS
        self._console = Console("keyboard", (hints, KEYBOARD_HINTS))

    def read(self) -> Command:
        """What the keys say; see `Teleoperator`."""
        held = self._console.poll().held
        return self._console.command(axes_of(held), turn_of(held))

    def show(self, status: Status, pictures: Mapping[str, Picture]) -> None:
        """Shows a moment in the window; see `Teleoperator`."""
        self._console.show(status, pictures)

    def close(self) -> None:
        """Closes the window. A second call does nothing."""
        self._console.close()
