import numpy as np
import pygame
import pytest

from trailkit.demos.teleop.base import Phase, Status
from trailkit.demos.teleop.console import KEYBOARD_HINTS, Moment
from trailkit.demos.teleop.panel import Panel

RED, BLUE = (255, 0, 0), (0, 0, 255)
STATUS = Status(Phase.PLAYING, 3, 20, 1, 6.0, 10.0, False)


def plain(colour, height=64, width=64):
    return np.full((height, width, 3), colour, np.uint8)


def draw(pictures=(), size=(1072, 720), grip=0.0, connected=True, **status):
    """What a panel draws, uint8 [H, W, 3]; no window is needed."""
    surface = pygame.Surface(size, 0, 32)
    panel = Panel("gamepad", (KEYBOARD_HINTS, KEYBOARD_HINTS))
    panel.draw(surface, Moment(STATUS._replace(**status), dict(pictures), grip, connected))
    return pygame.surfarray.array3d(surface).swapaxes(0, 1)


def extent(drawn, colour):
    """The height and the width of what has a colour."""
    rows, columns = np.nonzero((drawn == colour).all(axis=-1))
    return np.ptp(rows) + 1, np.ptp(columns) + 1


def test_pictures_are_enlarged_side_by_side():
    drawn = draw({"front": plain(RED), "wrist": plain(BLUE)})
    (height, width), (other_height, other_width) = extent(drawn, RED), extent(drawn, BLUE)
    assert height == width == other_height == other_width and height > 480


def test_a_picture_keeps_its_proportions():
    height, width = extent(draw({"front": plain(RED, 40, 80)}), RED)
    assert width / height == pytest.approx(2, rel=0.01)


def test_a_picture_is_the_right_way_round():
    picture = plain(BLUE)
    picture[:16, :16] = RED
    drawn = draw({"front": picture})
    reds, blues = np.argwhere((drawn == RED).all(axis=-1)), np.argwhere((drawn == BLUE).all(axis=-1))
    assert (reds.mean(axis=0) < blues.mean(axis=0)).all()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"phase": Phase.READY}, {"phase": Phase.PLAYING}),
        ({"phase": Phase.JUDGING}, {"phase": Phase.PAUSED}),
        ({"kept": 3}, {"kept": 4}),
        ({"solved": False}, {"solved": True}),
        ({"time_left": 6.0}, {"time_left": 5.0}),
        ({"grip": 1.0}, {"grip": -1.0}),
        ({"connected": True}, {"connected": False}),
        ({"trouble": ""}, {"trouble": "cannot write demos: No space left on device"}),
        ({"trouble": "cannot write demos: File exists"}, {"trouble": "cannot write demos: No space left on device"}),
    ],
)
def test_what_a_person_must_know_shows(one, other):
    assert (draw(**one) != draw(**other)).any()


@pytest.mark.parametrize("phase", list(Phase))
def test_every_phase_has_its_words(phase):
    assert (draw(phase=phase)[:50, :400] == 232).any()  # the letters' colour


def test_time_that_is_over_leaves_no_bar():
    bar = (73, 107, 153)
    _, half = extent(draw(time_left=5.0), bar)
    _, whole = extent(draw(time_left=10.0), bar)
    assert half == pytest.approx(whole / 2, rel=0.02)
    nothing = draw(time_left=0.0)
    assert not (nothing == bar).all(axis=-1).any()
    assert (draw(time_left=-1e-9) == nothing).all()


@pytest.mark.parametrize("size", [(1, 1), (40, 40), (200, 90), (300, 1000), (1000, 150)])
def test_a_window_of_any_size_can_be_drawn(size):
    assert draw({"front": plain(RED), "wrist": plain(BLUE)}, size).shape == (size[1], size[0], 3)


def test_more_cameras_get_less_room_each():
    two = extent(draw({name: plain(RED if name == "front" else BLUE) for name in ("front", "left")}), RED)
    four = extent(
        draw({name: plain(RED if name == "front" else BLUE) for name in ("front", "left", "right", "wrist")}), RED
    )
    assert four[1] < two[1]
