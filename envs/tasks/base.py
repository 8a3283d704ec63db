"""What all tasks share: the table, the robot, the cameras, and how an episode starts and is rewarded.

A task adds its props in `__init__`, places them in `place_props` and defines success in `solved`.
"""

import functools
from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
from dm_env import specs
from numpy.typing import NDArray

from trailkit.envs.actions import action_spec, make_controller
from trailkit.envs.appearance import change_appearance, check_cameras
from trailkit.envs.distraction import Distractions
from trailkit.envs.errors import UserError, unknown
from trailkit.envs.rendering import Renderer
from trailkit.envs.robot import Jaco
from trailkit.envs.settings import CONTROL_TIMESTEP, Appearance, CameraName, EnvSettings
from trailkit.envs.simulator import composer, mujoco, observable
from trailkit.envs.workspace import TABLE_TOP, TOOL_START

PHYSICS_TIMESTEP = 0.0025  # seconds
_MAX_PLACEMENTS = 100


class TableTop(composer.Arena):  # type: ignore[misc]  # dm_control has no types
    """A table in an empty room, with a light and the fixed cameras."""

    def _build(self, name: str | None = None) -> None:
        super()._build(name=name)
        root = self.mjcf_model
        root.compiler.angle = "radian"
        root.visual.headlight.set_attributes(ambient=(0.45, 0.45, 0.45), diffuse=(0.35, 0.35, 0.35))
        world = root.worldbody
        world.add("light", pos=(0.3, -0.6, 1.5), dir=(-0.2, 0.4, -1), diffuse=(0.5, 0.5, 0.5), castshadow="true")
        world.add("geom", name="floor", type="plane", pos=(0, 0, -0.5), size=(6, 6, 0.5), rgba=(0.35, 0.4, 0.45, 1))
        world.add(
            "geom",
            name="table",
            type="box",
            pos=(0, 0.1, -0.02),
            size=(0.4, 0.5, 0.02),
            rgba=(0.75, 0.7, 0.62, 1),
            friction=(0.6, 0.005, 0.0001),
        )
        _add_camera(world, CameraName.FRONT, position=(0, -0.42, 0.32), target=(0, 0.02, 0.08), fovy=45)
        _add_camera(world, CameraName.LEFT, position=(-0.42, -0.1, 0.3), target=(0, 0.02, 0.06), fovy=42)
        _add_camera(world, CameraName.RIGHT, position=(0.42, -0.1, 0.3), target=(0, 0.02, 0.06), fovy=42)


