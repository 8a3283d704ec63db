import h5py
import numpy as np
import pytest
from demonstrations import SETTINGS, SOURCE, assert_same, make_episode

from trailkit.agents.run.build_env import env_settings
from trailkit.agents.run.configuration import configure
from trailkit.agents.run.demos_command import demos
from trailkit.configs.schema import TrainConfig
from trailkit.demos.store import DemoStore
from trailkit.envs.errors import UserError


@pytest.fixture
def folder(tmp_path):
    store = DemoStore.create(tmp_path / "demos", SETTINGS, SOURCE)
    store.append(make_episode(0))
    return tmp_path / "demos"


@pytest.mark.parametrize(
    "words", [["to=robomimic", "out={}"], ["--to", "robomimic", "--out", "{}"], ["--to=robomimic", "--out={}"]]
)
def test_demonstrations_go_out_and_come_in(tmp_path, folder, capsys, words):
    demos(["convert", str(folder), *(word.format(tmp_path / "demos.hdf5") for word in words)])
    demos(["convert", str(tmp_path / "demos.hdf5"), "from=robomimic", f"out={tmp_path / 'back'}"])
    assert_same(DemoStore.open(tmp_path / "back").read(0), make_episode(0))
    assert capsys.readouterr().out.splitlines() == [
        f"1 demonstrations in {tmp_path / 'demos.hdf5'}",
        f"1 demonstrations in {tmp_path / 'back'}",
    ]


def test_what_others_recorded_in_an_environment_of_ones_own_comes_in(tmp_path, capsys):
    with h5py.File(tmp_path / "others.hdf5", "w") as file:
        demo = file.create_group("data/demo_0")
        demo["actions"], demo["rewards"] = np.ones((4, 1)), [0.0, 0.0, 0.0, 1.0]
        demo["obs/hand_image"], demo["obs/observation"] = np.zeros((4, 16, 16, 3), np.uint8), np.zeros((4, 4))
    file = tmp_path / "robot.yaml"
    file.write_text("kind: gymnasium\nid: arm:Arm-v0\nheight: 16\nwidth: 16\nproprio: {joint: '[0:2]'}\n")
    words = ["from=robomimic", "cameras=own:hand", f"env={file}", "env.episode_steps=30", f"out={tmp_path / 'out'}"]
    demos(["convert", str(tmp_path / "others.hdf5"), *words])
    assert capsys.readouterr().out == f"1 demonstrations in {tmp_path / 'out'}\n"
    settings = env_settings(configure("train", TrainConfig, [f"env={file}", "env.episode_steps=30"]).env)
    store = DemoStore.open(tmp_path / "out")
    store.check(settings)
    assert store.read(0).observation["proprio"].shape == (5, 2)


@pytest.mark.parametrize(("words", "folders"), [([], {"data", "meta", "videos"}), (["video=false"], {"data", "meta"})])
def test_lerobots_pictures_are_videos_or_not(tmp_path, folder, words, folders):
    demos(["convert", str(folder), "to=lerobot", f"out={tmp_path / 'out'}", *words])
    assert {each.name for each in (tmp_path / "out").iterdir()} == folders


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["to=robomimic"], "say which way and where"),
        (["out=x"], "say which way and where"),
        (["to=robomimic", "from=minari", "out=x"], "say which way and where"),
        (["to=robomimic", "out=x", "task=lift"], "task=, cameras= and the like with from="),
        (["to=minari", "out=x", "video=false"], "video=true or false goes with to=lerobot"),
        (["to=lerobot", "out=x", "video=no"], "video=true or false goes with to=lerobot"),
        (["from=lerobot", "out=x", "video=true"], "video=true or false goes with to=lerobot"),
        (["to=minari", "out=x", "env=lift"], "env= goes with from="),
        (["from=minari", "out=x", "env=lift", "task=lift"], "env= goes with from=, without task= and episode_steps="),
        (["to=rlds", "out=x"], "unknown format 'rlds': choose from lerobot, minari, robomimic"),
        (["to=minari", "into=x"], "'into=x' is no option of trailkit demos convert: it has to=, from=, out="),
    ],
)
def test_words_that_make_no_sense_are_refused(folder, words, message):
    with pytest.raises(UserError, match=message):
        demos(["convert", str(folder), *words])
