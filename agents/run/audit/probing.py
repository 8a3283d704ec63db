"""Probes on pixels: whether a discriminator distinguishes the demonstrations from a random policy, and by what."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trailkit.agents.networks.encoders import CompactEncoder
from trailkit.agents.run.audit.frames import Moments
from trailkit.agents.run.audit.scoring import Accuracy, accuracy, fold_of
from trailkit.discriminators.augmentation import Augmentation, crop_sizes
from trailkit.discriminators.discriminator import Discriminator
from trailkit.discriminators.probe import Labelled, ProbeSettings, occlusion, probe

_MAPPED = 20  # frames of each fold for occlusion maps
_CROP = 7 / 8  # of each side: more than a training usually sees, since cues may be at the edge

Pictures = Mapping[str, NDArray[np.uint8]]


class Side(NamedTuple):
    """Frames of the demonstrations, or of the random policy."""

    pictures: Pictures  # [M, H, W, 3] a camera
    moments: Moments

    def of(self, which: NDArray[np.bool_]) -> "Side":
        """Some of the frames."""
        pictures = {camera: images[which] for camera, images in self.pictures.items()}
        return Side(pictures, self.moments.of(which))


class Probed(NamedTuple):
    """The results of probes on frames of both sides."""

    accuracy: Accuracy
    start: Accuracy  # on the first frames of the episodes, before anything has moved
    train: float  # balanced accuracy on the probes' training episodes
    maps: dict[str, NDArray[np.float32]]  # [H, W] a camera: how much occlusion changes the logit; may be empty


def run_probes(
    demos: Side, agent: Side, seed: int, tick: Callable[[], None], mapped: bool, settings: ProbeSettings | None = None
) -> Probed:
    """Trains a probe for each fold and evaluates all of them.

    Args:
        demos: Frames of the demonstrations.
        agent: Frames of the random policy.
        seed: Seeds all random draws.
        tick: Called after each fold.
        mapped: Whether to find out where the probes look.
        settings: The training settings of the probes.
    """
    episode, expert, frames = _both(demos, agent)
    sizes = {camera: (images.shape[1], images.shape[2]) for camera, images in frames.items()}
    crops = crop_sizes(sizes, _CROP)
    logits, train = np.zeros(len(episode)), []
    maps = {camera: torch.zeros(size) for camera, size in sizes.items()}
    fill = {camera: images.float().mean(0).byte() for camera, images in frames.items()}
    fold = fold_of(1 + int(episode.max()), seed)[episode]
    labelled = Labelled(frames, torch.from_numpy(expert), torch.from_numpy(fold))
    for each in probe(
        labelled, lambda: Discriminator(CompactEncoder(crops)), Augmentation(sizes, crops), seed, settings
    ):
        logits[each.held] = each.logits.double()
        train.append(each.train_accuracy)
        if mapped:
            some = each.held[:: max(1, len(each.held) // _MAPPED)]
            found = occlusion(each.discriminator, {name: images[some] for name, images in frames.items()}, fill)
            maps = {camera: total + found[camera] for camera, total in maps.items()}
        tick()
    start = np.concatenate([demos.moments.start, agent.moments.start])
    return Probed(
        _accuracy(logits, episode, expert, np.ones_like(start)),
        _accuracy(logits, episode, expert, start),
        float(np.mean(train)),
        {camera: (total / len(train)).numpy() for camera, total in maps.items()} if mapped else {},
    )


def _both(demos: Side, agent: Side) -> tuple[NDArray[np.int64], NDArray[np.bool_], dict[str, Tensor]]:
    """The frames of both sides: their episodes [N], whether they are demonstrations' [N], and their images."""
    episode = np.concatenate([demos.moments.episode, agent.moments.episode])
    expert = np.arange(len(episode)) < len(demos.moments.episode)
    joined = {name: np.concatenate([images, agent.pictures[name]]) for name, images in demos.pictures.items()}
    return episode, expert, {name: torch.from_numpy(images) for name, images in joined.items()}


def _accuracy(
    logits: NDArray[np.float64], episode: NDArray[np.int64], expert: NDArray[np.bool_], which: NDArray[np.bool_]
) -> Accuracy:
    ours, theirs = which & expert, which & ~expert
    return accuracy(logits[ours], episode[ours], logits[theirs], episode[theirs])
