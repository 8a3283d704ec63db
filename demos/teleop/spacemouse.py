"""A SpaceMouse as a device: the hand goes the way that its cap is pushed and turned."""

import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trailkit.demos.command import STILL, Button, Command
from trailkit.demos.extra import extra
from trailkit.demos.teleop.base import Picture, Status
from trailkit.demos.teleop.console import FINGERS, KEYBOARD_HINTS, Console, Hint
from trailkit.envs.errors import UserError

if TYPE_CHECKING:
    import pyspacemouse

# pyspacemouse is optional, so it is imported only where it is needed.
# ruff: noqa: PLC0415

_QUEUE = 63  # reports that Linux keeps; it drops those that come after, until some are read
_RETRY = 1.0  # s between two looks for a device that is gone
_HINTS = (
    Hint(("cap",), "pushed, pulled and lifted, moves the hand"),
    Hint(("left button",), FINGERS),
    Hint(("right button",), "keep"),
)
_TURN_HINTS = (Hint(("cap",), "tilted and twisted, turns the hand"),)


class Pushed(NamedTuple):
    """What a SpaceMouse reported since the last read."""

    axes: NDArray[np.float32]  # [3]
    turn: NDArray[np.float32]  # [3]
    left: int = 0  # how often its left button went down
    right: int = 0


class SpaceMouseDevice:
    """Moves and turns the hand with the first SpaceMouse there is, as fast as its cap is pushed and turned.

    While it is disconnected, the device counts as absent; once connected again, it continues. The window's keyboard
    also decides about episodes and moves the fingers.
    """

    def __init__(self, turns: bool = False) -> None:
        """Opens the SpaceMouse, and then the window.

        Args:
            turns: Whether the hand can be turned, which is to be shown.

        Raises:
            UserError: If there is no SpaceMouse or reading it is not permitted, there is no screen to open the window
                on, or a library is not installed.
        """
        hints = _HINTS + _TURN_HINTS if turns else _HINTS
        self._mouse = SpaceMouse()
        try:
            self._console = Console("SpaceMouse", (hints, KEYBOARD_HINTS))
        except UserError:
            self._mouse.close()
            raise

    def read(self) -> Command:
        """The SpaceMouse's current command; see `Teleoperator`."""
        self._console.poll()
        pushed = self._mouse.read()
        if pushed is None:
            return self._console.command(STILL.axes, connected=False)
        for _ in range(pushed.left):
            self._console.toggle_grip()
        for _ in range(pushed.right):
            self._console.press(Button.KEEP)
        return self._console.command(pushed.axes, pushed.turn)

    def show(self, status: Status, pictures: Mapping[str, Picture]) -> None:
        """Shows a moment in the window; see `Teleoperator`."""
        self._console.show(status, pictures)

    def close(self) -> None:
        """Closes the window and releases the SpaceMouse. A second call does nothing."""
        self._mouse.close()
        self._console.close()


class SpaceMouse:
    """The first SpaceMouse, read report by report, so that no press between two control steps is missed."""

    def __init__(self) -> None:
        """Opens the device.

        Raises:
            UserError: If there is none, reading it is not permitted, or a library is not installed.
        """
        with extra("teleop"):
            self._device: pyspacemouse.SpaceMouseDevice | None = _open()
        self._tried = 0.0
        self._begin()

    def _begin(self) -> None:
        self._axes, self._turn = STILL.axes, STILL.turn
        self._down = (False, False)
        self._heard = 0.0  # when the newest report arrived

    def read(self) -> Pushed | None:
        """What it reported since the last call; None while it is disconnected."""
        from easyhid import HIDException

        if self._device is None and time.monotonic() - self._tried > _RETRY:
            self._tried = time.monotonic()
            with suppress(UserError):
                self._device = _open()
                self._begin()
        if self._device is None:
            return None
        try:
            return self._take(self._device)
        except HIDException:
            self.close()
            return None

    def _take(self, device: "pyspacemouse.SpaceMouseDevice") -> Pushed:
        """Processes all reports that arrived. Without any, the cap is where it was."""
        reports, presses = 0, [0, 0]
        while (state := device.read()).t > self._heard:
            self._heard = state.t
            reports += 1
            down = _are_down(state, device.info.button_specs)
            presses = [
                count + (now and not before) for count, now, before in zip(presses, down, self._down, strict=True)
            ]
            self._down = down
            # In pyspacemouse's frame HID_Z_UP roll, pitch and yaw are about its x, y and z, by the right-hand rule.
            self._axes = np.array([state.x, state.y, state.z], np.float32).clip(-1.0, 1.0)
            self._turn = np.array([state.roll, state.pitch, state.yaw], np.float32).clip(-1.0, 1.0)
        if reports >= _QUEUE:  # the report that the cap was let go may be among the dropped ones
            self._axes, self._turn = STILL.axes, STILL.turn
        return Pushed(self._axes, self._turn, *presses)

    def close(self) -> None:
        """Releases the device. A second call does nothing."""
        if self._device is not None:
            self._device.close()
            self._device = None


def _are_down(state: "pyspacemouse.SpaceMouseState", specs: "Iterable[pyspacemouse.ButtonSpec]") -> tuple[bool, bool]:
    """Whether the left and the right button are down, as reported: MENU and FIT on large devices."""
    down = {spec.bit for spec, pressed in zip(specs, state.buttons, strict=True) if pressed and spec.byte == 1}
    return 0 in down, 1 in down


def _open() -> "pyspacemouse.SpaceMouseDevice":
    """Opens the first SpaceMouse; see `SpaceMouse`."""
    import pyspacemouse

    try:
        found = pyspacemouse.get_connected_devices()
    except RuntimeError as error:
        raise UserError(
            "a SpaceMouse is read with hidapi, which is missing: sudo apt-get install libhidapi-hidraw0, or on macOS "
            "brew install hidapi"
        ) from error
    if not found:
        raise UserError("no SpaceMouse is there: connect one, or take device=keyboard")
    try:
        return pyspacemouse.open(axis_convention=pyspacemouse.AxisConvention.HID_Z_UP)
    except RuntimeError as error:
        raise UserError(
            f"{found[0]} may not be read: on Linux allow it with `sudo cp {udev_rule()} /etc/udev/rules.d/ && "
            "sudo udevadm control --reload && sudo udevadm trigger --subsystem-match=hidraw`, on macOS quit 3DxWare"
        ) from error


def udev_rule() -> Path:
    """The file that lets users read these devices on Linux, if installed in /etc/udev/rules.d."""
    return Path(str(resources.files("trailkit.demos.teleop") / "70-spacemouse.rules"))
