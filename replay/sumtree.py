"""Sampling in proportion to weights with a tree of sums: blocks of 32 weights, then blocks of 32 sums, and so on.

Blocks of 32 instead of pairs: a million weights need only four levels, and NumPy processes each level for a whole
batch at once. Sums are recomputed from their block on every change, so that rounding errors do not accumulate.
"""

import numpy as np
from numpy.typing import NDArray

_BLOCK = 32


class SumTree:
    """Weights, float64 >= 0, that can be set and sampled in proportion."""

    def __init__(self, size: int) -> None:
        """Starts with `size` weights of 0."""
        self._levels: list[NDArray[np.float64]] = []  # each [blocks, 32]; the first holds the weights
        blocks = size
        while not self._levels or blocks > 1:
            blocks = -(-blocks // _BLOCK)
            self._levels.append(np.zeros((blocks, _BLOCK)))

    @property
    def size(self) -> int:
        """How many weights there is room for."""
        return self._levels[0].size

    @property
    def total(self) -> float:
        """The sum of all weights."""
        return float(self._levels[-1].sum())

    def __getitem__(self, index: NDArray[np.int64]) -> NDArray[np.float64]:
        """The weights at `index`, int64 [B]."""
        weights: NDArray[np.float64] = self._levels[0].reshape(-1)[index]
        return weights

    def __setitem__(self, index: NDArray[np.int64], weights: NDArray[np.float64] | float) -> None:
        """Sets the weights at `index`, int64 [B]; of duplicate indices, the last one wins."""
        self._levels[0].reshape(-1)[index] = weights
        changed = index
        for below, level in zip(self._levels, self._levels[1:], strict=False):
            changed = np.unique(changed // _BLOCK)
            level.reshape(-1)[changed] = below[changed].sum(axis=1)

    def sample(self, uniform: NDArray[np.float64]) -> NDArray[np.int64]:
        """Returns the indices, int64 [B], at the fractions `uniform` in [0, 1), float64 [B], of the total."""
        index = np.zeros(len(uniform), np.int64)
        rest = uniform * self.total
        rows = np.arange(len(uniform))
        for level in reversed(self._levels):
            sums = level[index].cumsum(axis=1)
            # Rounding could push the rest past the end of a block, onto a weight of 0.
            rest = np.minimum(rest, np.nextafter(sums[:, -1], 0.0))
            place = (sums <= rest[:, None]).sum(axis=1)
            rest = rest - np.where(place > 0, sums[rows, place - 1], 0.0)
            index = index * _BLOCK + place
        return index
