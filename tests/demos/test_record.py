import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from demonstrations import assert_same

from trailkit.demos.manifest import current_versions
from trailkit.demos.random import RandomDevice
from trailkit.demos.record import record
from trailkit.demos.scripted import ScriptedExpert
from trailkit.demos.store import DemoStore
from trailkit.envs.errors import UserError
from trailkit.envs.settings import EnvSettings, ObservationSettings
from trailkit.envs.tasks.environment import TaskEnvironment

SETTINGS = EnvSettings("reach", observation=ObservationSettings(cameras=()), episode_steps=40)
SOURCE = {"device": "scripted", "noise": 0.2}


@pytest.fixture(scope="module")
def env():
    env = TaskEnvironment(SETTINGS)
    yield env
    env.close()


class Forgetful:
    """Plays as the expert does, but in every other episode does nothing."""

    def __init__(self, env):
        self._expert = ScriptedExpert(env)
        self._episodes = 0

    def reset(self):
        self._expert.reset()
        self._episodes += 1

    def act(self):
        action = self._expert.act()
        return action if self._episodes % 2 else np.zeros_like(action)


def recorded(env, path, episodes, seed=0):
    store = DemoStore.create(path, SETTINGS, SOURCE)
    attempts = list(record(env, ScriptedExpert(env), store, episodes, seed))
    return store, attempts


def test_each_episode_is_on_the_disk_when_its_attempt_is_reported(env, tmp_path):
    store = DemoStore.create(tmp_path / "demos", SETTINGS, SOURCE)
    for count, attempt in enumerate(record(env, ScriptedExpert(env), store, 3, seed=0), start=1):
        assert attempt.kept and attempt.success and attempt.length == 40
        assert len(DemoStore.open(store.path)) == count
        assert store.manifest.episodes[-1].episode_return == attempt.episode_return > 0
    assert count == 3


def test_the_same_seed_records_the_same_episodes(env, tmp_path):
    one, _ = recorded(env, tmp_path / "one", 3)
    env.seed(99)
    env.reset()
    other, _ = recorded(env, tmp_path / "other", 3)
    for episode, again in zip(one.episodes(), other.episodes(), strict=True):
        assert_same(episode, again)


@pytest.mark.render
def test_pictures_are_the_same_too(tmp_path):
    settings = EnvSettings("reach", observation=ObservationSettings(height=16, width=16), episode_steps=15)
    episodes = []
    for name in ("one", "other"):
        env = TaskEnvironment(settings)
        store = DemoStore.create(tmp_path / name, settings, SOURCE)
        list(record(env, ScriptedExpert(env), store, 1, seed=0, keep_failures=True))
        env.close()
        episodes.append(store.read(0))
    assert episodes[0].observation["front"].shape == (16, 16, 16, 3)
    assert_same(*episodes)


def test_episodes_and_seeds_differ(env, tmp_path):
    one, _ = recorded(env, tmp_path / "one", 2, seed=0)
    other, _ = recorded(env, tmp_path / "other", 1, seed=1)
    starts = [episode.observation["proprio"][0, :3].tolist() for episode in (*one.episodes(), *other.episodes())]
    assert len(np.unique(starts, axis=0)) == 3


def test_recording_goes_on_where_it_stopped(env, tmp_path):
    whole, _ = recorded(env, tmp_path / "whole", 4)
    recorded(env, tmp_path / "parts", 1)
    parts, attempts = recorded(env, tmp_path / "parts", 3)
    assert len(attempts) == 3
    for episode, other in zip(whole.episodes(), parts.episodes(), strict=True):
        assert_same(episode, other)


def test_another_seed_begins_at_its_own_beginning(env, tmp_path):
    alone, _ = recorded(env, tmp_path / "alone", 1, seed=5)
    recorded(env, tmp_path / "both", 2, seed=0)
    both, _ = recorded(env, tmp_path / "both", 1, seed=5)
    assert_same(alone.read(0), both.read(2))


def test_an_episode_tells_where_it_comes_from(env, tmp_path):
    store, _ = recorded(env, tmp_path / "demos", 1, seed=3)
    made = {"versions": current_versions(), "recording_seed": 3, "index": 0, "end": "truncation"}
    where = {"environment": SETTINGS.to_dict(), "control_timestep": 0.05}
    assert store.read(0).metadata == {**SOURCE, **made, **where}
    assert store.manifest.episodes[0].metadata == {**SOURCE, **made}


