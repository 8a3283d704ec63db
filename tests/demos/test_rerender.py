import dataclasses
import os

import numpy as np
import pytest
from demonstrations import SOURCE, assert_same, make_episode
from full_disk import file_size_limit

from trailkit.demos.record import record
from trailkit.demos.rerender import rerender
from trailkit.demos.scripted import ScriptedExpert
from trailkit.demos.store import DemoStore
from trailkit.demos.verify import verify
from trailkit.envs.errors import UserError
from trailkit.envs.settings import EnvSettings, ObservationSettings
from trailkit.envs.tasks.environment import TaskEnvironment

pytestmark = pytest.mark.render


def settings_of(task="lift_distracted", **observation):
    observation = {"cameras": ("front",), "height": 24, "width": 32, **observation}
    return EnvSettings(task, observation=ObservationSettings(**observation), episode_steps=6)


def recorded(path, settings, episodes=2):
    store = DemoStore.create(path, settings, SOURCE)
    with TaskEnvironment(settings) as env:
        list(record(env, ScriptedExpert(env), store, episodes, seed=0, keep_failures=True))
    return store


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return recorded(tmp_path_factory.mktemp("demos") / "lift", settings_of())


def test_the_same_settings_give_the_same_pictures_to_the_last_bit(store, tmp_path):
    assert list(rerender(store, tmp_path / "again")) == [1, 2]
    again = DemoStore.open(tmp_path / "again")
    assert again.settings == store.settings
    for episode, other in zip(store.episodes(), again.episodes(), strict=True):
        assert_same(episode, other)


def test_other_cameras_show_what_they_would_have_recorded(store, tmp_path):
    list(rerender(store, tmp_path / "drawn", ["front", "wrist"], height=40, width=36))
    drawn = DemoStore.open(tmp_path / "drawn")
    wanted = recorded(tmp_path / "wanted", settings_of(cameras=("front", "wrist"), height=40, width=36))
    assert drawn.settings == wanted.settings
    for episode, other in zip(drawn.episodes(), wanted.episodes(), strict=True):
        assert episode.observation["wrist"].shape == (7, 40, 36, 3)
        assert_same(episode, other)


def test_demonstrations_can_look_otherwise_and_the_same_again(store, tmp_path):
    other = tmp_path / "other"
    list(rerender(store, other, appearance=["arm_colour"]))
    drawn = DemoStore.open(other)
    assert drawn.settings == dataclasses.replace(store.settings, appearance=("arm_colour",))
    for episode, before in zip(drawn.episodes(), store.episodes(), strict=True):
        assert (episode.observation["front"] != before.observation["front"]).any()
        np.testing.assert_array_equal(episode.state, before.state)
    list(rerender(drawn, tmp_path / "again", appearance=[]))
    for episode, before in zip(DemoStore.open(tmp_path / "again").episodes(), store.episodes(), strict=True):
        assert_same(episode, before)


def test_demonstrations_that_had_no_camera_can_be_given_one(tmp_path):
    blind = recorded(tmp_path / "blind", settings_of("reach", cameras=()), episodes=1)
    list(rerender(blind, tmp_path / "seen", ["wrist"], height=16, width=16))
    (seen,) = DemoStore.open(tmp_path / "seen").episodes()
    assert sorted(seen.observation) == ["proprio", "wrist"]
    np.testing.assert_array_equal(seen.observation["proprio"], blind.read(0).observation["proprio"])


def test_what_was_drawn_is_a_whole_folder(store, tmp_path):
    list(rerender(store, tmp_path / "again", ["left"]))
    assert verify(tmp_path / "again") == ()


def test_episodes_without_states_are_refused_and_nothing_is_left(tmp_path):
    settings = settings_of()
    store = DemoStore.create(tmp_path / "demos", settings, SOURCE)
    store.append(make_episode(settings=settings))
    with pytest.raises(UserError, match=r"episode_000000\.hdf5 has no simulator states.*earlier version, or converted"):
        list(rerender(store, tmp_path / "drawn"))
    assert os.listdir(tmp_path) == ["demos"]


def test_states_of_another_model_are_refused(tmp_path):
    settings = settings_of()
    store = DemoStore.create(tmp_path / "demos", settings, SOURCE)
    store.append(make_episode(settings=settings)._replace(state=np.zeros((7, 3))))
    with pytest.raises(UserError, match=r"a state of shape \(3,\): those of lift_distracted have shape"):
        list(rerender(store, tmp_path / "drawn"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cameras": ["frnt"]}, "unknown camera 'frnt': did you mean 'front'"),
        ({"cameras": []}, "no camera is named: say which to draw"),
        ({"height": 4}, "image size 4x32"),
        ({"height": 0}, "image size 0x32"),
        ({"appearance": ["lihgt"]}, "unknown appearance 'lihgt': did you mean 'light'"),
    ],
)
def test_what_cannot_be_drawn_is_refused(store, tmp_path, changes, message):
    with pytest.raises(UserError, match=message):
        list(rerender(store, tmp_path / "drawn", **changes))


def test_drawing_that_is_given_up_leaves_nothing(store, tmp_path):
    drawing = rerender(store, tmp_path / "drawn")
    next(drawing)
    drawing.close()
    assert os.listdir(tmp_path) == []


def test_another_version_of_the_simulator_is_a_warning(store, tmp_path, caplog):
    old = dataclasses.replace(store.manifest, versions={**store.manifest.versions, "mujoco": "2.3.7"})
    list(rerender(DemoStore(store.path, old, SOURCE), tmp_path / "drawn"))
    assert "were recorded with mujoco 2.3.7" in caplog.text


def test_the_versions_and_the_day_stay_those_of_the_recording(store, tmp_path):
    old = dataclasses.replace(store.manifest, versions={**store.manifest.versions, "mujoco": "2.3.7"}, created="then")
    list(rerender(DemoStore(store.path, old, SOURCE), tmp_path / "drawn"))
    drawn = DemoStore.open(tmp_path / "drawn").manifest
    assert (drawn.versions, drawn.created) == (old.versions, old.created)


def test_distractions_that_cannot_be_drawn_again_are_a_warning(tmp_path, caplog):
    distracted = recorded(tmp_path / "there", dataclasses.replace(settings_of("reach"), distract=("colours",)), 1)
    list(rerender(distracted, tmp_path / "drawn"))
    assert "the new pictures are without env.distract=[colours]" in caplog.text


def test_a_full_disk_is_said_and_nothing_is_left(store, tmp_path):
    with file_size_limit(8000), pytest.raises(UserError, match=r"drawn: .*File too large") as error:
        list(rerender(store, tmp_path / "drawn", height=200, width=200))
    assert "are safe" not in str(error.value)
    assert os.listdir(tmp_path) == []
