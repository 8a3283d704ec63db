"""N-step windows: which rows of an episode a transition is made of.

An episode of T steps has T + 1 rows. Row t holds what belongs to time t: the observation s_t, the action a_t and
what it brought, r_{t+1} and its discount. Row T holds the last observation and the padding: reward 0, discount 1.
So a window that meets the end of its episode is padded by reading row T again.
"""

import numpy as np
from numpy.typing import NDArray


def window_rows(start: NDArray[np.int64], length: NDArray[np.int64], n: int, before: int = 0) -> NDArray[np.int64]:
    """The rows of each window: t, t + 1, …, t + n, none beyond T, and those before t that its frames are stacked with.

    Args:
      start: t of each window, int64 [B], 0 <= t < T.
      length: T of each window's episode, int64 [B].
      n: The longest window, in steps.
      before: How many rows before t; where there are none, it is the episode's first one.

    Returns:
      int64 [B, before + n + 1]. From t on, the first n give the rewards and discounts, the last n the observations
      arrived at.
    """
    return (start[:, None] + np.arange(-before, n + 1)).clip(0, length[:, None])
