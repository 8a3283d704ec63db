"""What only the in-process replay promises: determinism and bounded memory."""

import itertools
import json

import numpy as np
import pytest
from replay_episodes import random_episode

from trailkit.envs.errors import UserError
from trailkit.replay.base import ReplayTimeout, Table
from trailkit.replay.memory import MemoryReplay


def filled(seed: int = 0, prioritized: bool = False) -> MemoryReplay:
    replay = MemoryReplay(capacity=100, n_step=3, early_steps=2, seed=seed, prioritized=prioritized)
    for episode in range(20):
        replay.add(random_episode(10, episode))
    return replay


def drawn(replay: MemoryReplay, count: int = 5) -> list[list[int]]:
    return [batch.key.tolist() for batch in itertools.islice(replay.batches(Table.MAIN, 16), count)]


@pytest.mark.parametrize("prioritized", [False, True])
def test_the_same_seed_and_episodes_give_the_same_batches(prioritized: bool) -> None:
    assert drawn(filled(prioritized=prioritized)) == drawn(filled(prioritized=prioritized))
    assert drawn(filled(0, prioritized)) != drawn(filled(1, prioritized))


def test_the_generators_state_survives_json_and_goes_on_where_it_was() -> None:
    replay = filled()
    drawn(replay)
    state = json.loads(json.dumps(replay.state_dict()))
    expected = drawn(replay)
    resumed = filled(seed=99)
    resumed.load_state_dict(state)
    assert drawn(resumed) == expected


def test_keys_are_never_given_twice() -> None:
    replay = MemoryReplay(capacity=10, n_step=1, early_steps=2, seed=0)
    before: set[int] = set()
    for episode in range(5):
        replay.add(random_episode(10, episode))
        keys = set(next(replay.batches(Table.MAIN, 100)).key.tolist())
        assert not keys & before
        before |= keys


def test_each_frame_is_stored_once() -> None:
    replay = MemoryReplay(capacity=10_000, n_step=5, early_steps=10, seed=0)
    for episode in range(10):
        replay.add(random_episode(60, episode, size=64, proprio=39))
    assert replay.nbytes / replay.size(Table.MAIN) < 1.2 * 64 * 64 * 3


def test_memory_is_taken_as_it_is_needed_and_no_more_than_the_capacity() -> None:
    replay = MemoryReplay(capacity=1_000_000, n_step=3, early_steps=2, seed=0)
    assert replay.nbytes == 0
    small = MemoryReplay(capacity=100, n_step=3, early_steps=2, seed=0)
    small.add(random_episode(10))
    row = small.nbytes / 11
    for episode in range(200):
        small.add(random_episode(1 + episode % 20, episode))
    assert small.size(Table.MAIN) <= 100
    # At the most 100 one-step episodes of two rows each, and an eighth to grow into.
    assert small.nbytes <= row * 200 * 9 / 8


def test_an_episode_longer_than_the_capacity_is_refused() -> None:
    replay = MemoryReplay(capacity=10, n_step=3, early_steps=2, seed=0)
    with pytest.raises(UserError, match=r"11 steps does not fit .* capacity 10"):
        replay.add(random_episode(11))


def test_priorities_outlive_the_growth_of_their_tree() -> None:
    replay = MemoryReplay(capacity=100_000, n_step=1, early_steps=2, seed=0, prioritized=True, priority_exponent=1.0)
    replay.add(random_episode(10))
    replay.update_priorities(np.arange(10), np.array([1.0] * 9 + [1e9]))
    replay.update_priorities(np.array([9]), np.array([1e12]))
    for episode in range(30):
        replay.add(random_episode(100, episode))
    replay.update_priorities(np.arange(10, 3010), np.full(3000, 1e-3))
    batch = next(replay.batches(Table.MAIN, 100))
    assert set(batch.key.tolist()) == {9}


def test_a_closed_replay_holds_nothing() -> None:
    replay = filled(prioritized=True)
    replay.close()
    assert replay.nbytes == 0
    with pytest.raises(ReplayTimeout, match="main table is empty"):
        next(replay.batches(Table.MAIN, 1))
