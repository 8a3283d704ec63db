"""The sheets of an audit: for each camera, what both sides look like and where the probe looks."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from trailkit.replay.atomic import written_aside

_SIDE = 256  # pixels, of a panel
_TITLE, _GAP = 26, 12  # pixels
_STRONG = 64  # levels: a difference drawn in the brightest colour
_COLUMNS = 4
_PAPER, _INK = (255, 255, 255), (30, 30, 30)
# Black, violet, orange, pale yellow: brighter means more, also for the colour-blind.
_HEAT = np.array([(0, 0, 4), (101, 21, 110), (229, 92, 48), (252, 255, 164)], float)

Picture = NDArray[np.uint8]


class Panel(NamedTuple):
    """An image with a title."""

    title: str
    picture: Picture  # uint8 [H, W, 3]


def median(pictures: Picture) -> Picture:
    """The median of images, [M, H, W, 3]: what hardly ever moves."""
    found: Picture = np.median(pictures, axis=0).astype(np.uint8)
    return found


def difference(one: Picture, other: Picture) -> Picture:
    """The difference of two images as a heat map."""
    levels = np.abs(one.astype(float) - other.astype(float)).max(-1)
    return heat(levels / _STRONG)


def heat(values: NDArray[Any]) -> Picture:
    """Colours values [H, W]; 1 and above is brightest."""
    place = values.clip(0, 1) * (len(_HEAT) - 1)
    channels = [np.interp(place, range(len(_HEAT)), _HEAT[:, channel]) for channel in range(3)]
    return np.stack(channels, -1).astype(np.uint8)


def overlay(picture: Picture, values: NDArray[Any]) -> Picture:
    """Draws a heat map over an image, which shows through in grey."""
    grey = picture.mean(-1, keepdims=True)
    mixed: Picture = (0.35 * grey + 0.65 * heat(values)).astype(np.uint8)
    return mixed


def save_sheet(path: Path, heading: str, panels: Sequence[Panel]) -> None:
    """Writes panels, enlarged and titled, as a PNG.

    Raises:
        UserError: If it cannot be written.
    """
    rows = -(-len(panels) // _COLUMNS)
    columns = min(_COLUMNS, len(panels))
    step = _SIDE + _GAP, _SIDE + _TITLE + _GAP
    sheet = Image.new("RGB", (columns * step[0] + _GAP, rows * step[1] + _TITLE + 2 * _GAP), _PAPER)
    pen = ImageDraw.Draw(sheet)
    font, bold = ImageFont.load_default(14), ImageFont.load_default(17)
    pen.text((_GAP, _GAP // 2), heading, _INK, bold)
    for number, panel in enumerate(panels):
        left, top = _GAP + number % columns * step[0], _TITLE + _GAP + number // columns * step[1]
        pen.text((left, top + 4), panel.title, _INK, font)
        image = Image.fromarray(panel.picture)
        scale = min(_SIDE / image.width, _SIDE / image.height)
        size = round(image.width * scale), round(image.height * scale)
        sheet.paste(image.resize(size, Image.Resampling.NEAREST), (left, top + _TITLE))
    with written_aside(path) as aside:
        sheet.save(aside, "PNG")
