"""The things that tasks put on the table."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trailkit.envs.simulator import composer, mjcf
from trailkit.envs.workspace import WORKSPACE

RED, GREEN, BLUE = (0.85, 0.1, 0.1, 1.0), (0.1, 0.65, 0.2, 1.0), (0.1, 0.25, 0.85, 1.0)
BLOCK_HALF_SIZE = 0.025  # m
_BLOCK_MASS = 0.05  # kg
_BLOCK_YAW = (np.pi / 4 - 0.3, np.pi / 4 + 0.3)  # rad: corners towards the fingers, as a person would turn the hand
_MAX_DRAWS = 1000


class Block(composer.Entity):  # type: ignore[misc]  # dm_control has no types
    """A cube of 5 cm that moves freely."""

    def _build(self, name: str, rgba: tuple[float, float, float, float]) -> None:
        self._root = mjcf.RootElement(model=name)
        self._root.worldbody.add(
            "geom",
            name="cube",
            type="box",
            size=(BLOCK_HALF_SIZE,) * 3,
            mass=_BLOCK_MASS,
            rgba=rgba,
            friction=(1.5, 0.01, 0.0001),
            condim=4,
        )

    @property
    def mjcf_model(self) -> mjcf.RootElement:
        """The block's model."""
        return self._root


def lay_out(physics: Any, blocks: list[Block], random: np.random.RandomState, spacing: float) -> None:
    """Lays blocks on the table, the centres uniformly over the workspace but no two closer than `spacing` metres."""
    placed: list[NDArray[np.float64]] = []
    for block in blocks:
        centre = _draw_apart(placed, random, spacing)
        placed.append(centre)
        yaw = random.uniform(*_BLOCK_YAW)
        block.set_pose(
            physics,
            position=(*centre, BLOCK_HALF_SIZE),
            quaternion=(np.cos(yaw / 2), 0.0, 0.0, np.sin(yaw / 2)),
        )


def _draw_apart(
    placed: list[NDArray[np.float64]], random: np.random.RandomState, spacing: float
) -> NDArray[np.float64]:
    for _ in range(_MAX_DRAWS):
        centre = WORKSPACE.sample(random)[:2]
        if all(np.linalg.norm(centre - other) >= spacing for other in placed):
            return centre
    raise composer.EpisodeInitializationError("no room for another block was found")
