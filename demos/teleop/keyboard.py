"""The keyboard as an input device: the hand moves while keys are held."""

from collections.abc import Iterable, Mapping

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
}  # the axis of `Command.axes` that each key moves, and its direction
_LEGEND = (
    (
        Hint(("W", "S"), "away, towards you"),
        Hint(("A", "D"), "left, right, or the arrow keys"),
        Hint(("E", "Q"), "up, down"),
    ),
    KEYBOARD_HINTS,
)


def axes_of(held: Iterable[int]) -> NDArray[np.float32]:
    """The axes [3] for the held keys. Opposite keys cancel out; keys that are not in `MOVES` are ignored."""
    axes = np.zeros(3, np.float32)
    for key, (axis, way) in MOVES.items():
        if key in held:
            axes[axis] += way
    return axes.clip(-1.0, 1.0)


class KeyboardDevice:
    """Moves the hand at full speed while keys are held in the window.

    While another window has the focus, the hand holds still and the episode continues.
    """

    def __init__(self) -> None:
        """Opens the window.

        Raises:
            UserError: If there is no screen to open it on, or pygame is not installed.
        """
        self._console = Console("keyboard", _LEGEND)

    def read(self) -> Command:
        """The command of the held keys; see `Teleoperator`."""
        return self._console.command(axes_of(self._console.poll().held))

    def show(self, status: Status, pictures: Mapping[str, Picture]) -> None:
        """Shows a moment in the window; see `Teleoperator`."""
        self._console.show(status, pictures)

    def close(self) -> None:
        """Closes the window. A second call does nothing."""
        self._console.close()