@pytest.mark.render
def test_a_stored_state_gives_back_the_pictures_to_the_last_bit(tmp_path):
    settings = EnvSettings("reach", observation=ObservationSettings(height=32, width=32), episode_steps=6)
    env = TaskEnvironment(settings)
    store = DemoStore.create(tmp_path / "demos", settings, SOURCE)
    list(record(env, ScriptedExpert(env), store, 1, seed=0, keep_failures=True))
    episode = store.read(0)
    env.seed(9)
    env.reset()  # somewhere else
    for step in range(7):
        env.set_state(episode.state[step])
        for name, value in env.observe().items():
            np.testing.assert_array_equal(value, episode.observation[name][step])
    env.close()


def test_failures_are_discarded_and_reported(env, tmp_path):
    store = DemoStore.create(tmp_path / "demos", SETTINGS, SOURCE)
    attempts = list(record(env, Forgetful(env), store, 3, seed=0))
    assert [attempt.kept for attempt in attempts] == [True, False, True, False, True]
    assert all(row.success for row in store.manifest.episodes)
    assert [row.metadata["index"] for row in store.manifest.episodes] == [0, 2, 4]


def test_failures_are_kept_if_asked_for(env, tmp_path):
    store = DemoStore.create(tmp_path / "demos", SETTINGS, SOURCE)
    attempts = list(record(env, Forgetful(env), store, 4, seed=0, keep_failures=True))
    assert len(attempts) == len(store) == 4
    assert [row.success for row in store.manifest.episodes] == [True, False, True, False]


def test_a_device_that_always_fails_is_told_so(tmp_path):
    settings = EnvSettings("reach", observation=ObservationSettings(cameras=()), episode_steps=1)
    env = TaskEnvironment(settings)
    store = DemoStore.create(tmp_path / "demos", settings, SOURCE)
    with pytest.raises(UserError, match="failed at reach 50 times in a row, 0 episodes were kept: lower its noise"):
        list(record(env, RandomDevice(env), store, 1, seed=0))
    env.close()


def test_random_actions_fill_the_action_space_and_follow_from_the_seed(env, tmp_path):
    actions = []
    for name in ("one", "other"):
        store = DemoStore.create(tmp_path / name, SETTINGS, {"device": "random"})
        list(record(env, RandomDevice(env), store, 2, seed=0, keep_failures=True))
        actions.append(np.concatenate([episode.action for episode in store.episodes()]))
    np.testing.assert_array_equal(*actions)
    assert actions[0].min() < -0.9 and actions[0].max() > 0.9
    assert len(np.unique(actions[0])) == actions[0].size


def test_a_store_of_another_environment_is_refused(env, tmp_path):
    store = DemoStore.create(tmp_path / "demos", EnvSettings("lift"), SOURCE)
    with pytest.raises(UserError, match="task is lift, not reach"):
        next(record(env, ScriptedExpert(env), store, 1, seed=0))


RECORDER = f"""
import sys
from trailkit.demos.record import record
from trailkit.demos.scripted import ScriptedExpert
from trailkit.demos.store import DemoStore
from trailkit.envs.tasks.environment import TaskEnvironment
from trailkit.envs.settings import EnvSettings

settings = EnvSettings.from_dict({SETTINGS.to_dict()!r})
env = TaskEnvironment(settings)
store = DemoStore.create(sys.argv[1], settings, {SOURCE!r})
for _ in record(env, ScriptedExpert(env), store, 10_000, seed=0):
    print("kept", flush=True)
"""


def test_a_killed_recording_loses_the_episode_in_progress_at_most(env, tmp_path):
    path = tmp_path / "demos"
    random = np.random.default_rng(0)
    reported = 0
    for _ in range(2):
        with subprocess.Popen([sys.executable, "-c", RECORDER, path], stdout=subprocess.PIPE) as recorder:
            for _ in range(5):
                assert recorder.stdout.readline() == b"kept\n"
            time.sleep(random.uniform(0, 0.1))
            os.kill(recorder.pid, signal.SIGKILL)
            reported += 5 + len(recorder.stdout.readlines())
        assert reported <= len(DemoStore.open(path)) <= reported + 1
        reported = len(DemoStore.open(path))
    killed = DemoStore.open(path)
    whole, _ = recorded(env, tmp_path / "whole", len(killed))
    for episode, other in zip(whole.episodes(), killed.episodes(), strict=True):
        assert_same(episode, other)
