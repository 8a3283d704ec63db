"""Panels about a run's networks, drawn beside the video of an episode."""

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from trailkit.agents.run.evaluation.explain import MAP_EVERY, Explanation, Judge
from trailkit.replay.transition import Observation

_PAPER, _INK, _FAINT, _LINE, _STOP = (24, 26, 30), (235, 235, 235), (95, 100, 108), (120, 190, 255), (255, 170, 60)
_MORE, _LESS = np.array([255.0, 60.0, 40.0]), np.array([60.0, 120.0, 255.0])  # what raises a number, and what lowers it
_MARGIN = 10  # pixels
_LEAST_HEIGHT = 240  # pixels, of a panel: below it curves and maps have no room beside their names
Box = tuple[int, int, int, int]  # left, top, right, bottom


class Overlay:
    """Draws the panel beside each frame of an episode."""

    def __init__(self, explanation: Explanation, pictures: Sequence[NDArray[np.uint8]], height: int) -> None:
        """Sets the layout.

        Args:
            explanation: The explanation of the episode.
            pictures: The policy's images at each step, uint8 [h, w, 3], all cameras side by side.
            height: The height of the panel in pixels, at least 240; its width is two thirds of that, and at least 320.
        """
        self._explanation, self._pictures = explanation, pictures
        height = max(_LEAST_HEIGHT, height)
        self._size = max(320, height * 2 // 3), height
        judges = [explanation.discriminator, explanation.critic]
        self._judges = [judge for judge in judges if judge is not None]

    def draw(self, step: int) -> NDArray[np.uint8]:
        """The panel for a step, uint8 [height, width, 3]."""
        width, height = self._size
        panel = Image.new("RGB", self._size, _PAPER)
        pen = ImageDraw.Draw(panel)
        found, left, right = self._explanation, _MARGIN, width - _MARGIN
        quarter = height // 5
        if found.discriminator is not None:
            _curve(pen, (left, 0, right, quarter), "reward of the discriminator", found.discriminator.scores, step)
            _mark_stop(pen, (left, 0, right, quarter), found.stopped, len(found.actions))
        if found.critic is not None:
            middle = left + (right - left) * 3 // 5
            _curve(pen, (left, quarter, middle, 2 * quarter), "return expected", found.critic.scores, step)
            _histogram(pen, (middle + _MARGIN, quarter, right, 2 * quarter), found.atoms, found.distributions[step])
        _bars(pen, (left, 2 * quarter, right, 3 * quarter), found.actions[step])
        side = min((right - left - _MARGIN) // 2, height - 3 * quarter - 30)
        for number, judge in enumerate(self._judges):
            place = left + number * ((right - left + _MARGIN) // 2), 3 * quarter + 22
            pen.text((place[0], 3 * quarter + 4), f"moves {judge.name}", _INK, _font(12))
            picture = Image.fromarray(heated(self._pictures[step - step % MAP_EVERY], judge, step // MAP_EVERY))
            scale = min(side / picture.height, (right - left - _MARGIN) / 2 / picture.width)
            size = round(picture.width * scale), round(picture.height * scale)
            panel.paste(picture.resize(size, Image.Resampling.NEAREST), place)
        return np.asarray(panel)


def side_by_side(observation: Observation, cameras: Sequence[str]) -> NDArray[np.uint8]:
    """The images of all cameras as one."""
    return np.hstack([np.asarray(observation[camera]) for camera in cameras])


def heated(picture: NDArray[np.uint8], judge: Judge, number: int) -> NDArray[np.uint8]:
    """An image in grey, with the important cells in colour, stronger for more important ones."""
    cells = judge.maps[number]
    strength = np.clip(np.abs(cells) / max(1e-9, float(np.quantile(np.abs(judge.maps), 0.99))), 0, 1)
    colours = np.where(cells[..., None] > 0, _MORE, _LESS)
    rows = np.arange(picture.shape[0]) * cells.shape[0] // picture.shape[0]
    columns = np.arange(picture.shape[1]) * cells.shape[1] // picture.shape[1]
    alpha = 0.8 * strength[rows][:, columns][..., None]
    grey = picture.mean(2, keepdims=True)
    blended: NDArray[np.uint8] = ((1 - alpha) * grey + alpha * colours[rows][:, columns]).astype(np.uint8)
    return blended


def _curve(pen: ImageDraw.ImageDraw, box: Box, name: str, values: NDArray[np.float32], step: int) -> None:
    left, top, right, bottom = box
    low, high = float(values.min()), float(values.max())
    pen.text((left, top + 4), f"{name}: {values[step]:.2f}", _INK, _font(12))
    top, bottom = top + 24, bottom - 4
    span = max(high - low, 1e-6)
    across = np.linspace(left, right, max(2, len(values)))
    points = [(x, bottom - (bottom - top) * (value - low) / span) for x, value in zip(across, values, strict=False)]
    pen.line((left, bottom, right, bottom), _FAINT)
    pen.line(points, _FAINT)
    pen.line(points[: step + 1], _LINE, 2)


def _mark_stop(pen: ImageDraw.ImageDraw, box: Box, stopped: int | None, length: int) -> None:
    if stopped is None:
        return
    left, top, right, bottom = box
    x = left + (right - left) * stopped / max(1, length - 1)
    pen.line((x, top + 24, x, bottom - 4), _STOP, 2)
    pen.text((right, top + 4), f"given up at {stopped}", _STOP, _font(12), anchor="ra")


def _histogram(pen: ImageDraw.ImageDraw, box: Box, atoms: NDArray[np.float32], shares: NDArray[np.float32]) -> None:
    left, top, right, bottom = box
    pen.text((left, top + 4), f"{atoms[0]:.0f} … {atoms[-1]:.0f}", _FAINT, _font(12))
    top, bottom = top + 24, bottom - 4
    width = (right - left) / len(shares)
    for number, share in enumerate(shares / max(1e-9, float(shares.max()))):
        x = left + number * width
        pen.rectangle((x, bottom - share * (bottom - top), x + max(1.0, width - 1), bottom), _LINE)


def _bars(pen: ImageDraw.ImageDraw, box: Box, action: NDArray[np.float32]) -> None:
    left, top, right, bottom = box
    pen.text((left, top + 4), "action", _INK, _font(12))
    top, bottom, middle = top + 24, bottom - 4, (left + right) / 2
    height = (bottom - top) / len(action)
    pen.line((middle, top, middle, bottom), _FAINT)
    for number, value in enumerate(action.tolist()):
        begin, end = sorted((middle, middle + value * (right - left) / 2))
        y = top + number * height
        pen.rectangle((begin, y + 1, end, y + max(2.0, height - 2)), _LINE)


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
