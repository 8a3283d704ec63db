"""Consecutive frames that show motion: each is stored once, and frames are stacked only when sampled."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trailkit.replay.transition import Observation

Array = NDArray[Any]


def stack_frames(frames: Array, count: int) -> Array:
    """Stacks each frame with the ones before it along the channels, newest last, as DQN does (Mnih et al. 2015).

    Args:
      frames: Consecutive frames, of which the first `count` - 1 only serve as history: [..., T + count - 1, H, W, 3].
      count: How many frames make a stack.

    Returns:
      [..., T, H, W, 3 count]; a view of `frames` if `count` is 1.
    """
    if count == 1:
        return frames
    length = frames.shape[-4] - count + 1
    return np.concatenate([frames[..., first : first + length, :, :, :] for first in range(count)], -1)


def stack_episode(observation: Mapping[str, Array], count: int) -> dict[str, Array]:
    """Stacks the images of an episode, [T + 1, H, W, 3] a camera; its first frame is repeated before its start."""
    return {
        name: stack_frames(np.concatenate([values[:1]] * (count - 1) + [values]), count)
        if is_picture(values)
        else values
        for name, values in observation.items()
    }


def is_picture(values: Array) -> bool:
    """Whether an entry of an observation is a camera image: only images are uint8."""
    return values.dtype == np.uint8


class FrameHistory:
    """The most recent frames of an episode, for stacking while acting step by step."""

    def __init__(self, count: int) -> None:
        """Makes an empty history.

        Args:
          count: How many frames are stacked.
        """
        self._count = count
        self.reset()

    def reset(self) -> None:
        """Starts a new episode."""
        self._frames: dict[str, list[Array]] = {}

    def __call__(self, observation: Observation) -> Observation:
        """Takes the current observation, unbatched, and returns it with stacked images, [H, W, 3 count] each."""
        if self._count == 1:
            return observation
        return {name: self._stack(name, np.asarray(values)) for name, values in observation.items()}

    def _stack(self, name: str, values: Array) -> Array:
        if not is_picture(values):
            return values
        before = self._frames.get(name, [values] * self._count)
        self._frames[name] = [*before[1:], values]
        return np.concatenate(self._frames[name], -1)
