"""A user's own scripted expert, for any environment."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trailkit.envs.environment import Environment
from trailkit.envs.errors import UserError

Script = Callable[[Environment], Iterator[ArrayLike]]

_NOISE_MEMORY = 0.7  # correlation of the disturbance from one step to the next, as in trailkit's own experts


class OwnExpert:
    """Plays episodes by a user's script; a `trailkit.demos.record.Device`."""

    def __init__(self, env: Environment, script: Script, noise: float = 0.2) -> None:
        """Prepares to play.

        Args:
            env: The environment that the script reads; `env.told` is the complete observation of an external one.
            script: A generator function, called for each episode; it yields an action [A] in [-1, 1] per step.
            noise: Standard deviation of the disturbance of each entry of an action.

        Raises:
            UserError: If the noise is negative.
        """
        if noise < 0:
            raise UserError(f"noise is {noise}: expected 0 or more, in units of full speed")
        self._env, self._script, self._noise = env, script, noise

    def reset(self) -> None:
        """Starts an episode after the environment was reset. The disturbance is seeded by the environment."""
        self._random = np.random.default_rng(self._env.random_state.randint(2**31))
        self._actions = self._script(self._env)
        self._disturbance = np.zeros(self._env.action_spec().shape)
        if not isinstance(self._actions, Iterator):
            raise UserError(f"the expert gives a {type(self._actions).__name__}: it must yield an action for each step")

    def act(self) -> NDArray[np.float32]:
        """The script's next action, disturbed and clipped, float32 [A].

        Raises:
            UserError: If the script ends before the episode, or yields an action of another shape.
        """
        action = np.asarray(next(self._actions, None), np.float64)  # NaN if the script has ended
        shape = self._disturbance.shape
        if action.shape != shape:
            said = "ended before the episode did" if np.isnan(action).all() else f"gave an action {list(action.shape)}"
            raise UserError(f"the expert {said}: it must yield {list(shape)} in [-1, 1] for each step")
        fresh = self._random.normal(scale=self._noise, size=shape)
        self._disturbance = _NOISE_MEMORY * self._disturbance + np.sqrt(1 - _NOISE_MEMORY**2) * fresh
        return np.clip(action + self._disturbance, -1.0, 1.0).astype(np.float32)
