"""Tests of episodes: how they are collected and checked."""

import dm_env
import numpy as np
import pytest
from replay_episodes import random_episode

from trailkit.envs.errors import UserError
from trailkit.replay.episode import Episode, EpisodeBuilder, check_episode


def observation(t: int) -> dict[str, np.ndarray]:  # type: ignore[type-arg]
    return {"front": np.full((4, 4, 3), t, np.uint8), "proprio": np.full(2, t, np.float32)}


def play(builder: EpisodeBuilder, last: dm_env.TimeStep) -> Episode | None:
    assert builder.add(dm_env.restart(observation(0)), None, False) is None
    assert builder.add(dm_env.transition(1.0, observation(1)), np.full(2, 0.1), False) is None
    return builder.add(last, np.full(2, 0.2), True)


@pytest.mark.parametrize(
    ("last", "discount", "end"),
    [
        (dm_env.termination(2.0, observation(2)), 0.0, "termination"),
        (dm_env.truncation(2.0, observation(2)), 1.0, "truncation"),
    ],
)
def test_the_builder_gives_the_episode_at_its_last_step(last: dm_env.TimeStep, discount: float, end: str) -> None:
    builder = EpisodeBuilder({"seed": 3})
    for _ in range(2):  # the second episode owes nothing to the first
        episode = play(builder, last)
        assert episode is not None
        assert episode.observation["front"][:, 0, 0, 0].tolist() == [0, 1, 2]
        assert episode.observation["proprio"].dtype == np.float32
        np.testing.assert_array_equal(episode.action, np.array([[0.1, 0.1], [0.2, 0.2]], np.float32))
        assert episode.reward.tolist() == [1, 2]
        assert episode.discount.tolist() == [1, discount]
        assert episode.success.tolist() == [False, True]
        assert episode.metadata == {"seed": 3, "end": end}


def test_the_builder_copies_pictures_that_are_drawn_into_one_buffer() -> None:
    builder = EpisodeBuilder()
    buffer = observation(0)
    builder.add(dm_env.restart(buffer), None, False)
    buffer["front"][:] = 9
    episode = builder.add(dm_env.truncation(0.0, buffer), np.zeros(2), False)
    assert episode is not None
    assert episode.observation["front"][:, 0, 0, 0].tolist() == [0, 9]


def test_the_builder_refuses_steps_out_of_order() -> None:
    builder = EpisodeBuilder()
    with pytest.raises(ValueError, match="first time step was not added"):
        builder.add(dm_env.transition(0.0, observation(1)), np.zeros(2), False)
    with pytest.raises(ValueError, match="comes without an action"):
        builder.add(dm_env.restart(observation(0)), np.zeros(2), False)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"action": np.zeros((4, 2), np.float64)}, r"action is float64 \[4, 2\]: it must be float32 \[4, A\]"),
        ({"reward": np.zeros(3, np.float32)}, r"reward is float32 \[3\]: it must be float32 \[4\]"),
        ({"success": np.zeros(4, np.float32)}, r"success is float32"),
        ({"discount": np.full(4, np.nan, np.float32)}, "discount holds values that are not finite"),
        ({"observation": {}}, "no observations"),
        (
            {"observation": {"front": np.zeros((4, 6, 6, 3), np.uint8)}},
            r"'front' is uint8 \[4, 6, 6, 3\], not uint8 \[5",
        ),
        ({"observation": {"front": np.zeros((5, 3, 6, 6), np.uint8)}}, r"not uint8 \[5, H, W, 3\]"),
        ({"observation": {"front": np.zeros((5, 6, 6, 3), np.float32)}}, r"'front' is float32"),
        (
            {"observation": {"proprio": np.zeros((5, 3), np.float64)}},
            r"'proprio' is float64 \[5, 3\], not float32 \[5, P\]",
        ),
        ({"observation": {"proprio": np.full((5, 3), np.inf, np.float32)}}, "proprio holds values that are not finite"),
        ({"state": np.zeros((4, 7))}, r"state is float64 \[4, 7\]: it must be float64 \[5, S\]"),
        ({"state": np.zeros((5, 7), np.float32)}, r"state is float32 \[5, 7\]"),
        ({"state": np.full((5, 7), np.nan)}, "state holds values that are not finite"),
    ],
)
def test_malformed_episodes_are_named(changes: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        check_episode(random_episode(4)._replace(**changes))  # type: ignore[arg-type]


def test_an_episode_without_steps_is_refused() -> None:
    with pytest.raises(UserError, match="no steps"):
        check_episode(random_episode(1)._replace(**{k: v[:0] for k, v in _steps(random_episode(1)).items()}))


def _steps(episode: Episode) -> dict[str, np.ndarray]:  # type: ignore[type-arg]
    return {name: getattr(episode, name) for name in ("action", "reward", "discount", "success")}
