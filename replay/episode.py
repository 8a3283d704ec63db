"""An episode, and its file: one HDF5 file an episode, whole or absent."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Episode(NamedTuple):
    """A finished episode of T steps."""

    observation: dict[str, NDArray[Any]]  # T + 1 observations: cameras uint8 [T+1, H, W, 3], proprio f32 [T+1, P]
    action: NDArray[np.float32]  # [T, A]
    reward: NDArray[np.float32]  # [T]
    discount: NDArray[np.float32]  # [T], the environment's
    success: NDArray[np.bool_]  # [T], whether the task was solved after each step
    metadata: dict[str, Any]  # JSON: seed, source, how it ended; never needed to learn

    @property
    def length(self) -> int:
        """The number of steps, T."""
        return len(self.action)
