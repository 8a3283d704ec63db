"""What `ExternalEnvironment` requires of an environment, whatever its interface."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from trailkit.envs.errors import UserError
from trailkit.envs.simulator import mujoco


class Moment(NamedTuple):
    """What an environment returns after a reset or a step."""

    observation: Mapping[str, NDArray[Any]]  # by name; an observation that is a single array is named "observation"
    reward: float = 0.0
    terminated: bool = False
    truncated: bool = False
    info: Mapping[str, Any] = {}  # never changed


class Source(Protocol):
    """An environment in its own units."""

    low: NDArray[np.float64]  # [A], the bounds of its actions
    high: NDArray[np.float64]
    timestep: float  # seconds per step

    def reset(self, seed: int | None) -> Moment:
        """Starts an episode; with a seed, the random state is set to it first."""

    def step(self, action: NDArray[np.float64]) -> Moment:
        """Makes a step; the action is [A] within `low` and `high`."""

    def simulation(self) -> tuple[mujoco.MjModel, mujoco.MjData] | None:
        """The underlying MuJoCo model and state, ready to be rendered; None if there are none."""

    def own_camera(self) -> mujoco.MjvCamera:
        """The view of its own `render`, if there is a simulation."""

    def picture(self) -> NDArray[np.uint8]:
        """The image that its own `render` returns, uint8 [H, W, 3].

        Raises:
            UserError: If it renders nothing.
        """

    @property
    def hand_size(self) -> int:
        """How many numbers `hand_action` takes; see `Environment`.

        Raises:
            UserError: If it is said to be another number than 4 or 7.
        """

    def hand_action(self, motion: NDArray[np.float64]) -> NDArray[np.float64] | None:
        """The action that moves the hand as `Environment.hand_action` specifies; None if there is none."""

    def close(self) -> None:
        """Frees its resources."""


def bounds(space: str, low: NDArray[Any], high: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Checks the bounds of an action space, onto which [-1, 1] is scaled.

    Raises:
        UserError: If they are not vectors, or infinite.
    """
    if low.ndim != 1:
        raise UserError(f"{space} has actions of shape {low.shape}: trailkit's policies give vectors [A]")
    if not (np.isfinite(low).all() and np.isfinite(high).all()):
        raise UserError(
            f"{space} has actions without bounds: give its action_space finite ones, to which [-1, 1] is stretched"
        )
    return low.astype(np.float64), high.astype(np.float64)
