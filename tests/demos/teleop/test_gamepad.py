"""The gamepad is one of SDL's virtual ones: all but the hardware and its driver is real."""

import ctypes

import numpy as np
import pygame
import pytest
from pygame._sdl2 import controller
from screen import assert_same_as_script, meanings
from teleoperation import GONE, REST, move, press

from trailkit.demos.command import Button
from trailkit.demos.teleop.base import Teleoperator
from trailkit.demos.teleop.gamepad import DECISIONS, GamepadDevice, Pad, Stick, axes_of, turn_of
from trailkit.envs.errors import UserError

GAMECONTROLLER, UNKNOWN = 1, 0  # kinds of joysticks to SDL
FULL = 32767
NAMES = {"lx": Stick.LEFT_X, "ly": Stick.LEFT_Y, "rx": Stick.RIGHT_X, "ry": Stick.RIGHT_Y}
AT_REST = dict.fromkeys(Stick, 0)


class VirtualPad:
    """A gamepad that SDL takes for a connected one."""

    def __init__(self, kind=GAMECONTROLLER):
        self._sdl = ctypes.CDLL(pygame.base.__file__)  # through which the SDL that pygame brings is found
        self._sdl.SDL_JoystickOpen.restype = ctypes.c_void_p
        self._kind = kind
        self.connect()

    def connect(self):
        assert self._sdl.SDL_JoystickAttachVirtual(self._kind, 6, 15, 0) == 0
        self._joystick = ctypes.c_void_p(self._sdl.SDL_JoystickOpen(0))

    def disconnect(self):
        assert self._sdl.SDL_JoystickDetachVirtual(0) == 0

    def push(self, **deflections):
        for name, deflection in deflections.items():
            self._sdl.SDL_JoystickSetVirtualAxis(self._joystick, NAMES[name], ctypes.c_int16(deflection))

    def press(self, *buttons):
        """Presses buttons shortly, one after another."""
        for button in buttons:
            self.hold(button)
            self.hold(button, False)

    def hold(self, button, down=True):
        self._sdl.SDL_JoystickSetVirtualButton(self._joystick, button, int(down))
        self._sdl.SDL_JoystickUpdate()


@pytest.fixture
def joysticks():
    pygame.joystick.init()
    yield
    pygame.joystick.quit()


@pytest.fixture
def pad(joysticks):
    return VirtualPad()


@pytest.fixture
def device(pad, screen):
    device = GamepadDevice()
    yield device
    device.close()


def axes(device):
    return device.read().axes.tolist()


def test_the_sticks_are_axes():
    assert axes_of({Stick.LEFT_X: FULL, Stick.LEFT_Y: 0, Stick.RIGHT_Y: 0}).tolist() == [1, 0, 0]
    assert axes_of({Stick.LEFT_X: 0, Stick.LEFT_Y: FULL, Stick.RIGHT_Y: 0}).tolist() == [0, -1, 0]
    assert axes_of({Stick.LEFT_X: 0, Stick.LEFT_Y: 0, Stick.RIGHT_Y: FULL}).tolist() == [0, 0, -1]
    ends = axes_of({Stick.LEFT_X: -FULL - 1, Stick.LEFT_Y: -FULL - 1, Stick.RIGHT_Y: -FULL - 1})
    assert ends.tolist() == [-1, 1, 1] and ends.dtype == np.float32


@pytest.mark.parametrize(
    ("held", "wanted"),
    [
        ({Pad.DPAD_DOWN}, [1, 0, 0]),
        ({Pad.DPAD_UP}, [-1, 0, 0]),
        ({Pad.DPAD_RIGHT}, [0, 1, 0]),
        ({Pad.DPAD_LEFT}, [0, -1, 0]),
        ({Pad.DPAD_UP, Pad.DPAD_RIGHT, Pad.A}, [-1, 1, 0]),
    ],
)
def test_the_d_pad_tilts(held, wanted):
    assert turn_of(AT_REST, held).tolist() == wanted


def test_the_right_stick_turns():
    assert turn_of(AT_REST | {Stick.RIGHT_X: FULL}, ()).tolist() == [0, 0, -1]
    ends = turn_of(dict.fromkeys(Stick, -FULL - 1), ())
    assert ends.tolist() == [0, 0, 1] and ends.dtype == np.float32


def test_buttons_and_sticks_are_numbered_as_in_sdls_standard_layout():
    assert {each.name: each.value for each in Pad} == {
        each.name: vars(pygame)[f"CONTROLLER_BUTTON_{each.name}"] for each in Pad
    }
    assert list(Stick) == [
        pygame.CONTROLLER_AXIS_LEFTX,
        pygame.CONTROLLER_AXIS_LEFTY,
        pygame.CONTROLLER_AXIS_RIGHTX,
        pygame.CONTROLLER_AXIS_RIGHTY,
    ]
    assert set(DECISIONS.values()) == set(Button)


def test_the_gamepad_is_a_teleoperator(device):
    assert isinstance(device, Teleoperator)


