"""Pictures and curves made of block characters, for terminals."""

import itertools
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.color import Color
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.segment import Segment
from rich.style import Style

_UPPER_HALF = "▀"
_BARS = "▁▂▃▄▅▆▇"  # without the whole block, so that curves below each other stay apart
_SHADES = 0xFC  # of a colour are told apart: what nobody sees need not travel


@dataclass(frozen=True)
class Picture:
    """A picture for rich: a character shows two pixels, one above the other, by its own colour and its background's."""

    pixels: NDArray[np.uint8]  # [height, width, 3], of an even height

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        cells = np.concatenate([self.pixels[::2], self.pixels[1::2]], axis=2) & _SHADES
        for line in cells.tolist():
            for colours, alike in itertools.groupby(line):
                yield Segment(_UPPER_HALF * len(list(alike)), _style(*colours))
            yield Segment.line()

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(self.pixels.shape[1], self.pixels.shape[1])


def fitted(pixels: NDArray[np.uint8], columns: int, lines: int) -> Picture:
    """A picture that needs no more than this room, in characters: one that is larger is scaled down.

    Args:
        pixels: [height, width, 3].
        columns: At least one.
        lines: At least one.
    """
    height, width, _ = pixels.shape
    scale = min(1.0, columns / width, 2 * lines / height)
    size = max(1, round(width * scale)), 2 * max(1, int(height * scale / 2))
    if size == (width, height):
        return Picture(pixels)
    return Picture(np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BOX)))


def sparkline(
    steps: NDArray[np.float64],
    values: NDArray[np.float64],
    end: float,
    width: int,
    limits: tuple[float, float] | None = None,
) -> str:
    """A curve of one line: what is measured holds until it is measured again.

    Args:
        steps: Where there are values, [N].
        values: [N]; those that are not finite count for nothing.
        end: The step at the right end; 0 is at the left.
        width: In characters.
        limits: The values of the lowest and the highest bar; by default those of the curve itself.
    """
    known = np.isfinite(values)
    column = np.ceil(steps[known] * width / max(end, 1)).clip(1, width).astype(int) - 1
    heights = np.full(width, np.nan)
    for number in range(width):
        inside = values[known][column == number]
        heights[number] = inside.mean() if len(inside) else heights[number - 1] if number else np.nan
    if not np.isfinite(heights).any():
        return " " * width
    low, high = limits or (float(np.nanmin(heights)), float(np.nanmax(heights)))
    return "".join(" " if np.isnan(height) else _bar(height, low, high) for height in heights)


def _bar(height: float, low: float, high: float) -> str:
    share = (height - low) / (high - low) if high > low else 0.5
    return _BARS[min(len(_BARS) - 1, max(0, int(share * len(_BARS))))]


@lru_cache(maxsize=1 << 14)  # as many as a few pictures have: to make a style takes ten times as long
def _style(red: int, green: int, blue: int, red_below: int, green_below: int, blue_below: int) -> Style:
    return Style(color=Color.from_rgb(red, green, blue), bgcolor=Color.from_rgb(red_below, green_below, blue_below))
