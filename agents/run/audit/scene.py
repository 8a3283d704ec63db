"""The trainer's environment, and what it renders and measures in states."""

from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from trailkit.agents.run.audit.regions import Segmenter
from trailkit.envs.settings import EnvSettings
from trailkit.envs.tasks.environment import TaskEnvironment

Floats = NDArray[np.float64]

_FINGER_WAY = 0.05  # m, about the distance of a fingertip from open to closed
_ARROW = 0.05  # m, length of an object's x axis: about how far a rotation moves its parts


class Layout(NamedTuple):
    """Where things are in M states."""

    hand: Floats  # [M, 4], in m: the tool, and how far the fingertips are closed
    objects: dict[str, Floats]  # [M, 5], in m: the position, and 5 cm of the x axis, seen from above


class Trainer:
    """The environment in which an agent would be trained."""

    def __init__(self, settings: EnvSettings) -> None:
        """Compiles the environment.

        Raises:
            UserError: If headless OpenGL is not available.
        """
        self._env = TaskEnvironment(settings)
        self._env.reset()
        self._segmenter = Segmenter(self._env)

    @property
    def objects(self) -> list[str]:
        """The names of the objects; the first one's pixels are the region after the arm's, and so on."""
        return list(self._segmenter.objects)

    def takes(self, states: Floats) -> bool:
        """Whether states belong to this model."""
        return bool(states.shape[1:] == self._env.state().shape)

    def draw(self, states: Floats) -> dict[str, NDArray[np.uint8]]:
        """Renders states, [M, S]: images [M, H, W, 3] a camera."""
        pictures: dict[str, list[Any]] = {camera: [] for camera in self._env.settings.observation.cameras}
        for state in states:
            self._env.set_state(state)
            for camera, drawn in pictures.items():
                drawn.append(self._env.task.render(camera))
        return {camera: np.stack(drawn) for camera, drawn in pictures.items()}

    def segment(self, states: Floats) -> NDArray[np.uint8]:
        """Renders what each pixel shows in states [M, S]: [M, cameras * H * W], see `Segmenter`."""
        regions = []
        for state in states:
            self._env.set_state(state)
            regions.append(self._segmenter.draw())
        return np.stack(regions)

    def measure(self, states: Floats) -> Layout:
        """Measures where things are in states, [M, S]."""
        hand, objects = [], []
        robot, data = self._env.task.robot, self._env.physics.data.ptr
        low, high = robot.finger_range.T
        for state in states:
            self._env.set_state(state)
            closed = ((data.qpos[robot.finger_qpos] - low) / (high - low)).mean()
            hand.append([*robot.tool_position, _FINGER_WAY * closed])
            axes = data.xmat.reshape(-1, 3, 3)
            objects.append([[*data.xpos[i], *(_ARROW * axes[i, :2, 0])] for i in self._segmenter.objects.values()])
        placed = np.array(objects).reshape(len(states), -1, 5)
        return Layout(np.array(hand), {name: placed[:, i] for i, name in enumerate(self.objects)})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._segmenter.close()
        self._env.close()
