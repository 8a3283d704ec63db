import json

import gymnasium
import h5py
import minari
import numpy as np
import pytest
from gymnasium import spaces
from minari.data_collector import EpisodeBuffer

from trailkit.demos.formats.adopt import Words
from trailkit.demos.formats.convert import bring_in
from trailkit.demos.formats.minari import Minari
from trailkit.demos.store import DemoStore
from trailkit.envs.errors import UserError
from trailkit.envs.settings import ActionSpace, EnvSettings, ObservationSettings

LARGE = EnvSettings("reach", observation=ObservationSettings(("left",), 32, 32), episode_steps=50)
LIMITS = np.finfo(np.float32)


@pytest.fixture
def root(tmp_path, monkeypatch):
    """Where Minari looks for datasets."""
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "datasets"))
    return tmp_path / "datasets"


def box(*shape):
    return spaces.Box(LIMITS.min, LIMITS.max, shape, np.float32)


def steps_of_others(root, more=None, **infos):
    """A dataset as Minari's collector leaves it, with pictures in JPEG; `more` are observations and their spaces."""
    random = np.random.default_rng(0)
    space = {"front": spaces.Box(0, 255, (32, 32, 3), np.uint8), "proprio": box(21)}
    observations = {
        "front": [np.full((32, 32, 3), 10 * step, np.uint8) for step in range(5)],
        "proprio": [random.normal(size=21).astype(np.float32) for _ in range(5)],
    }
    for name, (values, kind) in (more or {}).items():
        observations[name], space[name] = values, kind
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
            observation_space=spaces.Dict(space),
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
        "appearance": [],
        "distract": [],
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


ROWS = [np.zeros(3, np.float32)] * 5
NESTED = {
    "a dictionary": ({"arm": ROWS}, spaces.Dict(arm=box(3)), "dict"),
    "a tuple": ((ROWS, ROWS), spaces.Tuple([box(3), box(3)]), "tuple"),
    "a text": (["lift"] * 5, spaces.Text(9), "list"),
}


@pytest.mark.parametrize(("values", "space", "kind"), NESTED.values(), ids=NESTED)
def test_an_observation_that_is_not_an_array_is_named(tmp_path, root, values, space, kind):
    path = steps_of_others(root, {"goal": (values, space)})
    with pytest.raises(UserError, match=r"others-v0: of its observations, goal cannot be used, .*cameras=none$"):
        adopted(tmp_path, path, Words(task="reach"))
    with pytest.raises(UserError, match=f"others-v0, demonstration 0: observation 'goal' is a {kind}: expected an arr"):
        adopted(tmp_path, path, Words(task="reach", cameras={}, proprio=["goal"]))
    store = adopted(tmp_path, path, Words(task="reach", cameras={"front": "front"}))
    assert set(store.read(0).observation) == {"front", "proprio"}


def replaced(key, values):
    """An edit of the first episode: another dataset in place of one; None leaves it out."""

    def edit(path):
        with h5py.File(path / "data/main_data.hdf5", "r+") as file:
            file["episode_0"].pop(key, None)
            if values is not None:
                file[f"episode_0/{key}"] = values

    return edit


def with_metadata(**values):
    def edit(path):
        file = path / "data/metadata.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), **values}))

    return edit


def with_no_steps(path):
    for key, shape in {"actions": (0, 4), "rewards": 0, "terminations": 0, "observations/proprio": (1, 21)}.items():
        replaced(key, np.zeros(shape, np.float32))(path)


def with_a_broken_picture(path):
    with h5py.File(path / "data/main_data.hdf5", "r+") as file:
        del file["episode_0/observations/front"]
        found = file.create_dataset("episode_0/observations/front", 5, h5py.vlen_dtype(np.uint8))
        for row in range(5):
            found[row] = np.frombuffer(b"no picture", np.uint8)


UNUSABLE = {
    "no episodes": (with_metadata(total_episodes=0), "holds no demonstrations"),
    "an episode is missing": (with_metadata(total_episodes=2), "episode 1 cannot be read as .*'episode_1'"),
    "no steps": (with_no_steps, r"episode 0 cannot be .*: the actions have the shape \[0, 4\]"),
    "no actions": (replaced("actions", None), "episode 0 cannot be read as a Minari dataset: not found: .*'actions'"),
    "no rewards": (replaced("rewards", None), "episode 0 cannot be read as .*'rewards'"),
    "no observations": (replaced("observations", None), "episode 0 cannot be read as .*'observations'"),
    "discrete actions": (replaced("actions", np.zeros(4, int)), r"episode 0 cannot .*shape \[4\], expected \[T, A\]"),
    "7 actions": (replaced("actions", np.zeros((4, 7))), "demonstration 0: its actions have 7 numbers"),
    "words for actions": (replaced("actions", [b"up"] * 4), "episode 0 cannot .*: action is of type .*, expected numb"),
    "NaN": (replaced("actions", np.full((4, 4), np.nan)), "demonstration 0: .*action holds values that are not finite"),
    "too few rows": (replaced("observations/proprio", np.zeros((4, 21))), r"n 0: observation 'proprio' .*\[4, 21\]"),
    "too many": (replaced("observations/proprio", np.zeros((9, 21))), r"n 0: observation 'proprio' .*\[9, 21\]"),
    "words": (replaced("observations/proprio", np.full((5, 21), b"x")), "n 0: observation 'proprio' is of type"),
    "a broken picture": (with_a_broken_picture, "episode 0 cannot be read as a Minari dataset"),
    "success of others": (
        replaced("infos/success", [True] * 9),
        r"episode 0 .*infos/success has the shape \[9\], expec",
    ),
    "nested success": (replaced("infos/success/a", [True] * 4), "episode 0 .*infos/success is of type object"),
}


@pytest.mark.parametrize(("edit", "message"), UNUSABLE.values(), ids=UNUSABLE)
def test_what_cannot_be_used_is_named_in_one_line(tmp_path, root, edit, message):
    path = steps_of_others(root)
    edit(path)
    with pytest.raises(UserError, match=f"^.*others-v0.*{message}.*$") as error:
        adopted(tmp_path, path, Words(task="reach"))
    assert "\n" not in str(error.value)
    assert not (tmp_path / "back").exists()
