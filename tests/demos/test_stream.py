import numpy as np
import pytest
from demonstrations import SETTINGS, SOURCE, assert_same, make_episode

from trailkit.demos.store import DemoStore
from trailkit.demos.stream import first_states, load_replay
from trailkit.envs.errors import UserError
from trailkit.replay.base import Table


@pytest.fixture
def store(tmp_path):
    store = DemoStore.create(tmp_path, SETTINGS, SOURCE)
    for seed in range(4):
        store.append(make_episode(seed, length=5 + seed))
    return store


def sampled_actions(replay):
    batch = next(replay.batches(Table.MAIN, 500))
    return {tuple(action) for action in batch.action}


def actions(*seeds):
    return {tuple(action) for seed in seeds for action in make_episode(seed, length=5 + seed).action}


def test_every_step_of_every_demonstration_can_be_sampled(store):
    replay, held_out = load_replay(store, n_step=3, early_steps=2, seed=0)
    assert held_out == []
    assert (replay.size(Table.MAIN), replay.size(Table.EARLY)) == (5 + 6 + 7 + 8, 4 * 2)
    assert sampled_actions(replay) == actions(0, 1, 2, 3)


def test_the_last_episodes_are_kept_back(store):
    replay, held_out = load_replay(store, n_step=3, early_steps=2, seed=0, holdout=2)
    assert sampled_actions(replay) == actions(0, 1)
    assert len(held_out) == 2
    for seed, episode in zip((2, 3), held_out, strict=True):
        assert_same(episode, make_episode(seed, length=5 + seed))


def test_a_limit_takes_the_first_episodes_and_keeps_back_the_last(store):
    replay, held_out = load_replay(store, n_step=3, early_steps=2, seed=0, holdout=1, limit=1)
    assert sampled_actions(replay) == actions(0)
    [episode] = held_out
    assert_same(episode, make_episode(3, length=8))


def test_the_same_seed_samples_the_same_batches(store):
    one, other = (load_replay(store, n_step=3, early_steps=2, seed=1)[0] for _ in range(2))
    np.testing.assert_array_equal(next(one.batches(Table.MAIN, 32)).key, next(other.batches(Table.MAIN, 32)).key)


@pytest.mark.parametrize(
    ("holdout", "limit", "message"),
    [
        (4, None, "holds 4 demonstrations: with 4 kept back, none is left"),
        (5, None, "with 5 kept back, none is left"),
        (1, 4, "with 1 kept back, one to 3 can be learned from, not 4"),
        (0, 0, "one to 4 can be learned from, not 0"),
    ],
)
def test_too_few_demonstrations_are_refused(store, holdout, limit, message):
    with pytest.raises(UserError, match=message):
        load_replay(store, n_step=3, early_steps=2, seed=0, holdout=holdout, limit=limit)


def test_first_states_are_those_of_the_first_demonstrations(tmp_path):
    store = DemoStore.create(tmp_path, SETTINGS, SOURCE)
    states = np.random.default_rng(0).normal(size=(3, 7, 4))
    for seed, state in enumerate(states):
        store.append(make_episode(seed)._replace(state=state))
    np.testing.assert_array_equal(first_states(store, 2), states[:2, 0])


def test_demonstrations_without_states_are_no_starts(store):
    with pytest.raises(UserError, match=r"episode_\d+\.hdf5 has no simulator states"):
        first_states(store, 4)
