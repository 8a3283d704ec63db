"""Reach: move the tool to the red ball."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trailkit.envs.settings import EnvSettings
from trailkit.envs.tasks.base import ManipulationTask
from trailkit.envs.tasks.props import RED
from trailkit.envs.workspace import WORKSPACE

_REACHED = 0.03  # m, between the tool centre point and the ball's centre
_RADIUS = 0.02  # m
_HEIGHT = 0.03  # m, of the ball's centre over the table


class Reach(ManipulationTask):
    """The ball hovers just above the table, anywhere in the workspace; the hand can pass through it."""

    def __init__(self, settings: EnvSettings) -> None:
        super().__init__(settings)
        self._ball = self._arena.mjcf_model.worldbody.add("body", name="ball", mocap=True)
        self._ball.add("geom", type="sphere", size=(_RADIUS,), rgba=RED, contype=0, conaffinity=0)

    def place_props(self, physics: Any, random: np.random.RandomState) -> None:
        """Puts the ball at a random place."""
        physics.bind(self._ball).mocap_pos = (*WORKSPACE.sample(random)[:2], _HEIGHT)

    def solved(self, physics: Any) -> bool:
        """Whether the tool is within 3 cm of the ball's centre."""
        return bool(np.linalg.norm(self.robot.tool_position - self.target(physics)) < _REACHED)

    def target(self, physics: Any) -> NDArray[np.float64]:
        """The ball's centre, [3] in metres."""
        return np.asarray(physics.bind(self._ball).mocap_pos)


def reach(settings: EnvSettings) -> Reach:
    """The only variant."""
    return Reach(settings)
