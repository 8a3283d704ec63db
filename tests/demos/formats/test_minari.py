import gymnasium
import minari
import numpy as np
import pytest
from gymnasium import spaces
from minari.data_collector import EpisodeBuffer

from trailkit.demos.formats.adopt import Words
from trailkit.demos.formats.convert import bring_in
from trailkit.demos.formats.minari import Minari
from trailkit.demos.store import DemoStore
from trailkit.envs.settings import ActionSpace, EnvSettings, ObservationSettings

LARGE = EnvSettings("reach", observation=ObservationSettings(("left",), 32, 32), episode_steps=50)
LIMITS = np.finfo(np.float32)


@pytest.fixture
def root(tmp_path, monkeypatch):
    """Where Minari looks for datasets."""
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "datasets"))
    return tmp_path / "datasets"


def steps_of_others(root, **infos):
    """A dataset as Minari's collector leaves it, with pictures in JPEG."""
    random = np.random.default_rng(0)
    space = spaces.Dict(
        {
            "front": spaces.Box(0, 255, (32, 32, 3), np.uint8),
            "proprio": spaces.Box(LIMITS.min, LIMITS.max, (21,), np.float32),
        }
    )
    observations = {
        "front": [np.full((32, 32, 3), 10 * step, np.uint8) for step in range(5)],
        "proprio": [random.normal(size=21).astype(np.float32) for _ in range(5)],
    }
    buffer = EpisodeBuffer(
        observations=observations,
        actions=[np.float32([0.5, 0, 0, 0])] * 4,
        rewards=[0.0, 0.0, 0.0, 1.0],
        terminations=[False, False, False, True],
        truncations=[False] * 4,
        infos=infos or {},
    )
    with pytest.warns(UserWarning):  # that nobody is named as its author
        minari.create_dataset_from_buffers(
            "others-v0",
            [buffer],
            observation_space=space,
            action_space=spaces.Box(-1, 1, (4,), np.float32),
            data_format="hdf5",
        )
    return root / "others-v0"


def adopted(tmp_path, path, words):
    bring_in(path, Minari(), tmp_path / "back", words)
    return DemoStore.open(tmp_path / "back")


@pytest.mark.parametrize("settings", [None, LARGE], ids=["pictures below 32 pixels", "larger ones"])
def test_minari_reads_what_was_recorded(make_store, root, settings):
    store = make_store(settings) if settings else make_store()
    Minari().write(store, root / "trailkit" / "demos-v3")
    dataset = minari.load_dataset("trailkit/demos-v3")
    assert list(minari.list_local_datasets()) == ["trailkit/demos-v3"]
    assert (dataset.total_episodes, dataset.total_steps) == (3, 5 + 6 + 7)
    for data, episode in zip(dataset.iterate_episodes(), store.episodes(), strict=True):
        assert data.observations.keys() == episode.observation.keys()
        for name, values in episode.observation.items():
            np.testing.assert_array_equal(data.observations[name], values)
        np.testing.assert_array_equal(data.actions, episode.action)
        np.testing.assert_array_equal(data.rewards, episode.reward)
        np.testing.assert_array_equal(data.infos["success"][1:], episode.success)
        np.testing.assert_array_equal(data.infos["state"], episode.state)
        assert data.truncations.tolist() == [False] * (episode.length - 1) + [True]
        assert not data.terminations.any()
        assert all(dataset.observation_space.contains({k: v[i] for k, v in data.observations.items()}) for i in (0, -1))
        assert all(dataset.action_space.contains(action) for action in data.actions)


def test_the_environment_can_be_made_from_the_dataset(make_store, root):
    Minari().write(make_store(LARGE), root / "demos-v0")
    spec = minari.load_dataset("demos-v0").env_spec
    registered = gymnasium.spec("trailkit/Reach-v0")
    assert (spec.id, spec.entry_point) == (registered.id, registered.entry_point)
    assert spec.kwargs == {
        "task": "reach",
        "action_space": "cartesian",
        "cameras": ["left"],
        "image_size": 32,
        "proprioception": True,
        "episode_steps": 50,
    }


def test_pictures_that_are_not_square_have_no_environment(make_store, root):
    Minari().write(make_store(), root / "demos-v0")
    assert minari.load_dataset("demos-v0").env_spec is None


def test_a_name_without_a_version_gets_one(make_store, tmp_path):
    Minari().write(make_store(), tmp_path / "my lift.demos")
    dataset = minari.MinariDataset(tmp_path / "my lift.demos" / "data")
    assert (dataset.id, dataset.spec.dataset_name, dataset.spec.version) == ("my_lift-v0", "my_lift", 0)


def test_others_data_become_demonstrations(tmp_path, root):
    store = adopted(tmp_path, steps_of_others(root), Words(task="reach"))
    episode = store.read(0)
    np.testing.assert_array_equal(episode.observation["front"][3], 30)
    np.testing.assert_array_equal(episode.success, [False, False, False, True])
    np.testing.assert_array_equal(episode.discount, np.float32([1, 1, 1, 0]))
    assert store.settings.observation == ObservationSettings(("front",), 32, 32)
    assert store.settings.action_space is ActionSpace.CARTESIAN
    assert episode.metadata["name"] == "episode_0"


def test_the_task_is_known_where_the_environment_is_trailkits(tmp_path, root):
    spec = gymnasium.spec("trailkit/Reach-v0")
    path = steps_of_others(root, success=[False, False, True, True, True])
    storage = minari.MinariDataset(path / "data").storage
    storage.update_metadata({"env_spec": spec.to_json()})
    store = adopted(tmp_path, path, Words())
    assert store.settings.task == "reach"
    np.testing.assert_array_equal(store.read(0).success, [False, True, True, True])
