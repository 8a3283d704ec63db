"""The contract of every replay, run on each backend."""

import importlib.util
import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from replay_episodes import assert_is_window, episode_of, random_episode

from trailkit.envs.errors import UserError
from trailkit.replay.base import Replay, ReplayTimeout, Table
from trailkit.replay.episode import Episode
from trailkit.replay.frames import stack_episode
from trailkit.replay.memory import MemoryReplay
from trailkit.replay.reverb import ReverbReplay
from trailkit.replay.transition import Transition

MakeReplay = Callable[..., Replay]


def make_memory(**changes: Any) -> Replay:
    return MemoryReplay(**({"capacity": 1000, "n_step": 3, "early_steps": 2, "seed": 0} | changes))


def make_reverb(**changes: Any) -> Replay:
    return ReverbReplay(**({"capacity": 1000, "n_step": 3, "early_steps": 2, "timeout_s": 10.0} | changes))


needs_reverb = [
    pytest.mark.reverb,
    pytest.mark.skipif(importlib.util.find_spec("reverb") is None, reason="dm-reverb is not installed"),
]


@pytest.fixture(params=["memory", pytest.param("reverb", marks=needs_reverb)])
def make(request: pytest.FixtureRequest) -> Iterator[MakeReplay]:
    """Makes replays of one backend and closes them after the test."""
    made: list[Replay] = []

    def make_one(**changes: Any) -> Replay:
        made.append((make_memory if request.param == "memory" else make_reverb)(**changes))
        return made[-1]

    yield make_one
    for replay in made:
        replay.close()


