import time

import numpy as np
import pygame
import pytest
from screen import assert_same_as_script, meanings
from teleoperation import REST, move, press

from trailkit.demos.command import Button
from trailkit.demos.teleop.base import Phase, Status, Teleoperator
from trailkit.demos.teleop.console import DECISIONS, Key
from trailkit.demos.teleop.keyboard import MOVES, TURNS, KeyboardDevice, axes_of, turn_of

STATUS = Status(Phase.PLAYING, 0, 5, 1, 1.0, 1.5, False)


@pytest.fixture
def keyboard(screen):
    device = KeyboardDevice()
    try:
        while not pygame.key.get_focused():
            device.read()
        yield device
    finally:
        device.close()


def axes(device):
    return device.read().axes.tolist()


@pytest.mark.parametrize(
    ("held", "wanted"),
    [
        ("W", [0, 1, 0]),
        ("UP", [0, 1, 0]),
        ("S", [0, -1, 0]),
        ("DOWN", [0, -1, 0]),
        ("D", [1, 0, 0]),
        ("RIGHT", [1, 0, 0]),
        ("A", [-1, 0, 0]),
        ("LEFT", [-1, 0, 0]),
        ("E", [0, 0, 1]),
        ("PAGE_UP", [0, 0, 1]),
        ("Q", [0, 0, -1]),
        ("PAGE_DOWN", [0, 0, -1]),
        ("W D E", [1, 1, 1]),
        ("A D", [0, 0, 0]),
        ("W UP", [0, 1, 0]),
        ("R SPACE ENTER", [0, 0, 0]),
        ("", [0, 0, 0]),
    ],
)
def test_held_keys_are_axes(held, wanted):
    found = axes_of({Key[name] for name in held.split()})
    assert found.dtype == np.float32 and found.tolist() == wanted


@pytest.mark.parametrize(
    ("held", "wanted"),
    [
        ("K", [1, 0, 0]),
        ("I", [-1, 0, 0]),
        ("L", [0, 1, 0]),
        ("J", [0, -1, 0]),
        ("U", [0, 0, 1]),
        ("O", [0, 0, -1]),
        ("K L U", [1, 1, 1]),
        ("I K", [0, 0, 0]),
        ("W D E", [0, 0, 0]),
    ],
)
def test_held_keys_are_turns(held, wanted):
    found = turn_of({Key[name] for name in held.split()})
    assert found.dtype == np.float32 and found.tolist() == wanted


def test_keys_are_numbered_as_on_every_keyboard():
    names = {"ENTER": "RETURN", "KEYPAD_ENTER": "KP_ENTER", "PAGE_UP": "PAGEUP", "PAGE_DOWN": "PAGEDOWN"}
    for key in Key:
        assert key == vars(pygame)[f"KSCAN_{names.get(key.name, key.name)}"]


def test_every_key_has_one_meaning_and_every_button_a_key():
    assert sorted([*MOVES, *TURNS, *DECISIONS, Key.SPACE]) == sorted(Key)
    assert set(DECISIONS.values()) == set(Button)


def test_the_keyboard_is_a_teleoperator(keyboard):
    assert isinstance(keyboard, Teleoperator)


def test_the_hand_moves_while_a_key_is_held(keyboard, screen):
    assert axes(keyboard) == [0, 0, 0]
    screen.type("keydown", "w")
    assert [axes(keyboard) for _ in range(3)] == [[0, 1, 0]] * 3
    screen.type("keydown", "Right")
    assert axes(keyboard) == [1, 1, 0]
    screen.type("keyup", "w")
    assert axes(keyboard) == [1, 0, 0]
    screen.type("keyup", "Right")
    assert axes(keyboard) == [0, 0, 0]


def test_the_hand_turns_while_a_key_is_held(keyboard, screen):
    screen.type("keydown", "u", "keydown", "i", "keydown", "w")
    for _ in range(2):
        command = keyboard.read()
        assert command.turn.tolist() == [-1, 0, 1] and command.axes.tolist() == [0, 1, 0]
    screen.type("keyup", "u", "keyup", "i", "keyup", "w")
    assert keyboard.read().turn.tolist() == [0, 0, 0]


@pytest.mark.parametrize("turns", [False, True])
def test_how_to_turn_the_hand_is_said_where_it_turns(screen, turns):
    device = KeyboardDevice(turns)
    assert ("tilt left, right; turn left, right" in meanings(device)) is turns
    device.close()


