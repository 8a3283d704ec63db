"""Which frames an audit looks at."""

import numpy as np
from demonstrations import SETTINGS, SOURCE, make_episode

from trailkit.agents.run.audit.frames import MAX_EPISODES, draw_starts, join, play_random, read_demos
from trailkit.demos.record import start_seed
from trailkit.demos.store import DemoStore
from trailkit.envs.settings import EnvSettings
from trailkit.envs.tasks.environment import TaskEnvironment

LIFT = EnvSettings("lift", episode_steps=6)


def store_of(path, episodes):
    store = DemoStore.create(path, SETTINGS, SOURCE)
    for episode in episodes:
        store.append(episode)
    return store


def test_early_frames_and_some_of_the_whole_are_taken(tmp_path):
    episode = make_episode(length=12, solved_from=4)
    (part,) = read_demos(store_of(tmp_path / "demos", [episode]), early_steps=3)
    moments = part.moments
    assert moments.age[moments.early].tolist() == [0, 1, 2]
    assert moments.age[moments.spread][[0, -1]].tolist() == [0, 12]
    assert moments.age[moments.start].tolist() == [0]
    np.testing.assert_array_equal(part.pictures["front"], episode.observation["front"][moments.age])
    assert part.solved.tolist() == [age > 4 for age in moments.age]


def test_many_demonstrations_are_evenly_chosen(tmp_path):
    store = store_of(tmp_path / "demos", [make_episode(seed, length=1) for seed in range(MAX_EPISODES + 10)])
    parts = list(read_demos(store, early_steps=1))
    assert len(parts) == MAX_EPISODES
    for part, index in ((parts[0], 0), (parts[-1], MAX_EPISODES + 9)):
        np.testing.assert_array_equal(part.pictures["front"][0], store.read(index).observation["front"][0])


def test_one_episode_without_states_leaves_all_without(tmp_path):
    bare = make_episode(0)
    parts = list(read_demos(store_of(tmp_path / "demos", [bare, bare._replace(state=np.ones((7, 3)))]), 2))
    assert join(parts).states is None
    assert join(parts[1:]).states is not None
    assert join(parts).moments.episode.max() == 1


def test_random_play_and_starts_follow_from_the_seed():
    first, again, other = (join(list(play_random(LIFT, 2, 3, seed))) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.states, again.states)
    assert not np.array_equal(first.states, other.states)
    assert len(np.unique(first.states[first.moments.start], axis=0)) == 2
    starts = draw_starts(LIFT, 3, 1)
    assert len(np.unique(starts, axis=0)) == 3
    begun = [tuple(state) for state in (*starts, *first.states[first.moments.start])]
    assert len(set(begun)) == len(begun)


def test_random_play_begins_elsewhere_than_a_recording_with_the_same_seed():
    with TaskEnvironment(LIFT) as env:
        recorded = []
        for index in range(2):
            env.seed(start_seed(1, index))
            env.reset()
            recorded.append(env.state())
    played = join(list(play_random(LIFT, 2, 1, 1)))
    assert not any(np.array_equal(one, other) for one in recorded for other in played.states[played.moments.start])