def sample(replay: Replay, table: Table, items: int, batch_size: int = 50) -> list[Transition]:
    return list(itertools.islice(replay.batches(table, batch_size), -(-items // batch_size)))


def counted_episode(length: int, terminal: bool) -> Episode:
    """Rewards 1, 2, 3, …; every pixel of s_t is t."""
    episode = random_episode(length, terminal=terminal)
    episode.reward[:] = np.arange(1, length + 1)
    episode.observation["front"][:] = np.arange(length + 1)[:, None, None, None]
    return episode


def test_an_order_of_cameras_is_not_another_environment(make: MakeReplay) -> None:
    replay = make()
    for seed in range(2):
        episode = random_episode(5, seed)
        pictures = episode.observation["front"]
        cameras = {"wrist": 255 - pictures, "front": pictures}  # as an environment has them, then as a file has
        replay.add(episode._replace(observation=dict(sorted(cameras.items())) if seed else cameras))
    for batch in sample(replay, Table.MAIN, 100):
        np.testing.assert_array_equal(batch.observation["wrist"], 255 - batch.observation["front"])


@pytest.mark.parametrize("terminal", [False, True])
def test_windows_of_three_steps_are_these(make: MakeReplay, terminal: bool) -> None:
    replay = make(n_step=3)
    replay.add(counted_episode(4, terminal))
    last = 0.0 if terminal else 1.0
    expected = {
        0: ([1, 2, 3], [1, 1, 1], [1, 2, 3], 3),
        1: ([2, 3, 4], [1, 1, last], [2, 3, 4], 3),
        2: ([3, 4, 0], [1, last, 1], [3, 4, 4], 2),
        3: ([4, 0, 0], [last, 1, 1], [4, 4, 4], 1),
    }
    (batch,) = sample(replay, Table.MAIN, 100, batch_size=100)
    for i, age in enumerate(batch.age.tolist()):
        reward, discount, arrived, steps = expected[age]
        assert batch.reward[i].tolist() == reward
        assert batch.discount[i].tolist() == discount
        assert batch.next_observation["front"][i, :, 0, 0, 0].tolist() == arrived
        assert batch.observation["front"][i, 0, 0, 0] == age
        assert batch.steps[i] == steps
    assert set(batch.age.tolist()) == set(expected)


@pytest.mark.parametrize("table", Table)
def test_stacked_frames_are_those_before_and_none_of_another_episode(make: MakeReplay, table: Table) -> None:
    replay = make(n_step=2, frame_stack=3, early_steps=9)
    episodes = [random_episode(length, seed) for seed, length in enumerate((5, 1, 3))]
    for episode in episodes:
        replay.add(episode)
    stacked = [stack_episode(episode.observation, 3) for episode in episodes]
    steps = 2 if table is Table.MAIN else 1
    (batch,) = sample(replay, table, 200, batch_size=200)
    assert batch.observation["front"].shape == (200, 6, 6, 9)
    assert batch.next_observation["front"].shape == (200, steps, 6, 6, 9)
    seen = set()
    for i, age in enumerate(batch.age.tolist()):
        number = episode_of(batch, i)
        seen.add((number, age))
        last = episodes[number].length
        taken = min(steps, last - age)
        assert batch.steps[i] == taken
        for name, values in stacked[number].items():
            np.testing.assert_array_equal(batch.observation[name][i], values[age])
            np.testing.assert_array_equal(batch.next_observation[name][i, :taken], values[age + 1 : age + taken + 1])
        np.testing.assert_array_equal(batch.action[i], episodes[number].action[age])
        final = batch.next_observation["front"][i, taken:, ..., -3:]
        np.testing.assert_array_equal(final, np.broadcast_to(episodes[number].observation["front"][-1], final.shape))
    assert len(seen) == 9


def test_batches_have_the_shapes_and_dtypes_of_transition(make: MakeReplay) -> None:
    replay = make(n_step=3)
    replay.add(random_episode(5))
    (batch,) = sample(replay, Table.MAIN, 7, batch_size=7)
    layout = {name: (value.dtype, value.shape) for name, value in batch._asdict().items() if "observation" not in name}
    assert layout == {
        "action": (np.float32, (7, 2)),
        "reward": (np.float32, (7, 3)),
        "discount": (np.float32, (7, 3)),
        "steps": (np.int64, (7,)),
        "age": (np.int64, (7,)),
        "key": (np.int64, (7,)),
        "weight": (np.float64, (7,)),
        "probability": (np.float64, (7,)),
    }
    assert {k: (v.dtype, v.shape) for k, v in batch.observation.items()} == {
        "front": (np.uint8, (7, 6, 6, 3)),
        "proprio": (np.float32, (7, 3)),
    }
    assert {k: (v.dtype, v.shape) for k, v in batch.next_observation.items()} == {
        "front": (np.uint8, (7, 3, 6, 6, 3)),
        "proprio": (np.float32, (7, 3, 3)),
    }
    arrays = [*batch.observation.values(), *batch.next_observation.values(), *batch[1:4], *batch[5:]]
    assert all(array.flags.writeable for array in arrays)  # torch warns of arrays that are not


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lengths=st.lists(st.integers(1, 12), min_size=1, max_size=6),
    n=st.integers(1, 5),
    early_steps=st.integers(1, 6),
    capacity=st.integers(12, 40),
    terminal=st.booleans(),
)
def test_every_window_is_a_slice_of_an_inserted_episode(
    make: MakeReplay, lengths: list[int], n: int, early_steps: int, capacity: int, terminal: bool
) -> None:
    episodes = [random_episode(length, seed, terminal=terminal) for seed, length in enumerate(lengths)]
    with closing(make(n_step=n, early_steps=early_steps, capacity=capacity)) as replay:
        for episode in episodes:
            replay.add(episode)
        for table, window in ((Table.MAIN, n), (Table.EARLY, 1)):
            (batch,) = sample(replay, table, 60, batch_size=60)
            for i in range(60):
                assert_is_window(batch, i, episodes[episode_of(batch, i)], window)
            assert table is Table.MAIN or batch.age.max() < early_steps


def test_the_early_table_holds_the_early_steps_of_each_episode_and_no_others(make: MakeReplay) -> None:
    replay = make(early_steps=3)
    for seed, length in enumerate([10, 2, 10]):
        replay.add(random_episode(length, seed))
    assert replay.size(Table.EARLY) == 3 + 2 + 3
    (batch,) = sample(replay, Table.EARLY, 400, batch_size=400)
    found = {(episode_of(batch, i), int(batch.age[i])) for i in range(400)}
    assert found == {(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (2, 0), (2, 1), (2, 2)}


def test_the_oldest_episodes_are_evicted_beyond_the_capacity(make: MakeReplay) -> None:
    replay = make(capacity=30)
    for seed in range(8):
        replay.add(random_episode(10, seed))
    assert replay.size(Table.MAIN) == 30
    (batch,) = sample(replay, Table.MAIN, 300, batch_size=300)
    assert {episode_of(batch, i) for i in range(300)} == {5, 6, 7}


def test_uniform_sampling_finds_every_transition_equally_often(make: MakeReplay) -> None:
    replay = make()
    for seed, length in enumerate([1, 3, 6]):
        replay.add(random_episode(length, seed))
    counts: Counter[int] = Counter()
    for batch in sample(replay, Table.MAIN, 3000, batch_size=100):
        counts.update(batch.key.tolist())
        np.testing.assert_allclose(batch.probability, 0.1)
        np.testing.assert_allclose(batch.weight, 1)
    assert len(counts) == 10
    # 3000 draws: 300 each, standard deviation 16.
    assert max(abs(count - 300) for count in counts.values()) < 6 * 16.5


def test_priorities_set_how_often_items_are_sampled(make: MakeReplay) -> None:
    replay = make(prioritized=True, priority_exponent=0.5)
    replay.add(random_episode(10))
    keys = {
        int(age): int(key)
        for batch in sample(replay, Table.MAIN, 500)
        for age, key in zip(batch.age, batch.key, strict=True)
    }
    assert len(keys) == 10
    ages = np.arange(10)
    replay.update_priorities(np.array([keys[age] for age in ages]), np.where(ages == 4, 81.0, 1.0))
    counts: Counter[int] = Counter()
    for batch in sample(replay, Table.MAIN, 4000, batch_size=100):
        counts.update(batch.age.tolist())
        np.testing.assert_allclose(batch.probability, np.where(batch.age == 4, 9 / 18, 1 / 18))
        np.testing.assert_allclose(batch.weight, np.where(batch.age == 4, 9, 1))
    # 81 ** 0.5 against nine items of 1: half of 4000 draws, standard deviation 32.
    assert abs(counts[4] - 2000) < 6 * 32


def test_new_items_get_the_largest_priority_yet(make: MakeReplay) -> None:
    replay = make(prioritized=True, priority_exponent=1.0)
    replay.add(random_episode(1, seed=1))
    (batch,) = sample(replay, Table.MAIN, 1, batch_size=1)
    replay.update_priorities(batch.key, np.array([7.0]))
    replay.add(random_episode(1, seed=2))
    (batch,) = sample(replay, Table.MAIN, 20, batch_size=20)
    np.testing.assert_allclose(batch.probability, 0.5)


def test_priorities_of_evicted_items_are_ignored(make: MakeReplay) -> None:
    replay = make(capacity=10, prioritized=True)
    replay.add(random_episode(10, seed=1))
    (old,) = sample(replay, Table.MAIN, 50)
    replay.add(random_episode(10, seed=2))
    replay.update_priorities(old.key, np.full(50, 1e6))
    (batch,) = sample(replay, Table.MAIN, 50)
    np.testing.assert_allclose(batch.probability, 0.1)
    assert not set(batch.key.tolist()) & set(old.key.tolist())


def test_bad_priorities_are_refused(make: MakeReplay) -> None:
    uniform, prioritized = make(), make(prioritized=True)
    with pytest.raises(UserError, match="make it with prioritized=True"):
        uniform.update_priorities(np.array([0]), np.array([1.0]))
    with pytest.raises(UserError, match="positive and finite: the smallest is 0"):
        prioritized.update_priorities(np.array([0, 1]), np.array([1.0, 0.0]))
    with pytest.raises(UserError, match="one priority for each key"):
        prioritized.update_priorities(np.array([0, 1]), np.array([1.0]))


def test_sampling_an_empty_table_ends_at_the_deadline(make: MakeReplay) -> None:
    replay = make() if make().__class__ is MemoryReplay else make(timeout_s=0.2)
    for table in Table:
        assert replay.size(table) == 0
        with pytest.raises(ReplayTimeout, match=f"{table} table"):
            next(replay.batches(table, 4))


def test_episodes_of_another_environment_are_refused(make: MakeReplay) -> None:
    replay = make()
    replay.add(random_episode(4))
    with pytest.raises(UserError, match=r"front \[8, 8, 3\].*the replay holds front \[6, 6, 3\]"):
        replay.add(random_episode(4, size=8))
    with pytest.raises(UserError, match=r"actions \[5\].*actions \[2\]"):
        replay.add(random_episode(4, actions=5))


@pytest.mark.parametrize("name", ["capacity", "n_step", "early_steps"])
def test_settings_out_of_range_are_refused(make: MakeReplay, name: str) -> None:
    with pytest.raises(UserError, match=rf"the replay's {name} is 0"):
        make(**{name: 0})
    with pytest.raises(UserError, match=r"must lie in \[0, 1\]"):
        make(priority_exponent=1.5)


def test_both_tables_can_be_sampled_in_turns_while_episodes_arrive(make: MakeReplay) -> None:
    replay = make(capacity=50)
    replay.add(random_episode(10))
    main, early = replay.batches(Table.MAIN, 8), replay.batches(Table.EARLY, 8)
    for seed in range(1, 20):
        replay.add(random_episode(10, seed))
        assert next(main).age.max() < 10
        assert next(early).age.max() < 2
    assert replay.size(Table.MAIN) == 50


def test_closing_twice_does_nothing_more(make: MakeReplay) -> None:
    replay = make()
    replay.add(random_episode(4))
    replay.close()
    replay.close()


@pytest.mark.reverb
@pytest.mark.skipif(importlib.util.find_spec("reverb") is None, reason="dm-reverb is not installed")
def test_both_backends_give_the_same_windows() -> None:
    episodes = [random_episode(length, seed) for seed, length in enumerate([7, 2, 1])]
    windows = []
    for make_one in (make_memory, make_reverb):
        with closing(make_one(n_step=4)) as replay:
            for episode in episodes:
                replay.add(episode)
            (batch,) = sample(replay, Table.MAIN, 300, batch_size=300)
            order = {(episode_of(batch, i), int(batch.age[i])): i for i in range(300)}
            chosen = [order[key] for key in sorted(order)]
            assert len(chosen) == 10
            windows.append(
                [
                    *(batch.observation[name][chosen] for name in ("front", "proprio")),
                    *(batch.next_observation[name][chosen] for name in ("front", "proprio")),
                    *(getattr(batch, name)[chosen] for name in ("action", "reward", "discount", "steps", "age")),
                ]
            )
    for ours, theirs in zip(*windows, strict=True):
        np.testing.assert_array_equal(ours, theirs)
        assert ours.dtype == theirs.dtype