class ManipulationTask(composer.Task):  # type: ignore[misc]  # dm_control has no types
    """A task of the Jaco arm over a table, with a sparse reward of 1 for each step after which it is solved."""

    def __init__(self, settings: EnvSettings) -> None:
        check_cameras(settings, stands=lambda camera: camera != CameraName.WRIST)
        self._settings = settings
        self._arena = TableTop()
        self.robot = Jaco(self._arena)
        self.robot.hand.find("body", "hand").add(  # beside the palm, looking along the fingers
            "camera", name=CameraName.WRIST.value, pos=(0.09, 0, -0.02), euler=(0, 0.35, 0), fovy=75
        )
        change_appearance(self._arena.mjcf_model, map(Appearance, settings.appearance))
        self.distractions = Distractions(settings.distract) if settings.distract else None
        self._controller = make_controller(settings.action_space)
        self._renderer: Renderer | None = None
        self._cameras: dict[str, int] = {}
        self._task_observables = self._make_observables()
        self.set_timesteps(control_timestep=CONTROL_TIMESTEP, physics_timestep=PHYSICS_TIMESTEP)

    @abstractmethod
    def place_props(self, physics: Any, random: np.random.RandomState) -> None:
        """Places the task's things for a new episode; called with the robot already in place."""

    @abstractmethod
    def solved(self, physics: Any) -> bool:
        """Whether the task is solved in the current state."""

    @property
    def root_entity(self) -> composer.Arena:
        """The arena, which holds everything."""
        return self._arena

    @property
    def task_observables(self) -> dict[str, observable.Observable]:
        """What an agent observes; see `ObservationSettings`."""
        return self._task_observables

    def action_spec(self, physics: Any) -> specs.BoundedArray:
        """The spec of actions; see `ActionSpace`."""
        return action_spec(self._controller)

    def after_compile(self, physics: Any, random_state: np.random.RandomState) -> None:
        """Looks up ids in the compiled model, which is compiled once."""
        self.robot.bind(physics)
        self.close()
        model = physics.model.ptr
        for camera in CameraName:
            prefix = f"{self.robot.hand.full_identifier}" if camera is CameraName.WRIST else ""
            self._cameras[camera] = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_CAMERA, prefix + camera)

    def initialize_episode(self, physics: Any, random_state: np.random.RandomState) -> None:
        """Draws a start state: the hand anywhere over the workspace, the props as the task defines."""
        for _ in range(_MAX_PLACEMENTS):
            if self.robot.place(TOOL_START.sample(random_state), grip=random_state.uniform(0.0, 0.3)):
                break
        else:
            raise composer.EpisodeInitializationError("no start position within the arm's reach was found")
        self.place_props(physics, random_state)
        if self.distractions is not None:
            mujoco.mj_kinematics(physics.model.ptr, physics.data.ptr)  # distractions depend on where the things are now
            self.distractions.begin(physics.model.ptr, physics.data.ptr, TABLE_TOP)

    def before_step(self, physics: Any, action: NDArray[np.float64], random_state: np.random.RandomState) -> None:
        """Commands the motors; actions outside [-1, 1] are clipped.

        Raises:
            UserError: If the action's shape differs from the action space's, or it contains NaN.
        """
        clipped = np.asarray(action, np.float64).clip(-1.0, 1.0)
        if clipped.shape != (self._controller.size,):
            space, size = self._settings.action_space, self._controller.size
            raise UserError(f"an action of shape {clipped.shape}: the {space} action space takes shape ({size},)")
        if np.isnan(clipped).any():
            raise UserError(f"an action that is not a number: {clipped.tolist()}; look for what diverged")
        self.robot.data.ctrl[self.robot.motors] = self._controller.command(self.robot, clipped)

    def get_reward(self, physics: Any) -> float:
        """1 if the task is solved in the current state, else 0."""
        return float(self.solved(physics))

    def render(self, camera: str) -> NDArray[np.uint8]:
        """The image of a camera at the observation's size and quality, uint8 [height, width, 3]."""
        observation = self._settings.observation
        if self._renderer is None:
            self._renderer = Renderer(self.robot.model, observation.height, observation.width)
        return self._renderer.render(self.robot.data, self._cameras[camera], self.distractions)

    def observe(self) -> dict[str, NDArray[Any]]:
        """The agent's observation of the current state, by name."""
        return {name: observe() for name, observe in self._observers().items()}

    def camera_id(self, camera: str) -> int:
        """The id of a camera in the compiled model.

        Raises:
            UserError: If there is no such camera.
        """
        if camera not in self._cameras:
            raise unknown("camera", camera, self._cameras)
        return self._cameras[camera]

    def close(self) -> None:
        """Frees the renderer."""
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None

    def _observers(self) -> dict[str, Callable[[], NDArray[Any]]]:
        settings = self._settings.observation
        observers: dict[str, Callable[[], NDArray[Any]]] = {
            camera: functools.partial(self.render, camera) for camera in settings.cameras
        }
        return observers | ({"proprio": self.robot.proprioception} if settings.proprioception else {})

    def _make_observables(self) -> dict[str, observable.Observable]:
        observables: dict[str, observable.Observable] = {
            name: observable.Generic(lambda physics, observe=observe: observe())
            for name, observe in self._observers().items()
        }
        for each in observables.values():
            each.enabled = True
        return observables


def _add_camera(
    world: Any, name: CameraName, position: tuple[float, ...], target: tuple[float, ...], fovy: float
) -> None:
    """Adds a camera that looks at a point, with the world's z axis pointing up in its image."""
    backward = np.subtract(position, target) / np.linalg.norm(np.subtract(position, target))
    right = np.cross((0, 0, 1), backward)
    right /= np.linalg.norm(right)
    world.add("camera", name=name.value, pos=position, xyaxes=(*right, *np.cross(backward, right)), fovy=fovy)
