"""The SpaceMouse is a source of raw reports in the place of the C library hidapi: all above it is real."""

import fnmatch
import re
import struct
import time
from itertools import chain

import easyhid.easyhid
import numpy as np
import pygame
import pyspacemouse
import pytest
from screen import assert_same_as_script, meanings
from teleoperation import GONE, REST, move, press

from trailkit.demos.command import Button
from trailkit.demos.teleop import spacemouse
from trailkit.demos.teleop.base import Teleoperator
from trailkit.demos.teleop.spacemouse import SpaceMouse, SpaceMouseDevice, udev_rule
from trailkit.envs.errors import UserError

FFI = easyhid.easyhid.ffi
COMPACT, PRO, ENTERPRISE = (0x256F, 0xC635), (0x046D, 0xC62B), (0x256F, 0xC633)
FULL = 350  # deflection


def push(right=0, towards=0, down=0):
    """A report of the cap, in the device's own directions."""
    return struct.pack("<B3h", 1, right, towards, down)


def turn(*angles):
    """A report of how the cap is turned about the same directions."""
    return struct.pack("<B3h", 2, *angles)


def buttons(left=False, right=False):
    return struct.pack("<BBBB", 3, left | right << 1, 0, 0)


class FakeHidapi:
    """The C library with one SpaceMouse, as far as easyhid calls it."""

    def __init__(self, ids=COMPACT):
        self.plugged, self.readable, self.opened = True, True, 0
        self._reports = []
        self._path = FFI.new("char[]", b"/dev/hidraw3")
        self._names = [FFI.new("wchar_t[]", name) for name in ("SpaceMouse", "3Dconnexion", "")]
        self._info = FFI.new("struct hid_device_info *")
        self._info.path, (self._info.vendor_id, self._info.product_id) = self._path, ids
        self._info.product_string, self._info.manufacturer_string, self._info.serial_number = self._names

    def say(self, *reports):
        self._reports += reports

    def hid_enumerate(self, vendor, product):
        return self._info if self.plugged else FFI.NULL

    def hid_free_enumeration(self, info):
        pass

    def hid_open_path(self, path):
        if not (self.plugged and self.readable):
            return FFI.NULL
        self.opened += 1
        return FFI.cast("hid_device *", 1)

    def hid_set_nonblocking(self, device, nonblocking):
        assert nonblocking
        return 0

    def hid_read(self, device, data, size):
        if not self.plugged:
            return -1
        if not self._reports:
            return 0
        report = self._reports.pop(0)[:size]
        FFI.buffer(data, size)[: len(report)] = report
        return len(report)

    def hid_close(self, device):
        self.opened -= 1


@pytest.fixture
def hid(monkeypatch):
    hid = FakeHidapi()
    monkeypatch.setattr(easyhid.easyhid, "hidapi", hid)
    return hid


@pytest.fixture
def mouse(hid):
    mouse = SpaceMouse()
    yield mouse
    mouse.close()


@pytest.fixture
def device(hid, screen):
    device = SpaceMouseDevice()
    yield device
    device.close()


def axes(mouse):
    return mouse.read().axes.tolist()


@pytest.mark.parametrize(
    ("report", "wanted"),
    [
        (push(right=FULL), [1, 0, 0]),
        (push(towards=FULL), [0, -1, 0]),
        (push(towards=-FULL), [0, 1, 0]),
        (push(down=FULL), [0, 0, -1]),
        (push(down=-FULL), [0, 0, 1]),
        (push(right=-175, towards=-175), [-0.5, 0.5, 0]),
        (push(right=-500), [-1, 0, 0]),
        (turn(FULL, FULL, FULL), [0, 0, 0]),
    ],
)
def test_the_cap_is_axes(mouse, hid, report, wanted):
    hid.say(report)
    assert mouse.read().axes.dtype == np.float32
    assert axes(mouse) == wanted  # it reports no further while it is held still


@pytest.mark.parametrize(
    ("report", "wanted"),
    [
        (turn(FULL, 0, 0), [1, 0, 0]),  # its top towards the person
        (turn(0, FULL, 0), [0, -1, 0]),  # to the left
        (turn(0, 0, FULL), [0, 0, -1]),  # clockwise, seen from above
        (turn(-175, -175, -500), [-0.5, 0.5, 1]),
        (push(right=FULL, towards=FULL, down=FULL), [0, 0, 0]),
    ],
)
def test_the_cap_turned_is_a_turn_by_the_right_hand_rule(mouse, hid, report, wanted):
    hid.say(report)
    assert mouse.read().turn.dtype == np.float32
    assert mouse.read().turn.tolist() == wanted


