"""What trailkit plays in: a `dm_env.Environment` that can be seeded, drawn, and asked whether its task is solved."""

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
    """A seed of 32 bits, which NumPy's older generators take: a short one itself, for a longer one another."""
    return seed if seed < 2**32 else int(np.random.SeedSequence(seed).generate_state(1)[0])


class Environment(dm_env.Environment):
    """An environment of trailkit's or of elsewhere; `trailkit.envs.make` makes it.

    Observations are a dict: a picture, uint8 [height, width, 3], for each camera of the settings, and "proprio",
    float32 [P], if the robot's own state is observed. Actions are float32 [A] in [-1, 1]. A time limit ends an
    episode with a discount of 1, which is a truncation; a discount of 0 is a termination.
    """

    settings: EnvSettings
    control_timestep: float  # seconds between actions
    cameras: Sequence[str]  # the names of those that `render` takes

    @abstractmethod
    def reset(self) -> dm_env.TimeStep:
        """Begins an episode; see `dm_env.Environment`."""

    @abstractmethod
    def step(self, action: Any) -> dm_env.TimeStep:
        """Takes a control step; see `dm_env.Environment`.

        Raises:
            UserError: If the action has another shape than the action space, or holds NaN.
        """

    @abstractmethod
    def observation_spec(self) -> Mapping[str, specs.Array]:
        """The specs of what is observed, by name; those of pictures are bounded."""

    @abstractmethod
    def action_spec(self) -> specs.BoundedArray:
        """That of actions, float32 [A] in [-1, 1]."""

    @abstractmethod
    def close(self) -> None:
        """Frees what draws, and the simulation. A second call does nothing."""

    @abstractmethod
    def seed(self, seed: int) -> None:
        """Makes the episodes from the next `reset` on those of this seed, 0 or more."""

    @property
    @abstractmethod
    def random_state(self) -> np.random.RandomState:
        """What chance in an episode is drawn from, by whoever plays it too; see `seed`."""

    @property
    @abstractmethod
    def solved(self) -> bool:
        """Whether the task is solved in the current state."""

    @abstractmethod
    def state(self) -> NDArray[np.float64] | None:
        """The simulator's state, float64 [S], from which `set_state` draws it again; None if that is not all."""

    def set_state(self, state: NDArray[np.float64]) -> None:
        """Puts the simulation into a state that `state` returned, to draw and observe it.

        Raises:
            UserError: If the state is of another model, or the environment has none to give.
        """
        raise UserError(f"{self.settings.task} cannot be put into a state: its episodes keep none")

    def lay_out_as(self, state: NDArray[np.float64]) -> None:
        """Puts the things where they are in a state that `state` returned; robot and clock stay.

        Raises:
            UserError: As for `set_state`.
        """
        self.set_state(state)

    def things(self) -> NDArray[np.float32]:
        """Poses and velocities of the task's things; see `trailkit.envs.tasks.things`. No part of an observation.

        Raises:
            UserError: If the environment does not tell them.
        """
        raise UserError(f"{self.settings.task} does not tell where its things are: leave out state=True")

    @abstractmethod
    def hand_action(self, motion: NDArray[np.float64]) -> NDArray[np.float32]:
        """The action that moves the hand as commanded, from the current state.

        Args:
            motion: Velocities along x, y and z and of the gripper, [4] in [-1, 1] of full speed; 1 closes it.

        Returns:
            float32 [A] in [-1, 1].

        Raises:
            UserError: If the actions of this environment do not move a hand.
        """

    @abstractmethod
    def observe(self) -> dict[str, NDArray[Any]]:
        """What an agent observes of the current state."""

    @abstractmethod
    def render(
        self, camera: str | None = None, height: int = 480, width: int = 640, quality: Quality = Quality.FULL
    ) -> NDArray[np.uint8]:
        """Draws the current state for people to look at, uint8 [height, width, 3]; by default the first camera.

        Raises:
            UserError: If there is no such camera, or no headless OpenGL.
        """
