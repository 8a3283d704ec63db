import sys

import numpy as np
import pytest
from environments import run_python

from trailkit.demos.command import Button
from trailkit.demos.teleop.base import Phase, Status
from trailkit.demos.teleop.console import KEYBOARD_HINTS, Console

AXES, TURN = np.array([0.5, 0, -1], np.float32), np.array([0, 1, 0], np.float32)
STATUS = Status(Phase.PLAYING, 0, 5, 1, 1.0, 1.5, False)


@pytest.fixture
def console(screen):
    console = Console("keyboard", (KEYBOARD_HINTS,))
    yield console
    console.close()


def test_a_command_carries_axes_and_turn_and_whether_the_device_is_there(console):
    command = console.command(AXES)
    assert command.axes is AXES and command.grip == 0 and command.button is None and command.connected
    assert not command.turn.any() and console.command(AXES, TURN).turn is TURN
    assert not console.command(AXES, connected=False).connected


def test_decisions_wait_for_their_turn(console):
    console.press(Button.DISCARD)
    console.press(Button.KEEP)
    assert [console.command(AXES).button for _ in range(3)] == [Button.DISCARD, Button.KEEP, None]


def test_the_fingers_rest_from_a_decision_on_so_that_they_do_not_begin_the_next_attempt(console):
    console.toggle_grip()
    assert console.command(AXES).grip == 1
    console.press(Button.KEEP)
    assert [console.command(AXES).grip for _ in range(2)] == [0, 0]


def test_an_attempt_begins_with_the_fingers_at_rest(console):
    console.show(STATUS, {})
    console.toggle_grip()
    console.show(STATUS, {})
    assert console.command(AXES).grip == 1
    console.show(STATUS._replace(attempt=2), {})
    assert console.command(AXES).grip == 0


def test_without_pygame_the_extra_is_named():
    program = f"""
import sys
sys.path[:] = {sys.path!r}
sys.modules["pygame"] = None
from trailkit.demos.teleop.keyboard import KeyboardDevice
from trailkit.envs.errors import UserError
try:
    KeyboardDevice()
except UserError as error:
    print(error)
"""
    result = run_python(program)
    assert "pip install 'trailkit[teleop]'" in result.stdout and len(result.stdout.splitlines()) == 1, result.stderr


def test_pygame_greets_nobody(screen):
    program = "from trailkit.demos.teleop.keyboard import KeyboardDevice\nKeyboardDevice().close()"
    result = run_python(program, DISPLAY=screen.display)
    assert result.returncode == 0 and result.stdout == result.stderr == ""