def test_a_large_device_tells_pushes_and_turns_in_one_report(monkeypatch):
    hid = FakeHidapi(ENTERPRISE)
    monkeypatch.setattr(easyhid.easyhid, "hidapi", hid)
    mouse = SpaceMouse()
    hid.say(struct.pack("<B6h", 1, FULL, 0, 0, 0, 0, -FULL))
    said = mouse.read()
    assert (said.axes.tolist(), said.turn.tolist()) == ([1, 0, 0], [0, 0, 1])
    mouse.close()


def test_the_newest_report_counts(mouse, hid):
    hid.say(*[push(right=way) for way in range(0, 300, 10)], push(), turn(1, 2, 3))
    assert axes(mouse) == [0, 0, 0]


def test_a_press_between_two_steps_is_not_missed(mouse, hid):
    hid.say(buttons(left=True), buttons(), buttons(left=True), push(), buttons(), buttons(right=True))
    assert mouse.read()[2:] == (2, 1)
    assert mouse.read()[2:] == (0, 0)
    hid.say(buttons(), buttons(left=True, right=True))
    assert mouse.read()[2:] == (1, 1)


def test_on_a_device_with_many_buttons_two_of_them_count(monkeypatch):
    hid = FakeHidapi(PRO)
    monkeypatch.setattr(easyhid.easyhid, "hidapi", hid)
    mouse = SpaceMouse()
    names = pyspacemouse.get_device_specs()["SpaceMousePro"].button_names
    assert {"MENU", "FIT"} < set(names)
    hid.say(struct.pack("<5B", 3, 0b11111100, 255, 255, 255), buttons())
    assert mouse.read()[2:] == (0, 0)
    hid.say(buttons(left=True, right=True))
    assert mouse.read()[2:] == (1, 1)
    mouse.close()


def test_after_a_pause_so_long_that_reports_were_dropped_the_cap_is_taken_to_be_at_rest(mouse, hid):
    hid.say(*[push(right=FULL), turn(FULL, 0, 0)] * 35)
    said = mouse.read()
    assert not said.axes.any() and not said.turn.any()
    hid.say(push(right=FULL))
    assert axes(mouse) == [1, 0, 0]


def test_one_that_is_unplugged_is_gone_until_it_is_plugged_in_again(mouse, hid, monkeypatch):
    hid.say(push(right=FULL))
    assert axes(mouse) == [1, 0, 0]
    hid.plugged = False
    assert mouse.read() is None and mouse.read() is None and hid.opened == 0
    monkeypatch.setattr(spacemouse, "_RETRY", 0.05)
    time.sleep(0.06)
    assert mouse.read() is None
    hid.plugged = True
    time.sleep(0.06)
    assert axes(mouse) == [0, 0, 0]
    hid.say(push(down=-FULL))
    assert axes(mouse) == [0, 0, 1] and hid.opened == 1


def test_one_that_is_gone_is_looked_for_once_a_second_only(mouse, hid, monkeypatch):
    hid.plugged = False
    looked = []
    monkeypatch.setattr(hid, "hid_enumerate", lambda *ids: looked.append(ids) or FFI.NULL)
    for _ in range(50):
        assert mouse.read() is None
    assert len(looked) == 1


def test_without_one_a_person_is_told_what_to_do(hid):
    hid.plugged = False
    with pytest.raises(UserError, match="no SpaceMouse is there: connect one, or take device=keyboard"):
        SpaceMouse()


def test_one_that_may_not_be_read_names_the_rule_and_how_to_install_it(hid):
    hid.readable = False
    with pytest.raises(UserError, match="SpaceMouseCompact may not be read: on Linux allow it") as caught:
        SpaceMouse()
    assert f"sudo cp {udev_rule()} /etc/udev/rules.d/" in str(caught.value) and "udevadm trigger" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_without_the_c_library_it_is_named(monkeypatch):
    monkeypatch.setattr(easyhid.easyhid, "hidapi", FFI.dlopen(None))
    with pytest.raises(UserError, match=r"hidapi, which is missing: sudo apt-get install libhidapi-hidraw0"):
        SpaceMouse()


