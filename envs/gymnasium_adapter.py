"""Environments with Gymnasium's interface."""

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from dm_env import StepType, TimeStep, specs
from gymnasium import spaces
from numpy.typing import NDArray

from trailkit.envs.environment import Environment
from trailkit.envs.errors import UserError, unknown
from trailkit.envs.make import make_environment
from trailkit.envs.settings import ActionSpace, EnvSettings, ObservationSettings

_RENDER_MODES = ("rgb_array",)
_METADATA = {"render_modes": list(_RENDER_MODES)}


class GymnasiumAdapter(gymnasium.Env[dict[str, Any], NDArray[Any]]):
    """An `Environment` with Gymnasium's interface.

    Observations are the environment's: a uint8 image per camera, and "proprio", float32, bounded only by its dtype,
    since joints rotate without limit; on request also "state", float32, the poses and velocities of the task's things
    (`trailkit.envs.tasks.things`), for learning without images. The time limit truncates; only a discount of 0
    terminates, which trailkit's own tasks never give. `info["success"]`, and "is_success" for the libraries that look
    for that name, tell whether the task is solved.
    """

    metadata: dict[str, Any] = _METADATA

    def __init__(self, env: Environment, render_mode: str | None = None, state: bool = False) -> None:
        """Takes ownership of the environment, and closes it in `close`.

        Raises:
            UserError: If there is no such render mode, or the environment does not provide the things' state.
        """
        if render_mode is not None and render_mode not in _RENDER_MODES:
            raise unknown("render mode", render_mode, _RENDER_MODES)
        self.render_mode = render_mode
        self.env = env
        self.metadata = {**_METADATA, "render_fps": 1 / env.control_timestep}
        self._state = state
        observed = {**env.observation_spec()}
        if state:
            observed["state"] = specs.Array(env.things().shape, np.float32, "state")
        self.observation_space = spaces.Dict({name: _space(spec) for name, spec in observed.items()})
        self.action_space = _space(env.action_spec())
        self._playing = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Starts an episode; with a seed, `Environment.seed` is called first. There are no options."""
        super().reset(seed=seed)
        if seed is not None:
            self.env.seed(seed)
        self._playing = True
        return self._observed(self.env.reset()), self._info()

    def step(self, action: NDArray[Any]) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        """Makes a control step.

        Raises:
            gymnasium.error.ResetNeeded: If no episode is in progress.
        """
        if not self._playing:
            raise gymnasium.error.ResetNeeded("no episode is under way: call reset() before step()")
        timestep = self.env.step(action)
        last = timestep.step_type is StepType.LAST
        terminated = last and timestep.discount == 0.0
        self._playing = not last
        return self._observed(timestep), float(timestep.reward), terminated, last and not terminated, self._info()

    def render(self) -> NDArray[np.uint8] | None:
        """Renders the front camera for people, uint8 [480, 640, 3]; None without a render mode."""
        return None if self.render_mode is None else self.env.render()

    def close(self) -> None:
        """Frees the environment. A second call does nothing."""
        self.env.close()

    def _observed(self, timestep: TimeStep) -> dict[str, Any]:
        return {**timestep.observation, **({"state": self.env.things()} if self._state else {})}

    def _info(self) -> dict[str, Any]:
        solved = self.env.solved
        return {"success": solved, "is_success": solved}


def make(
    task: str,
    *,
    action_space: str = ActionSpace.CARTESIAN,
    cameras: Sequence[str] = ("front",),
    image_size: int = 64,
    proprioception: bool = True,
    episode_steps: int = 200,
    appearance: Sequence[str] = (),
    distract: Sequence[str] = (),
    state: bool = False,
    render_mode: str | None = None,
) -> GymnasiumAdapter:
    """Makes a task's environment, for `gymnasium.make`.

    Args:
        task: The task's name; the registered ids set it.
        action_space: "cartesian" or "joint"; see `ActionSpace`.
        cameras: The observed cameras; see `CameraName`.
        image_size: Height and width of their images, in pixels.
        proprioception: Whether the robot's own state is observed.
        episode_steps: Control steps until the time limit.
        appearance: Fixed changes of the look; see `Appearance`.
        distract: Changes of the look in each episode; see `Distraction`.
        state: Whether the things' poses and velocities are observed, as "state": for learning without images.
        render_mode: "rgb_array", or None if `render` is never called.

    Raises:
        UserError: If a value is invalid.
    """
    if action_space not in list(ActionSpace):
        raise unknown("action space", action_space, list(ActionSpace))
    for name, value in (("cameras", cameras), ("appearance", appearance), ("distract", distract)):
        if isinstance(value, str):
            raise UserError(f"{name}={value!r} is a string: give a list of names, such as [{value!r}]")
    observation = ObservationSettings(tuple(cameras), image_size, image_size, proprioception)
    settings = EnvSettings(
        task, ActionSpace(action_space), observation, episode_steps, tuple(appearance), distract=tuple(distract)
    )
    return GymnasiumAdapter(make_environment(settings), render_mode, state)


make.metadata = _METADATA  # type: ignore[attr-defined]  # where gymnasium.make looks for the render modes


def _space(spec: specs.Array) -> spaces.Box:
    """The space of a spec, with its bounds or those of its dtype (Gymnasium's checker warns about infinite bounds)."""
    if isinstance(spec, specs.BoundedArray):
        low, high = spec.minimum, spec.maximum
    else:
        limits = np.iinfo(spec.dtype) if np.issubdtype(spec.dtype, np.integer) else np.finfo(spec.dtype)
        low, high = limits.min, limits.max
    return spaces.Box(np.full(spec.shape, low, spec.dtype), np.full(spec.shape, high, spec.dtype), dtype=spec.dtype)
