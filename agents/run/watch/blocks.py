"""Images and curves made of block characters, for terminals."""

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
_BARS = "▁▂▃▄▅▆▇"  # without the full block, so that curves on adjacent lines stay separate
_SHADES = 0xFC  # mask for colour levels: invisible differences need not be transmitted


@dataclass(frozen=True)
class Picture:
    """An image for rich: a character shows two pixels, one above the other, as foreground and background colours."""

    pixels: NDArray[np.uint8]  # [height, width, 3], with an even height

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        cells = np.concatenate([self.pixels[::2], self.pixels[1::2]], axis=2) & _SHADES
        for line in cells.tolist():
            for colours, alike in itertools.groupby(line):
                yield Segment(_UPPER_HALF * len(list(alike)), _style(*colours))
            yield Segment.line()

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(self.pixels.shape[1], self.pixels.shape[1])


def fitted(pixels: NDArray[np.uint8], columns: int, lines: int) -> Picture:
    """An image scaled down, if necessary, to fit this many characters.

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
    """A curve on one line; each value holds until the next measurement.

    Args:
        steps: The steps of the values, [N].
        values: [N]; values that are not finite are ignored.
        end: The step at the right end; 0 is at the left.
        width: The width in characters.
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


@lru_cache(maxsize=1 << 14)  # as many as a few images have: creating a style takes ten times as long
def _style(red: int, green: int, blue: int, red_below: int, green_below: int, blue_below: int) -> Style:
    return Style(color=Color.from_rgb(red, green, blue), bgcolor=Color.from_rgb(red_below, green_below, blue_below))
