"""Cues: features unrelated to the task that a discriminator could use, each judged on its own."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from trailkit.agents.run.audit.frames import Moments
from trailkit.agents.run.audit.regions import ARM, BACKGROUND
from trailkit.agents.run.audit.scene import Layout
from trailkit.agents.run.audit.scoring import Accuracy, Floats, Samples, chance_alike, held_out, linear, quadratic

_HUES = 12  # number of bins of the histogram
_FEWEST_PIXELS = 4  # of a region in a frame: with fewer, only its edge is visible
_FEWEST_EPISODES = 5  # per side, below which a cue is not judged
_SHARES = {BACKGROUND: 1.0, ARM: 0.5}  # a pixel counts as a region if it shows it in this share of the trainer's starts

PLACE_TOLERANCE = 0.003  # m: a pixel of a 64x64 image covers 6 mm of the workspace


class Cue(NamedTuple):
    """How well a single cue distinguishes the demonstrations from the trainer's environment."""

    name: str
    early: Accuracy | None  # on early frames; None if too few show it
    spread: Accuracy | None = None  # on frames spread over the episodes; None if it was not judged there
    difference: float | None = None  # mean, in levels of 255, if the same states were rendered again
    chance: float | None = None  # that any placement would differ as much if all were drawn like the trainer's


class Pictures(NamedTuple):
    """The images of one side, with the pixels of all cameras in one row."""

    pixels: NDArray[np.uint8]  # [M, P, 3]
    regions: NDArray[np.uint8]  # [M, P]
    episode: NDArray[np.int64]  # [M]


def in_a_row(pictures: Mapping[str, NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """The pixels of all cameras, [M, cameras * H * W, 3]."""
    return np.concatenate([each.reshape(len(each), -1, 3) for each in pictures.values()], axis=1)


def usual_regions(regions: NDArray[np.uint8], count: int) -> NDArray[np.uint8]:
    """Substitutes the regions of images with unknown states: what a pixel shows in most of the trainer's images.

    Args:
        regions: The regions of the trainer's images, [M, P].
        count: The number of images that need regions.

    Returns:
        The same regions for each image, [count, P]; 255 where pixels show varying regions.
    """
    usual = np.full(regions.shape[1], 255, np.uint8)
    for region, share in _SHARES.items():
        usual[(regions == region).mean(0) >= share] = region
    return np.broadcast_to(usual, (count, len(usual)))


def appearance(
    demos: Pictures, trainer: Pictures, moments: Moments | None, objects: list[str], seed: int
) -> Iterator[Cue]:
    """Judges overall colour, background, arm and objects by their colours.

    Args:
        demos: The demonstrations as recorded.
        trainer: The same states rendered by the trainer's environment; without states, starts of its own.
        moments: The moments of both; None without states, where all images are starts and all are compared.
        objects: The names of the objects, in the order of their regions.
        seed: Seeds the folds.
    """
    names = {"background": BACKGROUND, "arm appearance": ARM}
    names |= {f"appearance of {name}": ARM + 1 + i for i, name in enumerate(objects)}
    colours = [_colours(side.pixels) for side in (demos, trainer)]
    regions = {"colour": colours} | {
        name: [_region(side, number) for side in (demos, trainer)] for name, number in names.items()
    }
    for name, (ours, theirs) in regions.items():
        if moments is None:
            yield Cue(name, _judge((demos, trainer), (ours, theirs), None, seed))
            continue
        early, spread = (_judge((demos, trainer), (ours, theirs), which, seed) for which in moments[2:])
        number = names.get(name)
        yield Cue(name, early, spread, _difference(demos, trainer, number))


def placement(demos: Layout, trainer: Layout, seed: int) -> Iterator[Cue]:
    """Judges where things are when episodes start; both layouts are of starts, one per episode."""
    judged = {"start of the arm": (demos.hand, trainer.hand)}
    for name, ours in demos.objects.items():
        theirs = trainer.objects[name]
        judged[f"placement of {name}"] = ours[:, :3], theirs[:, :3]
        judged[f"turn of {name}"] = ours[:, 3:], theirs[:, 3:]
    for name, (ours, theirs) in judged.items():
        expert, agent = (Samples(side, np.arange(len(side))) for side in (ours, theirs))
        early = held_out(quadratic(PLACE_TOLERANCE), expert, agent, seed)
        # Bonferroni: with so many things tested, one alone would often seem unusual.
        chance = min(1.0, len(judged) * chance_alike(ours, theirs, PLACE_TOLERANCE, seed))
        yield Cue(name, early, chance=chance)


def movement(demos: Layout, trainer: Layout, moments: tuple[Moments, Moments], seed: int) -> list[Accuracy]:
    """Judges, at each early age above 0, how the hand has moved since the start, which reveals an expert."""
    ages = min(int(each.age[each.early].max()) for each in moments)
    judged = []
    for age in range(1, ages + 1):
        sides = []
        for layout, each in zip((demos, trainer), moments, strict=True):
            there = np.isin(each.episode, each.episode[each.age == age])
            moved = layout.hand[each.age == age] - layout.hand[each.start & there]
            sides.append(Samples(moved, each.episode[each.age == age]))
        judged.append(held_out(quadratic(PLACE_TOLERANCE), sides[0], sides[1], seed))
    return judged


def _judge(
    sides: tuple[Pictures, Pictures], features: tuple[Floats, Floats], which: NDArray[np.bool_] | None, seed: int
) -> Accuracy | None:
    samples = []
    for side, numbers in zip(sides, features, strict=True):
        usable = np.isfinite(numbers).all(1) if which is None else which & np.isfinite(numbers).all(1)
        samples.append(Samples(numbers[usable], side.episode[usable]))
    if any(len(np.unique(each.episode)) < _FEWEST_EPISODES for each in samples):
        return None
    return held_out(linear, samples[0], samples[1], seed)


def _colours(pixels: NDArray[np.uint8]) -> Floats:
    """Mean and standard deviation of each channel, and a histogram of hues weighted by saturation: [M, 6 + hues]."""
    hue, saturation, _ = np.moveaxis(np.asarray(Image.fromarray(pixels).convert("HSV")), -1, 0)
    bins = hue.astype(int) * _HUES // 256
    hues = np.stack([np.where(bins == i, saturation, 0).mean(1) for i in range(_HUES)], 1)
    return np.concatenate([pixels.mean(1), pixels.std(1), hues], 1)


def _region(side: Pictures, number: int) -> Floats:
    """Mean and standard deviation of each channel within a region, [M, 6]; NaN where it is hardly visible."""
    rows = []
    for pixels, regions in zip(side.pixels, side.regions, strict=True):
        found = pixels[regions == number]
        enough = len(found) >= _FEWEST_PIXELS
        rows.append(np.concatenate([found.mean(0), found.std(0)]) if enough else np.full(6, np.nan))
    return np.stack(rows)


def _difference(demos: Pictures, trainer: Pictures, number: int | None) -> float:
    """The mean absolute difference of the pixels of a region, by default of all pixels, in levels."""
    within = slice(None) if number is None else demos.regions == number
    ours, theirs = (side.pixels[within].astype(np.int16) for side in (demos, trainer))
    return float(np.abs(ours - theirs).mean()) if ours.size else 0.0
