"""Environments with Gymnasium's interface."""

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from trailkit.envs.errors import UserError, unknown
from trailkit.envs.external import robotics
from trailkit.envs.external.source import Moment, bounds
from trailkit.envs.imports import import_module, one_line
from trailkit.envs.settings import CONTROL_TIMESTEP, EnvSettings, Origin
from trailkit.envs.simulator import mujoco


class GymnasiumSource:
    """A `Source` around a `gymnasium.Env`, which may have a method `hand_action` and a `hand_size` as `Source` has."""

    def __init__(self, name: str, env: "gymnasium.Env[Any, Any]") -> None:
        """Takes ownership of the environment.

        Raises:
            UserError: If its actions are not vectors of bounded numbers.
        """
        space = env.action_space
        if not isinstance(space, spaces.Box):
            env.close()
            raise UserError(
                f"{name} has actions of the kind {type(space).__name__}: policies give vectors of numbers (Box)"
            )
        self.low, self.high = bounds(name, space.low, space.high)
        self._name, self._env, self._dtype = name, env, space.dtype
        self.timestep = _timestep(env)
        self._camera: mujoco.MjvCamera | None = None

    def reset(self, seed: int | None) -> Moment:
        """See `Source`."""
        observation, info = self._env.reset(seed=seed)
        return Moment(_named(observation), info=info)

    def step(self, action: NDArray[np.float64]) -> Moment:
        """See `Source`."""
        own = np.rint(action) if np.issubdtype(self._dtype, np.integer) else action
        observation, reward, terminated, truncated, info = self._env.step(own.astype(self._dtype))
        return Moment(_named(observation), float(reward), bool(terminated), bool(truncated), info)

    def simulation(self) -> tuple[mujoco.MjModel, mujoco.MjData] | None:
        """See `Source`."""
        inner = self._env.unwrapped
        model, data = (getattr(inner, name, None) for name in ("model", "data"))
        if not (isinstance(model, mujoco.MjModel) and isinstance(data, mujoco.MjData)):
            return None
        if callback := getattr(inner, "_render_callback", None):  # Gymnasium-Robotics moves the goal's marker in it
            callback()
        return model, data

    def own_camera(self) -> mujoco.MjvCamera:
        """See `Source`."""
        if self._camera is None:
            self._camera = self._find_camera()
        return self._camera

    def picture(self) -> NDArray[np.uint8]:
        """See `Source`."""
        try:
            drawn: Any = self._env.render()
        except NotImplementedError:
            drawn = None
        if not isinstance(drawn, np.ndarray) or drawn.ndim != 3:
            raise UserError(
                f"{self._name} has no MuJoCo model and its render() gives no picture: nothing can be seen of it"
            )
        if drawn.dtype != np.uint8 or drawn.shape[2] != 3:
            raise UserError(
                f"{self._name} has no MuJoCo model and its render() gives {drawn.dtype} {list(drawn.shape)}: a picture "
                "is uint8 [H, W, 3]"
            )
        return drawn

    @property
    def hand_size(self) -> int:
        """See `Source`."""
        size = getattr(self._env.unwrapped, "hand_size", 4)
        if size not in (4, 7):
            raise UserError(
                f"hand_size of {self._name} is {size}: give 4, for velocities along x, y, z and of the gripper, or 7, "
                "with angular velocities about x, y and z before the gripper's"
            )
        return int(size)

    def hand_action(self, motion: NDArray[np.float64]) -> NDArray[np.float64] | None:
        """See `Source`."""
        own = getattr(self._env.unwrapped, "hand_action", None)
        return None if own is None else np.asarray(own(motion), np.float64)

    def close(self) -> None:
        """See `Source`."""
        self._env.close()

    def _find_camera(self) -> mujoco.MjvCamera:
        """The view of Gymnasium's `MujocoRenderer` if there is one, otherwise the model's free camera."""
        found = self.simulation()
        assert found is not None
        model, data = found
        camera = mujoco.MjvCamera()
        mujoco.mjv_defaultFreeCamera(model, camera)
        renderer = getattr(self._env.unwrapped, "mujoco_renderer", None)
        if renderer is None:
            return camera
        if renderer.camera_id not in (-1, None):
            camera.type, camera.fixedcamid = mujoco.mjtCamera.mjCAMERA_FIXED, renderer.camera_id
        # The view with which its viewers start, and which they keep.
        camera.lookat[:], camera.distance = np.median(data.geom_xpos, axis=0), model.stat.extent
        for key, value in (renderer.default_cam_config or {}).items():
            if isinstance(value, np.ndarray):
                getattr(camera, key)[:] = value
            else:
                setattr(camera, key, value)
        return camera


class RoboticsSource(GymnasiumSource):
    """An environment of Gymnasium-Robotics; the Fetch arm's actions move its hand."""

    def hand_action(self, motion: NDArray[np.float64]) -> NDArray[np.float64] | None:
        """See `Source`; the gripper opens with 1."""
        return motion * (1.0, 1.0, 1.0, -1.0) if self.low.shape == motion.shape else None


def make(settings: EnvSettings) -> GymnasiumSource:
    """Makes an environment from its Gymnasium id; the settings' time limit replaces its own.

    Raises:
        UserError: If the id is unknown, its package is not installed, it rejects `env.kwargs`, or it is broken.
    """
    assert settings.external is not None
    source = GymnasiumSource
    if settings.external.origin is Origin.GYMNASIUM_ROBOTICS:
        gymnasium.register_envs(robotics.load())
        source = RoboticsSource
    module, _, name = settings.task.rpartition(":")
    kwargs = {"max_episode_steps": -1, "disable_env_checker": True, **settings.external.kwargs}
    if module:
        import_module(settings.task, module)
    try:
        if name not in gymnasium.registry:
            said = unknown("Gymnasium id", name, gymnasium.registry)
            raise said if module else UserError(f"{said} (one that a module registers is MODULE:{name})")
        env = gymnasium.make(name, **_render_mode(name), **kwargs)
    except UserError:
        raise
    except Exception as error:  # anything can go wrong in an external environment
        raise UserError(f"{settings.task} cannot be made: {one_line(error)}") from error
    return source(settings.task, env)


def _render_mode(name: str) -> dict[str, Any]:
    """Requests images if the environment declares them; otherwise its constructor need not know render modes."""
    entry = gymnasium.spec(name).entry_point
    creator = gymnasium.envs.registration.load_env_creator(entry) if isinstance(entry, str) else entry
    modes = getattr(creator, "metadata", {}).get("render_modes", ())
    return {"render_mode": "rgb_array"} if "rgb_array" in modes else {}


def _named(observation: Any) -> Mapping[str, NDArray[Any]]:
    if isinstance(observation, Mapping):
        return {name: _array(value) for name, value in observation.items()}
    return {"observation": _array(observation)}


def _array(value: Any) -> NDArray[Any]:
    """A part of an observation; anything that is not an array, such as a Tuple, is wrapped in an object array."""
    try:
        return np.asarray(value)
    except ValueError:
        held = np.empty((), object)
        held[()] = value
        return held


def _timestep(env: "gymnasium.Env[Any, Any]") -> float:
    """Seconds between actions, as far as the environment tells."""
    inner = env.unwrapped
    step = getattr(inner, "dt", None)
    if isinstance(step, float) and step > 0:
        return float(step)  # a NumPy float is also a float, but not JSON
    rate = inner.metadata.get("render_fps")
    return 1 / rate if rate else CONTROL_TIMESTEP