def test_the_keyboards_own_repetition_neither_interrupts_a_move_nor_repeats_a_decision(keyboard, screen):
    screen.type("keydown", "space", "keydown", "w")
    said = []
    until = time.monotonic() + 1.0  # the server repeats keys after 0.66 s
    while time.monotonic() < until:
        said.append(keyboard.read())
        time.sleep(0.01)
    screen.type("keyup", "space", "keyup", "w")
    assert axes(keyboard) == [0, 0, 0]
    assert {tuple(each.axes) for each in said} == {(0, 1, 0)} and {each.grip for each in said} == {1}


def test_a_tap_between_two_steps_moves_for_one_of_them(keyboard, screen):
    screen.type("key", "e")
    assert [axes(keyboard) for _ in range(2)] == [[0, 0, 1], [0, 0, 0]]


def test_space_closes_and_opens_the_fingers_which_begin_each_attempt_at_rest(keyboard, screen):
    grips = [keyboard.read().grip]
    for _ in range(3):
        screen.type("key", "space")
        grips += [keyboard.read().grip, keyboard.read().grip]
    assert grips == [0, 1, 1, -1, -1, 1, 1]
    keyboard.show(STATUS, {})
    assert keyboard.read().grip == 0
    screen.type("key", "space")
    keyboard.show(STATUS, {})
    assert keyboard.read().grip == 1
    keyboard.show(STATUS._replace(attempt=2), {})
    assert keyboard.read().grip == 0


def test_each_decision_is_reported_once_and_in_its_order(keyboard, screen):
    screen.type("key", "Return", "key", "BackSpace", "key", "r", "key", "Escape", "key", "KP_Enter", "key", "Delete")
    said = [keyboard.read().button for _ in range(7)]
    assert said == ["keep", "discard", "rerecord", "stop", "keep", "discard", None]


def test_a_shortcut_is_no_command(keyboard, screen):
    screen.type("keydown", "alt", "keydown", "w")
    assert axes(keyboard) == [0, 0, 0]
    screen.type("key", "Return", "keyup", "w", "keyup", "alt")
    assert keyboard.read().button is None


def test_a_window_without_the_focus_holds_no_key(keyboard, screen):
    screen.type("keydown", "w")
    assert axes(keyboard) == [0, 1, 0]
    screen.type("getwindowfocus", "windowunmap", "--sync")
    command = keyboard.read()
    assert command.axes.tolist() == [0, 0, 0] and command.connected
    screen.type("keyup", "w")


def test_closing_the_window_stops(keyboard):
    pygame.event.post(pygame.event.Event(pygame.QUIT))  # as SDL does when a window manager's button is pressed
    assert keyboard.read().button is Button.STOP


def test_closing_the_device_twice_does_nothing(keyboard):
    keyboard.close()
    keyboard.close()
    assert not pygame.display.get_init()


def test_keys_record_what_the_same_commands_sent_by_a_script_do(keyboard, screen, reach, tmp_path):
    plan = [
        ("", REST),
        ("keydown w", move(away=1)),
        ("keydown d", move(right=1, away=1)),
        ("", move(right=1, away=1)),
        ("keyup w", move(right=1)),
        ("keyup d keydown q", move(up=-1)),
        ("key space", move(up=-1, grip=1)),
        ("keyup q", move(grip=1)),
        ("key space key a", move(right=-1, grip=-1)),
        ("key Return", press("keep")),
        ("", REST),  # the fingers, too
        ("keydown Left keydown Up", move(right=-1, away=1)),
        ("keyup Left keyup Up key r", press("rerecord")),
        ("keydown s keydown e", move(away=-1, up=1)),
        ("keyup s", move(up=1)),
        ("keyup e key Return", press("keep")),
        ("key Down", move(away=-1)),
        ("key BackSpace", press("discard")),
        ("key Page_Up", move(up=1)),
        *[("", REST)] * 29,
        ("keydown a", move(right=-1)),  # when the time is up
        ("keyup a key Return", press("keep")),
        ("key Escape", press("stop")),
    ]

    def act(words):
        return lambda: words and screen.type(*words.split())

    assert_same_as_script(reach, keyboard, [(act(words), command) for words, command in plan], tmp_path)
