"""Two prioritised replays, sampled as if they were one."""

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from itertools import islice

import numpy as np
import pytest
from replay_episodes import random_episode

from trailkit.replay.base import Replay, Table
from trailkit.replay.joint import JointReplay
from trailkit.replay.memory import MemoryReplay
from trailkit.replay.reverb import ReverbReplay


def memory(seed: int, exponent: float = 1.0) -> MemoryReplay:
    return MemoryReplay(1000, 2, 3, seed, prioritized=True, priority_exponent=exponent)


@pytest.fixture(params=["memory", "reverb"])
def agent(request: pytest.FixtureRequest) -> Iterator[Replay]:
    if request.param == "reverb":
        pytest.importorskip("reverb")
        replay: Replay = ReverbReplay(1000, 2, 3, prioritized=True, priority_exponent=1.0)
    else:
        replay = memory(seed=1)
    with closing(replay):
        replay.add(random_episode(6, seed=1))
        yield replay


@pytest.fixture
def expert() -> Iterator[MemoryReplay]:
    with closing(memory(seed=2)) as replay:
        replay.add(random_episode(4, seed=2))
        yield replay


def set_priorities(replay: Replay, of_age: dict[int, float]) -> None:
    """Sets the priorities of a replay's one episode by the steps' ages."""
    keys = {}
    for batch in islice(replay.batches(Table.MAIN, 50), 20):
        keys |= dict(zip(batch.age.tolist(), batch.key.tolist(), strict=True))
    replay.update_priorities(np.array([keys[age] for age in of_age]), np.array(list(of_age.values())))


def test_transitions_are_sampled_in_proportion_to_their_weight_wherever_they_are(
    agent: Replay, expert: MemoryReplay
) -> None:
    set_priorities(agent, dict.fromkeys(range(6), 2.0))
    set_priorities(expert, {0: 1.0, 1: 1.0, 2: 1.0, 3: 25.0})
    total = 6 * 2 + 28
    counts: Counter[tuple[bool, int]] = Counter()
    for batch in islice(JointReplay(agent, expert, 0.5, seed=0).batches(40), 100):
        is_expert = np.arange(40) >= 40 - batch.expert_rows
        counts.update(zip(is_expert.tolist(), batch.transition.age.tolist(), strict=True))
        weight = np.where(is_expert, np.where(batch.transition.age == 3, 25.0, 1.0), 2.0)
        np.testing.assert_allclose(batch.transition.probability, weight / total)
        np.testing.assert_allclose(batch.importance, (10 * weight / total) ** -0.5, rtol=1e-6)
    for index, weight in {(False, 0): 2, (False, 5): 2, (True, 0): 1, (True, 3): 25}.items():
        expected = 4000 * weight / total
        assert abs(counts[index] - expected) < 5 * np.sqrt(expected), index
    assert len(counts) == 10


def test_importance_weights_of_exponent_one_leave_every_mean_as_if_sampled_uniformly(expert: MemoryReplay) -> None:
    with closing(memory(seed=1)) as agent:
        agent.add(random_episode(6, seed=1))
        set_priorities(agent, dict(enumerate([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])))
        batches = islice(JointReplay(agent, expert, 1.0, seed=0).batches(100), 200)
        estimates = [np.mean(batch.importance * batch.transition.age) for batch in batches]
    ages = [*range(6), *range(4)]
    assert abs(np.mean(estimates) - np.mean(ages)) < 4 * np.std(estimates) / np.sqrt(200)


def test_priorities_go_to_the_replay_that_each_transition_is_from(expert: MemoryReplay) -> None:
    with closing(memory(seed=1)) as agent:
        agent.add(random_episode(6, seed=1))
        joint = JointReplay(agent, expert, 1.0, seed=0)
        batch = next(joint.batches(200))  # all ten are in it
        joint.update_priorities(batch, np.where(np.arange(200) < 200 - batch.expert_rows, 3.0, 7.0))
        assert next(agent.batches(Table.MAIN, 1)).weight == 3.0
        assert next(expert.batches(Table.MAIN, 1)).weight == 7.0


def test_nothing_is_sampled_in_vain(expert: MemoryReplay) -> None:
    with closing(memory(seed=1)) as agent:
        agent.add(random_episode(6, seed=1))
        used = sum(32 - batch.expert_rows for batch in islice(JointReplay(agent, expert, 1.0, seed=0).batches(32), 50))
        assert used <= agent.samples() < used + 32


def test_batches_hold_the_rows_of_their_sources(expert: MemoryReplay) -> None:
    with closing(memory(seed=1)) as agent:
        agent.add(random_episode(6, seed=1))
        for batch in islice(JointReplay(agent, expert, 1.0, seed=0).batches(8), 5):
            transition = batch.transition
            assert len(transition.steps) == len(transition.action) == len(batch.importance) == 8
            for row in range(8):
                source = random_episode(4, seed=2) if row >= 8 - batch.expert_rows else random_episode(6, seed=1)
                at = int(transition.age[row])
                np.testing.assert_array_equal(transition.observation["front"][row], source.observation["front"][at])
                np.testing.assert_array_equal(transition.action[row], source.action[at])
