"""N-step windows: which rows of an episode make up a transition.

An episode of T steps has T + 1 rows. Row t holds what belongs to time t: the observation s_t, the action a_t,
the resulting reward r_{t+1} and its discount. Row T holds the last observation and the padding: reward 0,
discount 1. So a window that reaches the end of its episode is padded by repeating row T.
"""

import numpy as np
from numpy.typing import NDArray


def window_rows(start: NDArray[np.int64], length: NDArray[np.int64], n: int, before: int = 0) -> NDArray[np.int64]:
    """The rows of each window: t, t + 1, …, t + n, clamped to T, preceded by the rows needed for frame stacking.

    Args:
      start: The t of each window, int64 [B], 0 <= t < T.
      length: T of each window's episode, int64 [B].
      n: The largest window length, in steps.
      before: How many rows before t to include; before the start of an episode, its first row is repeated.

    Returns:
      int64 [B, before + n + 1]. From t on, the first n rows give the rewards and discounts, the last n the next
      observations.
    """
    return (start[:, None] + np.arange(-before, n + 1)).clip(0, length[:, None])
