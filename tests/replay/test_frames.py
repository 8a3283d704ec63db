"""Frames on end: joined in one order, whether an episode is there or still goes on."""

import numpy as np
import pytest
from replay_episodes import random_episode

from trailkit.replay.frames import FrameHistory, stack_episode, stack_frames


def test_the_newest_frame_comes_last() -> None:
    frames = np.arange(5).reshape(5, 1, 1, 1) * np.ones((1, 2, 2, 3), int)
    stacked = stack_frames(frames, 3)
    assert stacked.shape == (3, 2, 2, 9)
    assert stacked[:, 0, 0].tolist() == [
        [0] * 3 + [1] * 3 + [2] * 3,
        [1] * 3 + [2] * 3 + [3] * 3,
        [2] * 3 + [3] * 3 + [4] * 3,
    ]


def test_before_an_episode_there_are_copies_of_its_first_frame() -> None:
    episode = random_episode(4)
    front = episode.observation["front"]
    stacked = stack_episode(episode.observation, 3)
    np.testing.assert_array_equal(stacked["front"][0], np.concatenate([front[0]] * 3, -1))
    np.testing.assert_array_equal(stacked["front"][1], np.concatenate([front[0], front[0], front[1]], -1))
    np.testing.assert_array_equal(stacked["front"][4], np.concatenate(list(front[2:]), -1))
    assert stacked["proprio"] is episode.observation["proprio"]


@pytest.mark.parametrize("count", [1, 2, 4])
def test_who_acts_sees_what_is_learned_from(count: int) -> None:
    history = FrameHistory(count)
    for seed in (0, 1):
        history.reset()
        observation = random_episode(5, seed).observation
        stacked = stack_episode(observation, count)
        for step in range(6):
            seen = history({name: values[step] for name, values in observation.items()})
            for name, values in stacked.items():
                np.testing.assert_array_equal(seen[name], values[step])
