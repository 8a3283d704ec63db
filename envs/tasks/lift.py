"""Lift: raise the red block 5 cm off the table, with or without other blocks around it."""

from typing import Any

import numpy as np

from trailkit.envs.settings import EnvSettings
from trailkit.envs.tasks.base import ManipulationTask
from trailkit.envs.tasks.props import BLOCK_HALF_SIZE, BLUE, GREEN, RED, Block, lay_out

_LIFTED = 0.05  # m, between the table and the block
_SPACING = 0.11  # m, between centres: room for the open fingers


class Lift(ManipulationTask):
    """The red block lies anywhere in the workspace, possibly among distractors of other colours."""

    def __init__(self, settings: EnvSettings, distractors: tuple[tuple[float, float, float, float], ...] = ()) -> None:
        super().__init__(settings)
        self._blocks = [Block("red_block", RED)]
        self._blocks += [Block(f"distractor_{i}", rgba) for i, rgba in enumerate(distractors)]
        for block in self._blocks:
            self._arena.add_free_entity(block)

    def place_props(self, physics: Any, random: np.random.RandomState) -> None:
        """Places the blocks at random."""
        lay_out(physics, self._blocks, random, _SPACING)

    def solved(self, physics: Any) -> bool:
        """Whether the red block is 5 cm off the table."""
        return bool(self.target(physics)[2] - BLOCK_HALF_SIZE > _LIFTED)

    def target(self, physics: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
        """The centre of the block to lift, [3] in metres."""
        position, _ = self._blocks[0].get_pose(physics)
        return np.asarray(position)


def lift(settings: EnvSettings) -> Lift:
    """The red block alone."""
    return Lift(settings)


def lift_distracted(settings: EnvSettings) -> Lift:
    """The red block among a green and a blue one."""
    return Lift(settings, distractors=(GREEN, BLUE))
