"""Tests of which rows a window has."""

import numpy as np

from trailkit.replay.nstep import window_rows


def test_windows_stop_at_the_last_row_of_their_episode() -> None:
    start, length = np.array([0, 2, 3, 0]), np.array([4, 4, 4, 1])
    assert window_rows(start, length, 3).tolist() == [[0, 1, 2, 3], [2, 3, 4, 4], [3, 4, 4, 4], [0, 1, 1, 1]]


def test_rows_before_the_first_of_an_episode_are_that_one() -> None:
    start, length = np.array([0, 1, 3]), np.array([4, 4, 4])
    assert window_rows(start, length, 2, before=2).tolist() == [[0, 0, 0, 1, 2], [0, 0, 1, 2, 3], [1, 2, 3, 4, 4]]
