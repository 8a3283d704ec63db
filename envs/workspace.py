"""The box above the table within which the tool moves and things are placed."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Box(NamedTuple):
    """An axis-aligned box in the world frame, in metres."""

    lower: NDArray[np.float64]
    upper: NDArray[np.float64]

    def sample(self, random: np.random.RandomState) -> NDArray[np.float64]:
        """Draws a position [3] uniformly."""
        position: NDArray[np.float64] = random.uniform(self.lower, self.upper)
        return position

    def normalise(self, position: NDArray[np.float64]) -> NDArray[np.float64]:
        """Maps the box onto [-1, 1]^3."""
        return 2.0 * (position - self.lower) / (self.upper - self.lower) - 1.0


TABLE_TOP = 0.0  # m, the height of the table's surface
# 20 x 20 cm, as in the paper (TRAIL, appendix A).
WORKSPACE = Box(np.array([-0.10, -0.10, 0.02]), np.array([0.10, 0.10, 0.25]))
TOOL_START = Box(np.array([-0.10, -0.10, 0.14]), np.array([0.10, 0.10, 0.24]))
