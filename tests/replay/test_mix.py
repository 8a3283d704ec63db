"""Tests of joining the agent's and the expert's transitions."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from replay_episodes import episode_of, random_episode

from trailkit.envs.errors import UserError
from trailkit.replay.base import Table
from trailkit.replay.episode import Episode
from trailkit.replay.memory import MemoryReplay
from trailkit.replay.mix import concatenate, constrained_pairs, pairs
from trailkit.replay.transition import Transition

AGENT, EXPERT = 1, 2


def batches(episode: Episode, size: int, table: Table = Table.MAIN, n_step: int = 2) -> Iterator[Transition]:
    replay = MemoryReplay(capacity=100, n_step=n_step, early_steps=3, seed=0)
    replay.add(episode)
    return replay.batches(table, size)


def seeds(batch: Transition) -> list[int]:
    return [episode_of(batch, i) for i in range(len(batch.action))]


def test_concatenation_keeps_every_field_in_order() -> None:
    one, other = (next(batches(random_episode(9, seed), 4)) for seed in (AGENT, EXPERT))
    joined = concatenate([one, other])
    for name in ("action", "reward", "discount", "steps", "age", "key", "weight", "probability"):
        np.testing.assert_array_equal(getattr(joined, name)[:4], getattr(one, name))
        np.testing.assert_array_equal(getattr(joined, name)[4:], getattr(other, name))
    for name in ("front", "proprio"):
        np.testing.assert_array_equal(joined.observation[name][4:], other.observation[name])
        np.testing.assert_array_equal(joined.next_observation[name][:4], one.next_observation[name])
        assert joined.observation[name].dtype == one.observation[name].dtype


def test_constrained_pairs_hold_agent_and_expert_twice() -> None:
    def both(table: Table) -> list[Iterator[Transition]]:
        return [batches(random_episode(9, seed), 5, table) for seed in (AGENT, EXPERT)]

    early = (batch.train for batch in pairs(*both(Table.EARLY)))
    batch = next(constrained_pairs(pairs(*both(Table.MAIN)), early))
    assert batch.constraint is not None
    for pair in (batch.train, batch.constraint):
        assert seeds(pair.agent) == [AGENT] * 5
        assert seeds(pair.expert) == [EXPERT] * 5
    assert batch.constraint.agent.age.max() < 3
    assert batch.constraint.expert.reward.shape == (5, 1)


def test_pairs_have_no_constraint() -> None:
    assert next(pairs(batches(random_episode(9), 5), batches(random_episode(9), 5))).constraint is None


@pytest.mark.parametrize(
    "joined", [lambda *both: concatenate([next(each) for each in both]), lambda *both: next(pairs(*both))]
)
def test_sources_with_other_cameras_or_actions_are_refused(joined: Callable[..., object]) -> None:
    ours = random_episode(9)
    with pytest.raises(UserError, match="disagree on observations"):
        joined(batches(ours, 4), batches(random_episode(9, size=8), 4))
    with pytest.raises(UserError, match="disagree on observations"):
        blind = ours._replace(observation={"proprio": ours.observation["proprio"]})
        joined(batches(ours, 4), batches(blind, 4))
    with pytest.raises(UserError, match="disagree on the action size: 2 and 4"):
        joined(batches(ours, 4), batches(random_episode(9, actions=4), 4))


def test_windows_of_other_lengths_cannot_share_a_batch() -> None:
    with pytest.raises(UserError, match="windows of 2 and of 3 steps"):
        concatenate([next(batches(random_episode(9), 4)), next(batches(random_episode(9), 4, n_step=3))])


def test_a_pair_is_balanced() -> None:
    with pytest.raises(UserError, match="got 4 and 5"):
        next(pairs(batches(random_episode(9), 4), batches(random_episode(9), 5)))


def test_a_constraint_of_another_environment_is_refused() -> None:
    train = pairs(batches(random_episode(9), 4), batches(random_episode(9), 4))
    other = pairs(batches(random_episode(9, size=8), 4), batches(random_episode(9, size=8), 4))
    with pytest.raises(UserError, match="disagree on observations"):
        next(constrained_pairs(train, (batch.train for batch in other)))
