"""Frames on end, from which motion is to be seen: each is stored once, and stacked when it is asked for."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trailkit.replay.transition import Observation

Array = NDArray[Any]


def stack_frames(frames: Array, count: int) -> Array:
    """Joins each frame with those before it along the channels, the newest last, as DQN does (Mnih et al. 2015).

    Args:
      frames: Frames on end, the first `count` - 1 for those that follow alone: [..., T + count - 1, H, W, 3].
      count: How many are joined.

    Returns:
      [..., T, H, W, 3 count]; a view of `frames` if they are joined with none.
    """
    if count == 1:
        return frames
    length = frames.shape[-4] - count + 1
    return np.concatenate([frames[..., first : first + length, :, :, :] for first in range(count)], -1)


def stack_episode(observation: Mapping[str, Array], count: int) -> dict[str, Array]:
    """Stacks the pictures of an episode, [T + 1, H, W, 3] a camera; before its first frame there are copies of it."""
    return {
        name: stack_frames(np.concatenate([values[:1]] * (count - 1) + [values]), count)
        if is_picture(values)
        else values
        for name, values in observation.items()
    }


def is_picture(values: Array) -> bool:
    """Whether an entry of an observation is a camera's: the only ones of bytes."""
    return values.dtype == np.uint8


class FrameHistory:
    """What was seen last in an episode, for who acts step by step."""

    def __init__(self, count: int) -> None:
        """Makes an empty one.

        Args:
          count: How many frames are stacked.
        """
        self._count = count
        self.reset()

    def reset(self) -> None:
        """Begins an episode."""
        self._frames: dict[str, list[Array]] = {}

    def __call__(self, observation: Observation) -> Observation:
        """Takes what is seen now, unbatched, and returns it with its pictures stacked, [H, W, 3 count] each."""
        if self._count == 1:
            return observation
        return {name: self._stack(name, np.asarray(values)) for name, values in observation.items()}

    def _stack(self, name: str, values: Array) -> Array:
        if not is_picture(values):
            return values
        before = self._frames.get(name, [values] * self._count)
        self._frames[name] = [*before[1:], values]
        return np.concatenate(self._frames[name], -1)
