"""Random actions: a random policy in the experts' environment yields a constraining set for TRAIL (TRAIL, Fig. 8)."""

import numpy as np
from numpy.typing import NDArray

from trailkit.envs.environment import Environment


class RandomDevice:
    """Draws each action uniformly from the environment's action space."""

    def __init__(self, env: Environment, seed: int = 0) -> None:
        """Prepares to play; the actions of an episode depend on this seed and the environment's."""
        self._env = env
        self._seed = seed
        self._size = env.action_spec().shape[0]

    def reset(self) -> None:
        """Starts an episode after the environment was reset."""
        self._random = np.random.default_rng([self._seed, self._env.random_state.randint(2**31)])

    def act(self) -> NDArray[np.float32]:
        """The next action, float32 [A]."""
        action: NDArray[np.float32] = self._random.uniform(-1.0, 1.0, self._size).astype(np.float32)
        return action
