"""A probe: a small discriminator trained briefly, to see whether two sets of frames can be told apart at all.

It only judges episodes that it was not trained on, since a discriminator memorises its training frames.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from trailkit.discriminators.augmentation import Augmentation
from trailkit.discriminators.discriminator import Discriminator
from trailkit.discriminators.losses import balanced_accuracy, cross_entropy
from trailkit.replay.transition import Observation

_CHUNK = 512  # frames judged at a time
_SQUARES = 8  # side of an occluding square, as a fraction 1/N of an image's height; squares overlap by half


class Labelled(NamedTuple):
    """Frames of both sources, with labels."""

    frames: Observation  # uint8 [N, H, W, 3] a camera
    expert: Bool[Tensor, " n"]
    fold: Int[Tensor, " n"]  # frames of one episode share a fold


@dataclass(frozen=True)
class ProbeSettings:
    """How a probe is trained: long enough to find any difference, too briefly to be useful as a reward."""

    steps: int = 150
    batch: int = 32  # frames of each source
    learning_rate: float = 1e-3


class Fold(NamedTuple):
    """A probe and its logits for the frames held out from its training."""

    discriminator: Discriminator
    held: Int[Tensor, " h"]  # the indices of those frames
    logits: Float[Tensor, " h"]
    train_accuracy: float  # balanced, on its training frames


def probe(
    labelled: Labelled,
    make_discriminator: Callable[[], Discriminator],
    augmentation: Augmentation,
    seed: int,
    settings: ProbeSettings | None = None,
) -> Iterator[Fold]:
    """Trains a probe for each fold, on the frames of the other folds, and yields it.

    Args:
        labelled: The labelled frames.
        make_discriminator: Makes a freshly initialised discriminator.
        augmentation: Augments the training frames.
        seed: Seeds all random draws.
        settings: The training settings.
    """
    settings = settings or ProbeSettings()
    for fold in sorted(set(labelled.fold.tolist())):
        generator = torch.Generator().manual_seed(seed + fold)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed + fold)
            discriminator = make_discriminator()
        seen = labelled.fold != fold
        experts, agents = ((seen & side).nonzero()[:, 0] for side in (labelled.expert, ~labelled.expert))
        _train(discriminator, labelled.frames, experts, agents, augmentation, generator, settings)
        accuracy = balanced_accuracy(
            *(judge(discriminator, _take(labelled.frames, each)) for each in (experts, agents))
        )
        held = (~seen).nonzero()[:, 0]
        yield Fold(discriminator, held, judge(discriminator, _take(labelled.frames, held)), accuracy.item())


@torch.no_grad()
def judge(discriminator: Discriminator, frames: Observation) -> Float[Tensor, " n"]:
    """The logits of the frames' centre crops."""
    count = len(frames[discriminator.cameras[0]])
    chunks = [torch.arange(first, min(first + _CHUNK, count)) for first in range(0, count, _CHUNK)]
    return torch.cat([discriminator(_take(frames, chunk)) for chunk in chunks])


def occlusion(discriminator: Discriminator, frames: Observation, fill: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """How much the logit changes when a square of the image is covered, averaged over frames.

    Args:
        discriminator: Judges the frames.
        frames: uint8 [N, H, W, 3] a camera.
        fill: What the square shows instead, uint8 [H, W, 3] a camera: the mean image, so that what all frames have in
            common has no effect.

    Returns:
        A map for each camera, float32 [H, W], in units of the logit.
    """
    before = judge(discriminator, frames)
    maps = {}
    for camera in discriminator.cameras:
        height, width = fill[camera].shape[:2]
        side = max(2, height // _SQUARES)
        moved, times = torch.zeros(height, width), torch.zeros(height, width)
        for top in range(0, height - side // 2, side // 2):
            for left in range(0, width - side // 2, side // 2):
                square = (slice(top, top + side), slice(left, left + side))
                covered = frames[camera].clone()
                covered[(slice(None), *square)] = fill[camera][square]
                moved[square] += (judge(discriminator, {**frames, camera: covered}) - before).abs().mean()
                times[square] += 1
        maps[camera] = moved / times
    return maps


def _train(
    discriminator: Discriminator,
    frames: Observation,
    experts: Int[Tensor, " experts"],
    agents: Int[Tensor, " agents"],
    augmentation: Augmentation,
    generator: torch.Generator,
    settings: ProbeSettings,
) -> None:
    optimizer = torch.optim.Adam(discriminator.parameters(), lr=settings.learning_rate, fused=True)
    for _ in range(settings.steps):
        drawn = [side[torch.randint(len(side), (settings.batch,), generator=generator)] for side in (experts, agents)]
        logits = discriminator(augmentation(_take(frames, torch.cat(drawn)), generator))
        optimizer.zero_grad()
        cross_entropy(*logits.split(settings.batch)).backward()  # type: ignore[no-untyped-call]
        optimizer.step()


def _take(frames: Observation, indices: Int[Tensor, " k"]) -> dict[str, Tensor]:
    return {camera: images[indices] for camera, images in frames.items()}
