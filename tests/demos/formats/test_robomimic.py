import json
from dataclasses import replace

import gymnasium
import h5py
import numpy as np
import pytest
from demonstrations import assert_same, make_episode
from gymnasium import spaces

from trailkit.demos.formats.adopt import Words
from trailkit.demos.formats.convert import bring_in
from trailkit.demos.formats.robomimic import Robomimic
from trailkit.demos.store import DemoStore
from trailkit.envs.errors import UserError
from trailkit.envs.settings import EnvSettings, External, ObservationSettings, Origin


class Panda(gymnasium.Env):
    """robosuite's Lift, as a user brings it: seven numbers an action, and observations of its names."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 20}  # noqa: RUF012
    action_space = spaces.Box(-1.0, 1.0, (7,))
    observation_space = spaces.Dict(
        {f"robot0_{name}": spaces.Box(-np.inf, np.inf, (size,)) for name, size in (("eef_pos", 3), ("joint_pos", 7))}
    )

    def __init__(self, render_mode=None):
        self.render_mode = render_mode

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return self.observation_space.sample(), {}

    def step(self, action):
        return self.observation_space.sample(), 0.0, False, False, {"success": False}

    def render(self):
        return np.zeros((16, 16, 3), np.uint8)


gymnasium.register("Panda-v0", entry_point=Panda)
PANDA = EnvSettings(
    "Panda-v0",
    observation=ObservationSettings(("own",), 16, 16),
    external=External(Origin.GYMNASIUM, proprio={"hand": "robot0_eef_pos", "arm": "robot0_joint_pos"}),
)


@pytest.fixture
def exported(tmp_path, make_store):
    store = make_store()
    Robomimic().write(store, tmp_path / "demos.hdf5")
    with h5py.File(tmp_path / "demos.hdf5") as file:
        yield store, file


def as_others_write(path, first=0, following=True, rewards=True):
    """A file with the names that robosuite's data has, and nothing of trailkit's."""
    random = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        data = file.create_group("data")
        data.attrs["env_args"] = json.dumps({"env_name": "Lift", "type": 1, "env_kwargs": {"control_freq": 20}})
        for number in range(first, first + 2):
            demo = data.create_group(f"demo_{number}")
            demo.attrs["num_samples"] = 4
            demo["actions"] = random.uniform(-1, 1, (4, 7))
            demo["states"] = random.normal(size=(4, 30))
            if rewards:
                demo["rewards"] = [0.0, 0.0, 0.5, 1.0]
                demo["dones"] = [0, 0, 1, 1]
            for group in ("obs", "next_obs") if following else ("obs",):
                demo[f"{group}/agentview_image"] = random.integers(0, 256, (4, 16, 16, 3), np.uint8)
                demo[f"{group}/robot0_eef_pos"] = random.normal(size=(4, 3))
                demo[f"{group}/robot0_joint_pos"] = random.normal(size=(4, 7))
    return path


def adopted(tmp_path, path, *words, environment=PANDA):
    said = Words.parse(dict(word.split("=") for word in words))
    bring_in(path, Robomimic(), tmp_path / "back", replace(said, environment=environment))
    return DemoStore.open(tmp_path / "back")


SAID = ("cameras=own:agentview", "proprio=robot0_eef_pos,robot0_joint_pos")


def test_a_demonstration_has_what_robomimic_looks_for(exported):
    store, file = exported
    episode, demo = store.read(1), file["data/demo_1"]
    assert set(file["data"]) == {"demo_0", "demo_1", "demo_2"}
    assert (demo.attrs["num_samples"], file["data"].attrs["total"]) == (6, 5 + 6 + 7)
    np.testing.assert_array_equal(demo["actions"], episode.action)
    np.testing.assert_array_equal(demo["rewards"], episode.reward)
    np.testing.assert_array_equal(demo["states"], episode.state[:-1])
    np.testing.assert_array_equal(demo["dones"], [0, 0, 0, 0, 0, 1])
    for group, steps in (("obs", slice(0, 6)), ("next_obs", slice(1, 7))):
        assert set(demo[group]) == {"front_image", "wrist_image", "robot0_proprio-state"}
        np.testing.assert_array_equal(demo[group]["front_image"], episode.observation["front"][steps])
        np.testing.assert_array_equal(demo[group]["robot0_proprio-state"], episode.observation["proprio"][steps])
    assert demo["obs/front_image"].dtype == np.uint8
    assert demo["obs/front_image"].chunks == (1, 16, 20, 3)


def test_the_environment_is_described_as_robomimic_does(exported):
    _, file = exported
    environment = json.loads(file["data"].attrs["env_args"])
    assert (environment["env_name"], environment["type"]) == ("trailkit/Lift-v0", 2)
    assert environment["env_kwargs"]["cameras"] == ["front", "wrist"]


def test_the_last_tenth_is_kept_for_validation(exported, tmp_path, make_store):
    _, file = exported
    assert list(file["mask/train"]) == [b"demo_0", b"demo_1"]
    assert list(file["mask/valid"]) == [b"demo_2"]
    Robomimic().write(make_store(episodes=1, name="single"), tmp_path / "single.hdf5")
    with h5py.File(tmp_path / "single.hdf5") as single:
        assert list(single["mask/train"]) == list(single["mask/valid"]) == [b"demo_0"]


def test_others_data_become_demonstrations(tmp_path):
    path = as_others_write(tmp_path / "other.hdf5", first=1)
    store = adopted(tmp_path, path, *SAID)
    with h5py.File(path) as file:
        demo = file["data/demo_2"]
        episode = store.read(1)
        np.testing.assert_array_equal(episode.observation["own"][:-1], demo["obs/agentview_image"])
        np.testing.assert_array_equal(episode.observation["own"][1:][-1], demo["next_obs/agentview_image"][-1])
        np.testing.assert_array_equal(
            episode.observation["proprio"][:-1, :3], demo["obs/robot0_eef_pos"][()].astype("f4")
        )
    np.testing.assert_array_equal(episode.reward, np.float32([0, 0, 0.5, 1]))
    np.testing.assert_array_equal(episode.success, [False, False, True, True])
    np.testing.assert_array_equal(episode.discount, np.ones(4, np.float32))
    assert episode.state is None  # those are of another simulation
    assert (episode.metadata["device"], episode.metadata["name"]) == ("import", "demo_2")
    assert store.settings == PANDA
    store.check(PANDA)  # that is what a training in that environment asks
    assert store.manifest.versions["mujoco"] == "unknown"


def test_what_the_environment_takes_of_its_observations_is_taken_of_the_datas(tmp_path):
    path = as_others_write(tmp_path / "other.hdf5")
    store = adopted(tmp_path, path, "cameras=own:agentview")
    with h5py.File(path) as file:
        expected = [file[f"data/demo_0/obs/robot0_{name}"][()] for name in ("eef_pos", "joint_pos")]
    np.testing.assert_array_equal(store.read(0).observation["proprio"][:-1], np.hstack(expected).astype("f4"))


def test_trailkits_own_tasks_are_of_another_robot_than_robosuites(tmp_path):
    path = as_others_write(tmp_path / "other.hdf5")
    with pytest.raises(UserError, match=r"its actions have 7 numbers, trailkit's 4 .*another robot.* env=robot\.yaml"):
        adopted(tmp_path, path, "task=lift", "cameras=front:agentview", environment=None)


def test_what_is_missing_in_others_data_is_settled(tmp_path):
    path = as_others_write(tmp_path / "other.hdf5", following=False, rewards=False)
    episode = adopted(tmp_path, path, *SAID).read(0)
    np.testing.assert_array_equal(episode.observation["own"][-1], episode.observation["own"][-2])
    assert not episode.reward.any()
    assert not episode.success.any()


def test_the_control_rate_of_others_data_is_kept(tmp_path):
    path = as_others_write(tmp_path / "other.hdf5")
    with h5py.File(path, "r+") as file:
        environment = json.loads(file["data"].attrs["env_args"])
        file["data"].attrs["env_args"] = json.dumps({**environment, "env_kwargs": {"control_freq": 10}})
    assert adopted(tmp_path, path, *SAID).manifest.control_timestep == 0.1


def test_a_key_that_is_missing_is_named(tmp_path, make_store):
    Robomimic().write(make_store(), tmp_path / "demos.hdf5")
    with h5py.File(tmp_path / "demos.hdf5", "r+") as file:
        del file["data/demo_1/actions"]
    with pytest.raises(UserError, match=r"demos.hdf5, demo_1 cannot be read as a robomimic HDF5 file: .*actions"):
        bring_in(tmp_path / "demos.hdf5", Robomimic(), tmp_path / "back", Words())


def test_a_file_without_demonstrations_is_refused(tmp_path):
    with h5py.File(tmp_path / "empty.hdf5", "w") as file:
        file.create_group("data")
    with pytest.raises(UserError, match=r"empty.hdf5 holds no demonstrations"):
        bring_in(tmp_path / "empty.hdf5", Robomimic(), tmp_path / "back", Words(task="lift"))


def replaced(key, values):
    """An edit of a file that others wrote: another dataset in the place of one; None leaves it out."""

    def edit(file):
        file["data/demo_1"].pop(key, None)
        if values is not None:
            file[f"data/demo_1/{key}"] = values

    return edit


def with_environment(text):
    return lambda file: file["data"].attrs.update(env_args=text)


def with_no_steps(file):
    for key, shape in {"actions": (0, 7), "rewards": 0, "obs/agentview_image": (0, 16, 16, 3)}.items():
        replaced(key, np.zeros(shape, np.uint8))(file)
    for key in ("next_obs", "obs/robot0_eef_pos", "obs/robot0_joint_pos"):
        replaced(key, None)(file)


def nested(file):
    replaced("obs/robot0_eef_pos", None)(file)
    replaced("obs/robot0_eef_pos/x", np.zeros(4))(file)


EEF, AGENTVIEW = "obs/robot0_eef_pos", "obs/agentview_image"
UNUSABLE = {
    "longer": (
        replaced(EEF, np.zeros((6, 3))),
        r"demo_1 cannot.*: obs/robot0_eef_pos has the shape \[6, 3\], .*\[4, 3\]",
    ),
    "shorter": (replaced(EEF, np.zeros((2, 3))), r"demo_1 cannot.*: obs/robot0_eef_pos has the shape \[2, 3\]"),
    "none": (replaced(EEF, np.zeros((0, 3))), r"demo_1 cannot.*: obs/robot0_eef_pos has the shape \[0, 3\]"),
    "scalar": (replaced(EEF, 1.0), r"demo_1 cannot.*: obs/robot0_eef_pos has the shape \[\]"),
    "longer pictures": (
        replaced(AGENTVIEW, np.zeros((6, 16, 16, 3), np.uint8)),
        r"demo_1 .*agentview_image has .*\[6, ",
    ),
    "longer afterwards": (
        replaced(f"next_{EEF}", np.zeros((6, 3))),
        r"demo_1 .*: next_obs/robot0_eef_pos has .*\[6, 3\]",
    ),
    "other afterwards": (replaced(f"next_{EEF}", np.zeros((4, 7))), r"demo_1 .*: next_obs/robot0_eef_pos .*\[4, 7\]"),
    "nothing afterwards": (replaced(f"next_{EEF}", None), "demo_1 .*: not found: .*'robot0_eef_pos'"),
    "missing": (replaced(EEF, None), "demonstration 1: unknown observation 'robot0_eef_pos'"),
    "nested": (nested, "demo_1 cannot .*: obs/robot0_eef_pos holds others, expected an array"),
    "no observations": (replaced("obs", None), "demo_1 cannot .*: not found: .*'obs'"),
    "words": (replaced(EEF, np.full((4, 3), b"x")), "demonstration 1: observation 'robot0_eef_pos' is of type"),
    "NaN": (replaced(EEF, np.full((4, 3), np.nan)), "demonstration 1: .*proprio holds values that are not finite"),
    "no steps": (with_no_steps, r"demo_1 cannot .*: the actions have the shape \[0, 7\]"),
    "no actions": (replaced("actions", None), "demo_1 cannot .*: not found: .*'actions'"),
    "flat actions": (
        replaced("actions", np.zeros(4)),
        r"demo_1 cannot .*: the actions have the shape \[4\], expected \[T, A",
    ),
    "words for actions": (replaced("actions", np.full((4, 7), b"x")), "demo_1 cannot .*: action is of type .*numbers"),
    "NaN actions": (
        replaced("actions", np.full((4, 7), np.nan)),
        "demonstration 1: .*action holds values that are not fin",
    ),
    "infinite actions": (replaced("actions", np.full((4, 7), np.inf)), "demonstration 1: actions of up to inf"),
    "9 actions": (
        replaced("actions", np.zeros((4, 9))),
        "demonstration 1: its actions have 9 numbers, those of Panda-v0 7",
    ),
    "more actions": (
        replaced("actions", np.zeros((6, 7))),
        r"demo_1 .* has the shape \[4, 16, 16, 3\], expected \[6, ",
    ),
    "fewer rewards": (replaced("rewards", np.zeros(3)), r"demonstration 1: the episode's reward is float32 \[3\]"),
    "a rate below 0": (
        with_environment('{"env_kwargs": {"control_freq": -20}}'),
        "control_freq is -20, expected a numb",
    ),
    "words for a rate": (with_environment('{"env_kwargs": {"control_freq": "20"}}'), "control_freq is '20', expected"),
    "no JSON": (with_environment("{"), "cannot be read as a robomimic HDF5 file: Expecting"),
}


@pytest.mark.parametrize(("edit", "message"), UNUSABLE.values(), ids=UNUSABLE)
def test_what_cannot_be_used_is_named_in_one_line(tmp_path, edit, message):
    path = as_others_write(tmp_path / "other.hdf5")
    with h5py.File(path, "r+") as file:
        edit(file)
    with pytest.raises(UserError, match=f"^.*other.hdf5.*{message}.*$") as error:
        adopted(tmp_path, path, *SAID)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "back").exists()


def cut_short(demo):
    """Takes the last step from all that has a row for each step."""
    steps, names = demo.attrs["num_samples"], []
    demo.visit(names.append)
    for name in names:
        if isinstance(demo[name], h5py.Dataset) and demo[name].shape[0] == steps:
            values = demo[name][:-1]
            del demo[name]
            demo[name] = values
    demo.attrs["num_samples"] = steps - 1


def test_a_demonstration_that_was_cut_short_does_not_end_in_the_states_of_the_whole(tmp_path, make_store, caplog):
    store = make_store()
    Robomimic().write(store, tmp_path / "demos.hdf5")
    with h5py.File(tmp_path / "demos.hdf5", "r+") as file:
        cut_short(file["data/demo_1"])
    bring_in(tmp_path / "demos.hdf5", Robomimic(), tmp_path / "back", Words())
    back = DemoStore.open(tmp_path / "back")
    before, after = store.read(1), back.read(1)
    assert after.state is None and after.metadata == {"name": "demo_1"}
    for name, values in before.observation.items():
        np.testing.assert_array_equal(after.observation[name], values[:-1])
    np.testing.assert_array_equal(after.reward, before.reward[:-1])
    assert f"{tmp_path}/demos.hdf5: demo_1 changed after trailkit wrote it" in caplog.text
    for untouched in (0, 2):
        assert_same(back.read(untouched), store.read(untouched))


def test_what_trailkit_kept_is_left_out_where_only_others_know_the_new_length(tmp_path, make_store):
    Robomimic().write(make_store(), tmp_path / "demos.hdf5")
    with h5py.File(tmp_path / "demos.hdf5", "r+") as file:
        demo = file["data/demo_1"]
        kept = {name: demo[name][()] for name in ("success", "discount", "final_state")}
        cut_short(demo)
        for name, values in kept.items():
            del demo[name]
            demo[name] = values
    bring_in(tmp_path / "demos.hdf5", Robomimic(), tmp_path / "back", Words())
    episode = DemoStore.open(tmp_path / "back").read(1)
    assert (episode.length, episode.state) == (5, None)
    np.testing.assert_array_equal(episode.success, episode.reward > 0)


def test_demonstrations_that_were_left_out_or_named_anew_are_whole(tmp_path, make_store, caplog):
    store = make_store()
    Robomimic().write(store, tmp_path / "demos.hdf5")
    with h5py.File(tmp_path / "demos.hdf5", "r+") as file:
        del file["data/demo_0"]
        file.move("data/demo_1", "data/demo_7")
    bring_in(tmp_path / "demos.hdf5", Robomimic(), tmp_path / "back", Words())
    for episode, index in zip(DemoStore.open(tmp_path / "back").episodes(), (2, 1), strict=True):
        assert_same(episode, store.read(index))
    assert not caplog.text


def test_lengths_that_differ_are_named(tmp_path, make_store):
    store = make_store(episodes=1)
    store.append(make_episode(3, settings=store.settings))
    Robomimic().write(store, tmp_path / "demos.hdf5")
    with h5py.File(tmp_path / "demos.hdf5", "r+") as file:
        rewards = file["data/demo_1/rewards"][:-1]
        del file["data/demo_1/rewards"]
        file["data/demo_1/rewards"] = rewards
    with pytest.raises(
        UserError, match=r"demonstration 1: the episode's reward is float32 \[5\]: it must be float32 \[6\]"
    ):
        bring_in(tmp_path / "demos.hdf5", Robomimic(), tmp_path / "back", Words())