def test_the_udev_rule_covers_every_device_that_can_be_read():
    text = udev_rule().read_text()
    patterns = list(chain(*(each.split("|") for each in re.findall(r'KERNELS=="([^"]+)"', text))))
    for name, vendor, product in pyspacemouse.get_supported_devices():
        kernel_name = f"0003:{vendor:04X}:{product:04X}.0001"
        assert any(fnmatch.fnmatchcase(kernel_name, pattern) for pattern in patterns), name
    assert not any(fnmatch.fnmatchcase("0003:046D:C52B.0001", pattern) for pattern in patterns)  # a mouse's receiver
    assert text.count('TAG+="uaccess"') == text.count("KERNELS")


def test_the_udev_rule_sorts_before_the_one_that_acts_on_its_tag():
    assert udev_rule().name < "73-seat-late.rules"


def test_the_spacemouse_is_a_teleoperator(device):
    assert isinstance(device, Teleoperator)


def test_the_left_button_moves_the_fingers_and_the_right_one_keeps(device, hid):
    hid.say(buttons(left=True), buttons())
    assert [device.read().grip for _ in range(2)] == [1, 1]
    hid.say(buttons(left=True), buttons(), buttons(left=True), buttons(), buttons(left=True), buttons())
    assert device.read().grip == -1
    hid.say(buttons(right=True))
    assert [device.read().button for _ in range(2)] == [Button.KEEP, None]


def test_the_device_turns_the_hand_as_the_cap_is_turned(device, hid):
    hid.say(push(right=FULL), turn(FULL, 0, 0))
    command = device.read()
    assert (command.axes.tolist(), command.turn.tolist()) == ([1, 0, 0], [1, 0, 0])
    hid.plugged = False
    assert not device.read().turn.any()


@pytest.mark.parametrize("turns", [False, True])
def test_that_the_cap_turns_the_hand_is_said_where_it_turns(hid, screen, turns):
    device = SpaceMouseDevice(turns)
    assert ("turns the hand" in meanings(device)) is turns
    device.close()


def test_the_keyboard_has_the_other_buttons(device, screen):
    screen.type("key", "r", "key", "Escape")
    assert [device.read().button for _ in range(3)] == [Button.RERECORD, Button.STOP, None]


def test_closing_the_device_twice_does_nothing(device, hid):
    device.close()
    device.close()
    assert hid.opened == 0 and not pygame.display.get_init()


def test_where_no_window_can_be_opened_the_device_is_let_go(hid, monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.setenv("SDL_VIDEODRIVER", "x11")
    with pytest.raises(UserError, match="no window can be opened"):
        SpaceMouseDevice()
    assert hid.opened == 0


def test_the_cap_records_what_the_same_commands_sent_by_a_script_do(device, hid, screen, reach, tmp_path, monkeypatch):
    monkeypatch.setattr(spacemouse, "_RETRY", 0.0)

    def say(*reports):
        return lambda: hid.say(*reports)

    def plug(plugged):
        return lambda: setattr(hid, "plugged", plugged)

    plan = [
        (say(), REST),
        (say(push(right=FULL)), move(right=1)),
        (say(), move(right=1)),
        (say(push(right=70), push(right=35, towards=-175)), move(right=0.1, away=0.5)),
        (say(turn(200, 100, 50), buttons(left=True)), move(right=0.1, away=0.5, grip=1)),
        (say(push(down=-7)), move(up=0.02, grip=1)),
        (say(buttons(), push(), buttons(left=True), buttons()), move(grip=-1)),
        (plug(False), GONE._replace(grip=-1)),
        (plug(False), GONE._replace(grip=-1)),
        (plug(True), REST._replace(grip=-1)),
        (say(push(towards=FULL)), move(away=-1, grip=-1)),
        (say(push(), buttons(right=True), buttons()), press("keep")),
        (say(), REST),
        (say(push(down=FULL)), move(up=-1)),
        (lambda: screen.type("key", "r"), press("rerecord")._replace(axes=move(up=-1).axes)),
        (say(push(down=-FULL)), move(up=1)),
        (say(buttons(right=True), buttons()), press("keep")),
        (say(push()), REST),
        (lambda: screen.type("key", "Escape"), press("stop")),
    ]
    assert_same_as_script(reach, device, plan, tmp_path)
