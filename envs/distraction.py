"""Visual distractions that change from episode to episode and are irrelevant to the task.

Colours, background and camera follow "The Distracting Control Suite", Stone et al. 2021
(https://arxiv.org/abs/2101.02722); objects are TRAIL's distractors (appendix A), but only in the images: nothing can
touch them, so they work in every environment with a MuJoCo model.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trailkit.envs.compiled import Turn, colours, recolour, robot_geoms, turn_cameras
from trailkit.envs.settings import Distraction
from trailkit.envs.simulator import mujoco

_COLOUR = 0.25  # maximum change of each channel: between the suite's medium (0.2) and hard (0.3)
_ANGLE = np.radians(5.0)  # maximum rotation of a camera about each of its axes; the suite uses 4.5 and 9 degrees
_OBJECTS = 4
_OBJECT_SIZE = 0.08, 0.15  # half of an object's width, as a fraction of the radius of the area of the things
_LEAST_ROOM = 0.2  # as a fraction of the robot's height or width: the minimum of that radius, e.g. for a single thing
_WAVES = 4  # in the background's pattern
_SHAPES = mujoco.mjtGeom.mjGEOM_BOX, mujoco.mjtGeom.mjGEOM_SPHERE, mujoco.mjtGeom.mjGEOM_ELLIPSOID


class _Object(NamedTuple):
    shape: int
    size: NDArray[np.float64]  # [3], m
    position: NDArray[np.float64]  # [3], m
    rgba: NDArray[np.float32]  # [4]


class _Waves(NamedTuple):
    """A moving pattern: each wave has a direction, a phase, a speed and a colour."""

    cycles: NDArray[np.float64]  # [W, 2], per image
    phase: NDArray[np.float64]  # [W], radians
    speed: NDArray[np.float64]  # [W], radians per second
    colour: NDArray[np.float64]  # [W, 3]


class Distractions:
    """The distractions of an environment's episodes: `begin` draws the next episode's, a `Renderer` shows them."""

    def __init__(self, kinds: Sequence[str]) -> None:
        """Enables these kinds of `Distraction`; until `begin` everything looks as usual."""
        self._kinds = frozenset(kinds)
        self._random = np.random.RandomState()
        self._model: mujoco.MjModel | None = None
        self._usual: tuple[NDArray[np.float64], NDArray[np.float64]]  # the geoms' colours and the cameras' quaternions
        self._objects: list[_Object] = []
        self._waves: _Waves | None = None
        self.turn = Turn()  # of the cameras in this episode

    def seed(self, seed: int) -> None:
        """Seeds the distractions from the next `begin` on."""
        self._random.seed(seed)

    def forget(self) -> None:
        """Makes the next `begin` record the model's look as the baseline again."""
        self._model = None

    def begin(self, model: mujoco.MjModel, data: mujoco.MjData, ground: float | None = None) -> None:
        """Draws an episode's distractions and applies them to the look of the model.

        Args:
            model: The environment's model; its look when first seen is recorded as the baseline.
            data: Its state at the start of the episode, with kinematics up to date.
            ground: The height on which objects stand, in m; if unknown, they are as high as the lowest thing.
        """
        if model is not self._model:
            self._model, self._usual = model, (colours(model), model.cam_quat.copy())
        if Distraction.COLOURS in self._kinds:
            jitter = self._random.uniform(-_COLOUR, _COLOUR, (model.ngeom, 3))
            recolour(model, np.arange(model.ngeom), self._usual[0][:, :3] + jitter)
        if Distraction.CAMERA in self._kinds:
            self.turn = Turn(*self._random.uniform(-_ANGLE, _ANGLE, 3))
            model.cam_quat[:] = self._usual[1]
            turn_cameras(model, data, self.turn)
        if Distraction.BACKGROUND in self._kinds:
            self._waves = _draw_waves(self._random)
        if Distraction.OBJECTS in self._kinds:
            self._objects = _draw_objects(self._random, model, data, ground)

    @property
    def hides_background(self) -> bool:
        """Whether `background` replaces the sky and infinite planes."""
        return self._waves is not None

    def furnish(self, scene: mujoco.MjvScene) -> None:
        """Adds the objects, which exist only in images, to a scene before it is drawn."""
        for each in self._objects:
            if scene.ngeom < scene.maxgeom:
                geom = scene.geoms[scene.ngeom]
                mujoco.mjv_initGeom(geom, each.shape, each.size, each.position, np.eye(3).ravel(), each.rgba)
                scene.ngeom += 1

    def background(self, height: int, width: int, time: float) -> NDArray[np.uint8]:
        """The background pattern at a simulation time in seconds: uint8 [height, width, 3]."""
        assert self._waves is not None
        waves = self._waves
        places = np.stack(np.meshgrid(np.linspace(0, 1, height), np.linspace(0, 1, width), indexing="ij"), axis=-1)
        angles = 2 * np.pi * places @ waves.cycles.T + waves.phase + waves.speed * time
        brightness = 0.5 + np.sin(angles) @ waves.colour / 2
        return np.asarray(255 * brightness.clip(0.0, 1.0), np.uint8)


def _draw_waves(random: np.random.RandomState) -> _Waves:
    return _Waves(
        cycles=random.uniform(-3.0, 3.0, (_WAVES, 2)),
        phase=random.uniform(0.0, 2 * np.pi, _WAVES),
        speed=random.uniform(0.5, 4.0, _WAVES),
        colour=random.uniform(-0.6, 0.6, (_WAVES, 3)),
    )


def _draw_objects(
    random: np.random.RandomState, model: mujoco.MjModel, data: mujoco.MjData, ground: float | None
) -> list[_Object]:
    """Objects scattered among the things that are there at the start of the episode."""
    centre, lowest, radius = _room(model, data)
    found = []
    for _ in range(_OBJECTS):
        size = radius * random.uniform(*_OBJECT_SIZE, 3)
        angle, distance = random.uniform(0.0, 2 * np.pi), radius * np.sqrt(random.uniform(0.2, 1.5))
        beside = centre + distance * np.array([np.cos(angle), np.sin(angle)])
        rgba = np.append(random.uniform(0.0, 1.0, 3), 1.0).astype(np.float32)
        shape = int(random.choice(_SHAPES))
        tall = size[0 if shape == mujoco.mjtGeom.mjGEOM_SPHERE else 2]  # a sphere has only one size
        found.append(_Object(shape, size, np.append(beside, lowest if ground is None else ground + tall), rgba))
    return found


def _room(model: mujoco.MjModel, data: mujoco.MjData) -> tuple[NDArray[np.float64], float, float]:
    """The area of the movable things: its centre [2], the height of the lowest thing, and its radius, all in m."""
    moves = model.body_weldid[model.geom_bodyid] != 0
    things = moves & ~robot_geoms(model)
    with_robot = data.geom_xpos[moves if moves.any() else slice(None)]
    places = data.geom_xpos[things] if things.any() else with_robot
    centre = (places.min(axis=0) + places.max(axis=0)) / 2
    radius = max(np.ptp(places[:, :2], axis=0).max() / 2, _LEAST_ROOM * np.ptp(with_robot, axis=0).max())
    return centre[:2], float(places[:, 2].min()), float(radius)
