import io

import numpy as np
import pytest
from rich.console import Console

from trailkit.agents.run.watch.blocks import Picture, fitted, sparkline

_NAN = float("nan")


def drawn(picture: Picture, colours: str = "truecolor") -> str:
    console = Console(file=io.StringIO(), force_terminal=True, color_system=colours, width=80)
    console.print(picture)
    return console.file.getvalue()


def test_a_character_is_two_pixels_one_above_the_other() -> None:
    pixels = np.array([[[4, 8, 12], [252, 0, 0]], [[16, 20, 24], [0, 252, 0]]], np.uint8)
    left, right = "\x1b[38;2;4;8;12;48;2;16;20;24m▀\x1b[0m", "\x1b[38;2;252;0;0;48;2;0;252;0m▀\x1b[0m"
    assert drawn(Picture(pixels)) == f"{left}{right}\n"


def test_characters_that_are_alike_share_their_colours() -> None:
    pixels = np.full((2, 5, 3), 101, np.uint8)  # 100 without what nobody sees
    assert drawn(Picture(pixels)) == "\x1b[38;2;100;100;100;48;2;100;100;100m▀▀▀▀▀\x1b[0m\n"


@pytest.mark.parametrize(
    ("shape", "columns", "lines", "fits"),
    [
        ((64, 64), 80, 40, (64, 64)),  # never larger than it is
        ((64, 64), 80, 16, (32, 32)),
        ((64, 64), 16, 40, (16, 16)),
        ((35, 36), 80, 40, (34, 36)),  # half a character is none
        ((64, 128), 64, 64, (32, 64)),
        ((64, 64), 1, 1, (2, 1)),
    ],
)
def test_a_picture_fits_its_room(shape: tuple[int, int], columns: int, lines: int, fits: tuple[int, int]) -> None:
    pixels = np.zeros((*shape, 3), np.uint8)
    assert fitted(pixels, columns, lines).pixels.shape == (*fits, 3)


def test_a_picture_that_is_scaled_down_is_averaged() -> None:
    pixels = np.array([[0, 200], [200, 0]], np.uint8).repeat(2, 0)[..., None].repeat(3, 2)
    assert (fitted(pixels, 1, 1).pixels == 100).all()


@pytest.mark.parametrize(
    ("values", "limits", "curve"),
    [
        ([0, 1, 2, 3, 4, 5, 6], None, "▁▂▃▄▅▆▇"),
        ([-30, 0, 30], None, "▁▄▇"),
        ([0.0, 0.5, 1.0], (0.0, 1.0), "▁▄▇"),
        ([0.5, 0.5, 0.5], (0.0, 1.0), "▄▄▄"),
        ([0.2, 3.0, -1.0], (0.0, 1.0), "▂▇▁"),  # beyond its limits
        ([7, 7, 7], None, "▄▄▄"),  # a constant
        ([_NAN, 1, _NAN, 3], None, " ▁▁▇"),  # what is not measured stays as it was
        ([_NAN, float("inf"), 1, 3], None, "  ▁▇"),
        ([_NAN, _NAN], None, "  "),
        ([], None, ""),
    ],
)
def test_a_curve(values: list[float], limits: tuple[float, float] | None, curve: str) -> None:
    steps = np.arange(1.0, len(values) + 1)
    assert sparkline(steps, np.array(values, float), len(values), len(values), limits) == curve


def test_a_curve_is_averaged_where_it_is_dense_and_holds_where_it_is_sparse() -> None:
    steps, values = np.array([10.0, 20.0, 30.0, 40.0]), np.array([0.0, 2.0, 3.0, 5.0])
    assert sparkline(steps, values, 40, 2) == "▁▇"
    assert sparkline(steps[[1, 3]], values[[1, 3]], 40, 6) == "  ▁▁▁▇"