def test_the_hand_moves_as_the_sticks_are_deflected(device, pad):
    assert axes(device) == [0, 0, 0]
    pad.push(lx=FULL)
    assert [axes(device) for _ in range(2)] == [[1, 0, 0]] * 2
    pad.push(lx=0, ly=-FULL)
    assert axes(device) == [0, 1, 0]
    pad.push(ly=0, ry=-FULL - 1)
    assert axes(device) == [0, 0, 1]
    pad.push(ry=FULL // 2)
    assert axes(device) == pytest.approx([0, 0, -0.5], abs=1e-4)


def test_the_hand_turns_while_the_d_pad_is_held_and_the_right_stick_deflected(device, pad):
    pad.hold(Pad.DPAD_LEFT)
    pad.push(rx=-FULL)
    said = [device.read() for _ in range(2)]
    assert [each.turn.tolist() for each in said] == [[0, -1, 1]] * 2
    assert not any(each.axes.any() or each.button for each in said)
    pad.hold(Pad.DPAD_LEFT, False)
    pad.push(rx=0)
    assert not device.read().turn.any()


@pytest.mark.parametrize("turns", [False, True])
def test_how_to_turn_the_hand_is_said_where_it_turns(pad, screen, turns):
    device = GamepadDevice(turns)
    assert ("tilt away, towards you, left, right; turn left, right" in meanings(device)) is turns
    device.close()


def test_events_that_nobody_reads_do_not_pile_up(device, pad):
    for deflection in (FULL, 0):
        pad.push(lx=deflection)
        device.read()
        assert not pygame.event.peek(pump=False)


def test_buttons_decide_and_move_the_fingers_however_shortly_they_are_pressed(device, pad):
    pad.press(Pad.A)
    assert [device.read().grip for _ in range(2)] == [1, 1]
    pad.press(Pad.A)
    assert device.read().grip == -1
    pad.press(Pad.START, Pad.B, Pad.X, Pad.BACK)
    assert [device.read().button for _ in range(5)] == ["keep", "discard", "rerecord", "stop", None]


def test_other_buttons_do_nothing(device, pad):
    pad.press(*set(range(15)) - set(Pad))
    command = device.read()
    assert command.button is None and command.grip == 0 and not command.axes.any() and not command.turn.any()


def test_the_keyboard_decides_too_but_does_not_move(device, screen):
    screen.type("keydown", "w", "key", "space", "key", "r")
    command = device.read()
    assert command.axes.tolist() == [0, 0, 0] and command.button is Button.RERECORD
    screen.type("keyup", "w", "key", "space")
    assert device.read().grip == 1


def test_a_gamepad_that_is_unplugged_is_nobody_until_it_is_plugged_in_again(device, pad):
    pad.push(lx=FULL)
    assert device.read().connected
    pad.disconnect()
    said = [device.read() for _ in range(3)]
    assert not any(each.connected or each.axes.any() for each in said)
    pad.connect()
    pad.push(ly=FULL)
    command = device.read()
    assert command.connected and command.axes.tolist() == [0, -1, 0]
    pad.press(Pad.START)
    assert device.read().button is Button.KEEP


def test_without_a_gamepad_a_person_is_told_what_to_do(screen, joysticks):
    with pytest.raises(UserError, match="no gamepad is there: connect one"):
        GamepadDevice()
    assert not pygame.display.get_init() and not controller.get_init()


def test_of_a_joystick_of_unknown_layout_a_person_is_told_what_to_do(screen, joysticks):
    stick = VirtualPad(UNKNOWN)
    with pytest.raises(UserError, match="is not known: describe it in the variable SDL_GAMECONTROLLERCONFIG"):
        GamepadDevice()
    stick.disconnect()


def test_closing_the_device_twice_does_nothing(device):
    device.close()
    device.close()
    assert not pygame.display.get_init() and not controller.get_init()


def test_sticks_record_what_the_same_commands_sent_by_a_script_do(device, pad, reach, tmp_path):
    half = float(np.float32(16384) / np.float32(FULL))

    def push(**deflections):
        return lambda: pad.push(**deflections)

    plan = [
        (push(), REST),
        (push(lx=16384), move(right=half)),
        (push(ly=-FULL), move(right=half, away=1)),
        (push(lx=0, ly=0, ry=16384), move(up=-half)),
        (lambda: pad.press(Pad.A), move(up=-half, grip=1)),
        (lambda: pad.press(Pad.A), move(up=-half, grip=-1)),
        (pad.disconnect, GONE._replace(grip=-1)),
        (push(), GONE._replace(grip=-1)),
        (pad.connect, REST._replace(grip=-1)),
        (push(lx=-FULL - 1), move(right=-1, grip=-1)),
        (lambda: pad.press(Pad.START), press("keep")),
        (push(lx=0), REST),
        (push(ry=-FULL), move(up=1)),
        (lambda: pad.press(Pad.X), press("rerecord")),
        (push(ry=-16384), move(up=half)),
        (lambda: pad.press(Pad.B), press("discard")),
        (push(ry=0, ly=FULL), move(away=-1)),
        (lambda: pad.press(Pad.START), press("keep")),
        (lambda: pad.press(Pad.BACK), press("stop")),
    ]
    assert_same_as_script(reach, device, plan, tmp_path)
