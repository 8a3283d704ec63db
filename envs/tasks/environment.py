"""One of trailkit's tasks as an `Environment`, whose model is compiled once."""

from collections.abc import Mapping
from typing import Any

import dm_env
import numpy as np
from dm_env import specs
from numpy.typing import NDArray

from trailkit.envs.actions import CartesianVelocity
from trailkit.envs.environment import Environment, short_seed
from trailkit.envs.errors import UserError, unknown
from trailkit.envs.rendering import Quality, Renderer
from trailkit.envs.settings import CONTROL_TIMESTEP, ActionSpace, CameraName, EnvSettings
from trailkit.envs.simulator import composer, mujoco
from trailkit.envs.tasks import TASKS
from trailkit.envs.tasks.things import state_of_things

# Everything that images and the further simulation depend on; Reach's ball is a mocap body.
_STATE = mujoco.mjtState.mjSTATE_FULLPHYSICS | mujoco.mjtState.mjSTATE_MOCAP_POS | mujoco.mjtState.mjSTATE_MOCAP_QUAT


class TaskEnvironment(composer.Environment, Environment):  # type: ignore[misc]  # dm_control has no types
    """A manipulation task of the Jaco arm.

    An episode ends only at its time limit, with a discount of 1: a truncation, not a termination.
    """

    control_timestep = CONTROL_TIMESTEP
    cameras = tuple(camera.value for camera in CameraName)

    def __init__(self, settings: EnvSettings, seed: int | None = None) -> None:
        """Compiles the task's model, which takes about a second.

        Raises:
            UserError: If there is no such task.
        """
        if settings.task not in TASKS:
            raise unknown("task", settings.task, TASKS)
        seed = None if seed is None else short_seed(seed)
        self.settings = settings
        task = TASKS[settings.task](settings)
        self._renderers: dict[tuple[int, int, Quality], Renderer] = {}
        composer.Environment.__init__(
            self,
            task,
            # Composer compares times after the step, so half a step below the limit gives the exact number of steps.
            time_limit=(settings.episode_steps - 0.5) * task.control_timestep,
            random_state=seed,
            strip_singleton_obs_buffer_dim=True,
            recompile_mjcf_every_episode=False,
            max_reset_attempts=10,
        )
        # Composer would compile again at the first reset, for tasks that change their model at each reset.
        self._mjcf_never_compiled = False
        if seed is not None:
            self._seed_distractions(seed)

    def seed(self, seed: int) -> None:
        """Seeds the episodes from the next `reset` on."""
        seed = short_seed(seed)
        self._random_state.seed(seed)
        self._seed_distractions(seed)

    @property
    def solved(self) -> bool:
        """Whether the task is solved in the current state."""
        return bool(self.task.solved(self.physics))

    def step(self, action: Any) -> dm_env.TimeStep:
        """Makes a control step of 50 ms; see `dm_env.Environment`."""
        return _plain(composer.Environment.step(self, action))

    def reset(self) -> dm_env.TimeStep:
        """Starts an episode; see `dm_env.Environment`."""
        return _plain(composer.Environment.reset(self))

    def observation_spec(self) -> dict[str, specs.Array]:
        """See `Environment`; composer does not provide bounds for images."""
        found = composer.Environment.observation_spec(self)
        pictures: dict[str, specs.Array] = {
            camera: specs.BoundedArray(found[camera].shape, np.uint8, 0, 255, camera)  # type: ignore[no-untyped-call]
            for camera in self.settings.observation.cameras
        }
        return {**found, **pictures}

    def state(self) -> NDArray[np.float64]:
        """The simulator's state, float64 [S]: time, positions, velocities, and the poses of mocap bodies."""
        model, data = self.physics.model.ptr, self.physics.data.ptr
        state = np.empty(mujoco.mj_stateSize(model, _STATE))
        mujoco.mj_getState(model, data, state, _STATE)
        return state

    def set_state(self, state: NDArray[np.float64]) -> None:
        """Puts the simulation into a state that `state` returned, to render and observe it.

        Raises:
            UserError: If the state belongs to another model.
        """
        model, data = self.physics.model.ptr, self.physics.data.ptr
        size = mujoco.mj_stateSize(model, _STATE)
        if state.shape != (size,):
            raise UserError(f"a state of shape {state.shape}: those of {self.settings.task} have shape ({size},)")
        mujoco.mj_setState(model, data, state, _STATE)
        mujoco.mj_forward(model, data)

    def lay_out_as(self, state: NDArray[np.float64]) -> None:
        """Moves the things on the table to where they are in a state that `state` returned; robot and clock stay.

        Raises:
            UserError: If the state belongs to another model.
        """
        data, robot = self.physics.data.ptr, self.task.robot
        joints, dofs = np.append(robot.arm_qpos, robot.finger_qpos), np.append(robot.arm_dofs, robot.finger_dofs)
        kept = data.qpos[joints], data.qvel[dofs], data.time
        self.set_state(state)
        data.qpos[joints], data.qvel[dofs], data.time = kept
        mujoco.mj_forward(self.physics.model.ptr, data)

    def things(self) -> NDArray[np.float32]:
        """Poses and velocities of the task's things, float32 [13 N]; see `state_of_things`."""
        return state_of_things(self.physics.model.ptr, self.physics.data.ptr, self.task.robot.root)

    def observe(self) -> dict[str, NDArray[Any]]:
        """The agent's observation of the current state: images uint8 [height, width, 3], proprio float32 [P]."""
        return dict(self.task.observe())

    def hand_action(self, motion: NDArray[np.float64]) -> NDArray[np.float32]:
        """See `Environment`: Cartesian actions have exactly this form; joint velocities are computed from it."""
        motion = np.clip(motion, -1.0, 1.0)
        if self.settings.action_space is ActionSpace.JOINT:
            robot = self.task.robot
            motion = CartesianVelocity().command(robot, motion) / robot.max_velocity
        return motion.astype(np.float32)

    def render(
        self, camera: str | None = None, height: int = 480, width: int = 640, quality: Quality = Quality.FULL
    ) -> NDArray[np.uint8]:
        """Renders the current state for people, uint8 [height, width, 3].

        Raises:
            UserError: If there is no such camera, or no headless OpenGL.
        """
        key = height, width, quality
        if key not in self._renderers:
            self._renderers[key] = Renderer(self.physics.model.ptr, *key)
        view = self.task.camera_id(camera or self.cameras[0])
        return self._renderers[key].render(self.physics.data.ptr, view, self.task.distractions)

    def close(self) -> None:
        """Frees the renderers and the simulation. A second call does nothing."""
        if self._physics is None:
            return
        self.task.close()
        for renderer in self._renderers.values():
            renderer.close()
        self._renderers.clear()
        composer.Environment.close(self)

    def _seed_distractions(self, seed: int) -> None:
        if self.task.distractions is not None:
            self.task.distractions.seed(seed)


def _plain(timestep: dm_env.TimeStep) -> dm_env.TimeStep:
    """Converts observations to a plain dict of copied arrays, which later steps do not overwrite."""
    observation: Mapping[str, Any] = timestep.observation
    return timestep._replace(observation={key: np.array(value) for key, value in observation.items()})
