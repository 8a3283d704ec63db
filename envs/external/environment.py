"""An external environment behind the `Environment` interface."""

from typing import Any

import dm_env
import numpy as np
from dm_env import specs
from numpy.typing import NDArray

from trailkit.envs.appearance import check_cameras
from trailkit.envs.environment import Environment, short_seed
from trailkit.envs.errors import UserError
from trailkit.envs.external import gymnasium_source
from trailkit.envs.external.camera import Cameras
from trailkit.envs.external.dm_control_source import DmControlSource
from trailkit.envs.external.looks import Looks
from trailkit.envs.external.metaworld_source import MetaWorldSource
from trailkit.envs.external.proprio import Proprioception
from trailkit.envs.external.source import Moment, Source
from trailkit.envs.external.success import judge
from trailkit.envs.rendering import Quality
from trailkit.envs.settings import EnvSettings, External, Origin


class ExternalEnvironment(Environment):
    """Adds to a `Source` what trailkit's own environments have: actions in [-1, 1], cameras, success, a time limit."""

    def __init__(self, settings: EnvSettings, seed: int | None = None) -> None:
        """Makes the environment.

        Raises:
            UserError: As for `trailkit.envs.make.make_environment`.
        """
        assert settings.external is not None
        self._moment: Moment
        self._closed = False
        self.settings, self._external = settings, settings.external
        self._source: Source = _source(settings, self._external)
        self._looks = Looks(settings)
        try:
            self.seed(int(np.random.SeedSequence().generate_state(1)[0]) if seed is None else seed)
            self._begin()  # some have an observation and a model only after a reset
            self._over = True  # until `reset`
            self._views = Cameras(self._source, self._looks)
            for camera in settings.observation.cameras:
                self._views.check(camera)
            check_cameras(settings, self._views.stands)
            self.cameras = self._views.names
            self.control_timestep = self._source.timestep * self._external.action_repeat
            self._judge = judge(self._external.success)
            own = settings.observation.proprioception
            self._proprioception = Proprioception(self._external.proprio) if own else None
            self.observation_spec()  # raises now if a part of the observation is wrong
        except BaseException:
            self.close()
            raise

    def seed(self, seed: int) -> None:
        """See `Environment`."""
        self._seed: int | None = short_seed(int(seed))
        self._random = np.random.RandomState(self._seed)
        self._looks.seed(self._seed)

    @property
    def random_state(self) -> np.random.RandomState:
        """See `Environment`."""
        return self._random

    @property
    def solved(self) -> bool:
        """Whether the last step left the task solved."""
        return self._solved

    @property
    def told(self) -> dict[str, NDArray[Any]]:
        """The environment's complete observation by name, which scripted experts read but policies do not see."""
        return dict(self._moment.observation)

    def reset(self) -> dm_env.TimeStep:
        """Starts an episode; see `dm_env.Environment`."""
        self._begin()
        return dm_env.restart(self.observe())  # type: ignore[no-untyped-call, no-any-return]

    def step(self, action: Any) -> dm_env.TimeStep:
        """Makes a control step; see `dm_env.Environment`.

        Raises:
            UserError: If the action has another shape or contains NaN, or the environment reports no success.
        """
        if self._over:
            return self.reset()
        scaled = self._scale(np.asarray(action, np.float64))
        reward = 0.0
        for _ in range(self._external.action_repeat):
            self._moment = self._source.step(scaled)
            self._solved = self._judge(self._moment)
            reward += self._moment.reward
            if self._moment.terminated or self._moment.truncated:
                break
        self._steps += 1
        if self._external.sparse_reward:
            reward = float(self._solved)
        return self._timestep(reward)

    def observation_spec(self) -> dict[str, specs.Array]:
        """The specs of `observe`; those of images are bounded."""
        size = self.settings.observation
        pictures: dict[str, specs.Array] = {
            camera: specs.BoundedArray((size.height, size.width, 3), np.uint8, 0, 255, camera)  # type: ignore[no-untyped-call]
            for camera in size.cameras
        }
        if self._proprioception is None:
            return pictures
        proprio = self._proprioception(self._moment.observation)
        return {**pictures, "proprio": specs.Array(proprio.shape, np.float32, "proprio")}

    def action_spec(self) -> specs.BoundedArray:
        """Actions are float32 [A] in [-1, 1]."""
        return specs.BoundedArray(self._source.low.shape, np.float32, -1.0, 1.0, "action")  # type: ignore[no-untyped-call]

    @property
    def bounds(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """What actions of -1 and of 1 mean in the environment's own units, [A] each."""
        return self._source.low, self._source.high

    def state(self) -> None:
        """None: such environments keep goals, and change their models, outside of MuJoCo's state."""

    @property
    def hand_size(self) -> int:
        """See `Environment`.

        Raises:
            UserError: If the environment says another number than 4 or 7.
        """
        return self._source.hand_size

    def hand_action(self, motion: NDArray[np.float64]) -> NDArray[np.float32]:
        """See `Environment`."""
        action = self._source.hand_action(np.clip(motion, -1.0, 1.0))
        if action is None:
            raise UserError(
                f"the actions of {self.settings.task} do not move a hand, and it has no method hand_action that knows "
                "which do: record device=random, or convert others"
            )
        low, high = self._source.low, self._source.high
        if action.shape != low.shape:
            raise UserError(f"hand_action of {self.settings.task} gives shape {action.shape}: expected {low.shape}")
        width = np.where(high > low, high - low, 1.0)  # an entry whose bounds are equal cannot be changed
        scaled: NDArray[np.float32] = (2 * (action - low) / width - 1).clip(-1.0, 1.0).astype(np.float32)
        return scaled

    def observe(self) -> dict[str, NDArray[Any]]:
        """See `Environment`."""
        size = self.settings.observation
        observed: dict[str, NDArray[Any]] = {
            camera: self._views.draw(camera, size.height, size.width, Quality.FAST) for camera in size.cameras
        }
        if self._proprioception is not None:
            observed["proprio"] = self._proprioception(self._moment.observation)
        return observed

    def render(
        self, camera: str | None = None, height: int = 480, width: int = 640, quality: Quality = Quality.FULL
    ) -> NDArray[np.uint8]:
        """See `Environment`."""
        camera = camera or (self.settings.observation.cameras or self.cameras)[0]
        self._views.check(camera)
        return self._views.draw(camera, height, width, quality)

    def close(self) -> None:
        """Frees the renderers and the environment. A second call does nothing."""
        if self._closed:  # composer's environments can be closed only once
            return
        self._closed = True
        if hasattr(self, "_views"):
            self._views.close()
        self._source.close()

    def _begin(self) -> None:
        self._looks.end()
        self._moment = self._source.reset(self._seed)
        self._seed = None  # later episodes continue the random sequence
        self._looks.begin(self._source)
        self._solved, self._over, self._steps = False, False, 0

    def _scale(self, action: NDArray[np.float64]) -> NDArray[np.float64]:
        """Clips an action in [-1, 1] and converts it to the environment's own units."""
        low, high = self._source.low, self._source.high
        if action.shape != low.shape:
            raise UserError(f"an action of shape {action.shape}: {self.settings.task} takes shape {low.shape}")
        if np.isnan(action).any():
            raise UserError(f"an action that is not a number: {action.tolist()}; look for what diverged")
        return low + (np.clip(action, -1.0, 1.0) + 1.0) / 2.0 * (high - low)

    def _timestep(self, reward: float) -> dm_env.TimeStep:
        observation = self.observe()
        self._over = self._moment.terminated or self._moment.truncated or self._steps == self.settings.episode_steps
        if self._moment.terminated:
            return dm_env.termination(reward, observation)  # type: ignore[no-untyped-call, no-any-return]
        if self._over:
            return dm_env.truncation(reward, observation)  # type: ignore[no-untyped-call, no-any-return]
        return dm_env.transition(reward, observation)  # type: ignore[no-untyped-call, no-any-return]


def _source(settings: EnvSettings, external: External) -> Source:
    match external.origin:
        case Origin.DM_CONTROL:
            return DmControlSource(settings)
        case Origin.METAWORLD:
            return MetaWorldSource(settings)
        case _:
            return gymnasium_source.make(settings)
