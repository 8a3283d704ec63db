import os
import time

import numpy as np
import pygame
import pytest
from environments import run_python

from trailkit.demos.teleop.base import Phase, Status
from trailkit.demos.teleop.console import KEYBOARD_HINTS, Moment
from trailkit.demos.teleop.window import Window
from trailkit.envs.rendering import Quality

RED, BLUE = (255, 0, 0), (0, 0, 255)
STATUS = Status(Phase.PLAYING, 3, 20, 1, 6.0, 10.0, False)


def moment(pictures, grip=0.0, connected=True, **status):
    return Moment(STATUS._replace(**status), pictures, grip, connected)


def plain(colour, height=256, width=256):
    return np.full((height, width, 3), colour, np.uint8)


@pytest.fixture
def window(screen):
    window = Window("keyboard", (KEYBOARD_HINTS,))
    yield window
    window.close()


def test_a_window_opens_and_shows_the_pictures_beside_each_other(window):
    window.show(moment({"front": plain(RED), "wrist": plain(BLUE)}))
    surface = pygame.display.get_surface()
    width, height = surface.get_size()
    assert surface.get_at((width // 4, height // 2))[:3] == RED
    assert surface.get_at((3 * width // 4, height // 2))[:3] == BLUE
    assert pygame.display.get_caption()[0] == "trailkit record"


def test_a_window_and_the_renderer_leave_each_other_alone(window, reach):
    before = reach.render("front", 64, 64, Quality.FAST)
    for _ in range(3):
        window.show(moment({"front": before}))
        window.poll()
    np.testing.assert_array_equal(reach.render("front", 64, 64, Quality.FAST), before)
    assert os.environ["SDL_FRAMEBUFFER_ACCELERATION"] == "0"


def test_a_window_that_is_resized_draws_itself_anew(window, screen):
    screen.type("getwindowfocus", "windowsize", "--sync", "600", "500")
    window.poll()
    window.show(moment({"front": plain(RED)}))
    surface = pygame.display.get_surface()
    assert surface.get_size() == (600, 500) and surface.get_at((300, 250))[:3] == RED


def test_a_step_at_the_window_takes_a_tenth_of_its_time_at_most(window):
    pictures = {"front": plain(RED), "wrist": plain(BLUE)}
    took = []
    for step in range(60):
        began = time.thread_time()
        window.poll()
        window.show(moment(pictures, time_left=step / 20))
        took.append(time.thread_time() - began)
    assert np.median(took) < 0.005


def test_where_there_is_no_screen_the_browser_is_named():
    program = """
import os
os.environ.pop("DISPLAY", None), os.environ.pop("WAYLAND_DISPLAY", None)
from trailkit.demos.teleop.keyboard import KeyboardDevice
from trailkit.envs.errors import UserError
try:
    KeyboardDevice()
except UserError as error:
    print(error)
"""
    result = run_python(program)
    assert "no window can be opened" in result.stdout and "device=browser" in result.stdout, result.stderr
    assert len(result.stdout.splitlines()) == 1
