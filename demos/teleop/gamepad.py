"""A gamepad as a device: its sticks move the hand, the right one and the D-pad turn it."""

from collections.abc import Collection, Mapping
from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trailkit.demos.command import STILL, Button, Command
from trailkit.demos.teleop.base import Picture, Status
from trailkit.demos.teleop.console import FINGERS, KEYBOARD_HINTS, Console, Hint
from trailkit.envs.errors import UserError

if TYPE_CHECKING:
    from pygame._sdl2.controller import Controller

# pygame is optional, and the console reports if it is missing.
# ruff: noqa: PLC0415


class Pad(IntEnum):
    """Buttons by their numbers in SDL's standard layout, named as on an Xbox pad."""

    A = 0
    B = 1
    X = 2
    BACK = 4
    START = 6
    DPAD_UP = 11
    DPAD_DOWN = 12
    DPAD_LEFT = 13
    DPAD_RIGHT = 14


class Stick(IntEnum):
    """The axes of the sticks by their numbers in SDL's standard layout; positive is right and down."""

    LEFT_X = 0
    LEFT_Y = 1
    RIGHT_X = 2
    RIGHT_Y = 3


DECISIONS = {Pad.START: Button.KEEP, Pad.B: Button.DISCARD, Pad.X: Button.RERECORD, Pad.BACK: Button.STOP}
_FULL = 32767  # full deflection
_NONE = "no gamepad is there: connect one, on Linux so that you may read its /dev/input/event*, or take device=keyboard"
_STRANGE = (
    "what the buttons of the gamepad are is not known: describe it in the variable SDL_GAMECONTROLLERCONFIG, or take "
    "another one"
)
_HINTS = (
    Hint(("left stick",), "in the plane"),
    Hint(("right stick",), "up, down"),
    Hint(("A",), FINGERS),
    Hint(("Start",), "keep"),
    Hint(("B",), "discard"),
    Hint(("X",), "record again"),
    Hint(("Back",), "stop"),
)
_TURN_HINTS = (
    Hint(("D-pad",), "tilt away, towards you, left, right"),
    Hint(("right stick",), "turn left, right"),
)


def axes_of(deflection: Mapping[Stick, int]) -> NDArray[np.float32]:
    """The axes [3] for the sticks' deflections in [-32768, 32767]."""
    right, away, up = deflection[Stick.LEFT_X], -deflection[Stick.LEFT_Y], -deflection[Stick.RIGHT_Y]
    return (np.array([right, away, up], np.float32) / _FULL).clip(-1.0, 1.0)


def turn_of(deflection: Mapping[Stick, int], held: Collection[Pad]) -> NDArray[np.float32]:
    """The turn [3] that the right stick and the held buttons of the D-pad ask for: the way that the hand's top goes."""
    towards = (Pad.DPAD_DOWN in held) - (Pad.DPAD_UP in held)
    right = (Pad.DPAD_RIGHT in held) - (Pad.DPAD_LEFT in held)
    return np.array([towards, right, -deflection[Stick.RIGHT_X] / _FULL], np.float32).clip(-1.0, 1.0)


class GamepadDevice:
    """Moves and turns the hand with the first gamepad there is, as fast as its sticks are deflected.

    While no gamepad is connected, the device counts as absent; the next one connected takes over. The window's keyboard
    also decides about episodes and moves the fingers.
    """

    def __init__(self, turns: bool = False) -> None:
        """Opens the window and the gamepad.

        Args:
            turns: Whether the hand can be turned, and what does that is to be shown.

        Raises:
            UserError: If there is no screen to open the window on, no gamepad, or pygame is not installed.
        """
        self._console = Console("gamepad", (_HINTS + _TURN_HINTS if turns else _HINTS, KEYBOARD_HINTS))
        try:
            self._gamepads = _Gamepads()
        except UserError:
            self._console.close()
            raise

    def read(self) -> Command:
        """The gamepad's current command; see `Teleoperator`."""
        for button in self._console.poll().pad:
            if button == Pad.A:
                self._console.toggle_grip()
            elif button in DECISIONS:
                self._console.press(DECISIONS[Pad(button)])
        given = self._gamepads.read()
        if given is None:
            return self._console.command(STILL.axes, connected=False)
        return self._console.command(axes_of(given.deflection), turn_of(*given))

    def show(self, status: Status, pictures: Mapping[str, Picture]) -> None:
        """Shows a moment in the window; see `Teleoperator`."""
        self._console.show(status, pictures)

    def close(self) -> None:
        """Closes the window and releases the gamepad. A second call does nothing."""
        self._gamepads.close()
        self._console.close()


class _Given(NamedTuple):
    """How a gamepad is held at one moment."""

    deflection: dict[Stick, int]
    held: frozenset[Pad]


class _Gamepads:
    """This machine's gamepads, of which at most one is open. An open one sends its buttons to the window."""

    def __init__(self) -> None:
        from pygame._sdl2 import controller

        controller.init()
        self._open: Controller | None = None
        if self.read() is None:
            strangers = controller.get_count()
            controller.quit()
            raise UserError(_STRANGE if strangers else _NONE)

    def read(self) -> _Given | None:
        """How the open gamepad is held; opens the first there is if none is open."""
        from pygame._sdl2 import controller

        if self._open is not None and not self._open.attached():
            self._open.quit()
            self._open = None
        if self._open is None:
            known = filter(controller.is_controller, range(controller.get_count()))
            self._open = next(map(controller.Controller, known), None)
        if self._open is None:
            return None
        deflection = {stick: self._open.get_axis(stick) for stick in Stick}
        return _Given(deflection, frozenset(filter(self._open.get_button, Pad)))

    def close(self) -> None:
        """Releases the gamepad. A second call does nothing."""
        from pygame._sdl2 import controller

        self._open = None
        controller.quit()
