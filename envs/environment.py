"""The environment interface: a `dm_env.Environment` with seeding, rendering and a success signal."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import dm_env
import numpy as np
from dm_env import specs
from numpy.typing import NDArray

from trailkit.envs.errors import UserError
from trailkit.envs.rendering import Quality
from trailkit.envs.settings import EnvSettings


def short_seed(seed: int) -> int:
    """A 32-bit seed, as NumPy's legacy generators need: `seed` itself if it fits, otherwise one derived from it."""
    return seed if seed < 2**32 else int(np.random.SeedSequence(seed).generate_state(1)[0])


class Environment(dm_env.Environment):
    """Any environment, trailkit's own or external; `trailkit.envs.make` makes it.

    Observations are a dict: an image, uint8 [height, width, 3], for each camera in the settings, and "proprio",
    float32 [P], if the robot's own state is observed. Actions are float32 [A] in [-1, 1]. A time limit ends an
    episode with a discount of 1, which is a truncation; a discount of 0 is a termination.
    """

    settings: EnvSettings
    control_timestep: float  # seconds between actions
    cameras: Sequence[str]  # the names that `render` accepts

    @abstractmethod
    def reset(self) -> dm_env.TimeStep:
        """Starts an episode; see `dm_env.Environment`."""

    @abstractmethod
    def step(self, action: Any) -> dm_env.TimeStep:
        """Makes a control step; see `dm_env.Environment`.

        Raises:
            UserError: If the action's shape differs from the action space's, or it contains NaN.
        """

    @abstractmethod
    def observation_spec(self) -> Mapping[str, specs.Array]:
        """The specs of the observations by name; those of images are bounded."""

    @abstractmethod
    def action_spec(self) -> specs.BoundedArray:
        """The spec of actions, float32 [A] in [-1, 1]."""

    @abstractmethod
    def close(self) -> None:
        """Frees the renderers and the simulation. A second call does nothing."""

    @abstractmethod
    def seed(self, seed: int) -> None:
        """Seeds the episodes from the next `reset` on; `seed` is 0 or more."""

    @property
    @abstractmethod
    def random_state(self) -> np.random.RandomState:
        """The generator for everything random in an episode, also for experts that play it; see `seed`."""

    @property
    @abstractmethod
    def solved(self) -> bool:
        """Whether the task is solved in the current state."""

    @abstractmethod
    def state(self) -> NDArray[np.float64] | None:
        """The simulator's state, float64 [S], from which `set_state` restores it; None if that is not enough."""

    def set_state(self, state: NDArray[np.float64]) -> None:
        """Puts the simulation into a state that `state` returned, to render and observe it.

        Raises:
            UserError: If the state belongs to another model, or the environment provides no states.
        """
        raise UserError(f"{self.settings.task} cannot be put into a state: its episodes keep none")

    def lay_out_as(self, state: NDArray[np.float64]) -> None:
        """Moves the things to where they are in a state that `state` returned; robot and clock are unchanged.

        Raises:
            UserError: As for `set_state`.
        """
        self.set_state(state)

    def things(self) -> NDArray[np.float32]:
        """Poses and velocities of the task's things; see `trailkit.envs.tasks.things`. Not part of an observation.

        Raises:
            UserError: If the environment does not provide them.
        """
        raise UserError(f"{self.settings.task} does not tell where its things are: leave out state=True")

    @property
    def hand_size(self) -> int:
        """How many numbers `hand_action` takes: 4, or 7 where the hand can be turned, too."""
        return 4

    @abstractmethod
    def hand_action(self, motion: NDArray[np.float64]) -> NDArray[np.float32]:
        """The action that moves the hand as commanded, from the current state on.

        Args:
            motion: Velocities along x, y and z, angular velocities about them if `hand_size` is 7, and the velocity of
                the gripper, [`hand_size`] in [-1, 1] of full speed; 1 closes it.

        Returns:
            float32 [A] in [-1, 1].

        Raises:
            UserError: If this environment's actions do not move a hand.
        """

    @abstractmethod
    def observe(self) -> dict[str, NDArray[Any]]:
        """The agent's observation of the current state."""

    @abstractmethod
    def render(
        self, camera: str | None = None, height: int = 480, width: int = 640, quality: Quality = Quality.FULL
    ) -> NDArray[np.uint8]:
        """Renders the current state for people, uint8 [height, width, 3]; by default with the first camera.

        Raises:
            UserError: If there is no such camera, or no headless OpenGL.
        """
