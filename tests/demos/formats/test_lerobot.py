import json
import shutil
from dataclasses import replace

import av
import numpy as np
import pyarrow.parquet as pq
import pytest
from demonstrations import SOURCE, make_episode

from trailkit.demos.formats import lerobot_writer
from trailkit.demos.formats.adopt import Words
from trailkit.demos.formats.convert import bring_in
from trailkit.demos.formats.lerobot import LeRobot
from trailkit.demos.formats.lerobot_pictures import Images, Videos
from trailkit.demos.formats.png import picture_of
from trailkit.demos.store import DemoStore
from trailkit.envs.errors import UserError
from trailkit.envs.settings import EnvSettings, External, ObservationSettings, Origin

FRONT = "observation.images.front"
FILE = "chunk-000/file-000"
SETTINGS = EnvSettings("lift_distracted", observation=ObservationSettings(height=64, width=64), episode_steps=60)


def moving_square(steps, shift=0):
    """Pictures with a gradient and a red square that moves, uint8 [steps, 64, 64, 3]: much like rendered ones."""
    rows, columns = np.mgrid[:64, :64]
    pictures = np.stack([np.stack([rows + 90, columns + 60, rows + columns], axis=-1)] * steps).astype(np.uint8)
    for step in range(steps):
        left = (step + shift) % 50
        pictures[step, 20:30, left : left + 10] = (200, 30, 40)
    return pictures


@pytest.fixture
def store(tmp_path):
    made = DemoStore.create(tmp_path / "demos", SETTINGS, SOURCE)
    for number, length in enumerate((40, 25)):
        episode = make_episode(number, length, SETTINGS, index=number)
        episode.observation["front"][:] = moving_square(length + 1, 7 * number)
        made.append(episode)
    return made


def info(path):
    return json.loads((path / "meta/info.json").read_text())


def psnr(one, other):
    error = ((one.astype(float) - other) ** 2).mean()
    return 10 * np.log10(255**2 / error)


ARM = EnvSettings(
    "arm:Arm-v0", observation=ObservationSettings(("own",), 32, 32, False), external=External(Origin.GYMNASIUM)
)


def test_the_robot_of_an_environment_of_elsewhere_is_no_jaco(make_store, tmp_path):
    LeRobot(Images).write(make_store(ARM, actions=1), tmp_path / "out")
    assert info(tmp_path / "out")["robot_type"] == "arm:Arm-v0"


def test_a_rate_that_is_no_whole_number_is_refused(make_store, tmp_path):
    store = make_store(ARM, actions=1)
    store.manifest = replace(store.manifest, control_timestep=0.03)
    with pytest.raises(UserError, match=r"33\.33 steps a second cannot be written as a LeRobotDataset"):
        LeRobot(Images).write(store, tmp_path / "out")
    store.manifest = replace(store.manifest, control_timestep=1 / 30)
    LeRobot(Images).write(store, tmp_path / "out")
    assert info(tmp_path / "out")["fps"] == 30


def test_the_layout_is_that_of_version_3(store, tmp_path):
    LeRobot(Videos).write(store, tmp_path / "out")
    found = {str(each.relative_to(tmp_path / "out")) for each in (tmp_path / "out").rglob("*") if each.is_file()}
    assert found == {
        "meta/info.json",
        "meta/stats.json",
        "meta/tasks.parquet",
        f"meta/episodes/{FILE}.parquet",
        "meta/trailkit/recording.json",
        "meta/trailkit/episodes.parquet",
        f"data/{FILE}.parquet",
        f"videos/{FRONT}/{FILE}.mp4",
    }


def test_the_description_counts_and_names_everything(store, tmp_path):
    LeRobot(Videos).write(store, tmp_path / "out")
    described = info(tmp_path / "out")
    assert (described["codebase_version"], described["fps"], described["robot_type"]) == ("v3.0", 20, "jaco")
    assert (described["total_episodes"], described["total_frames"], described["total_tasks"]) == (2, 65, 1)
    assert described["splits"] == {"train": "0:2"}
    features = described["features"]
    assert features["action"] == {"dtype": "float32", "shape": [4], "names": ["x", "y", "z", "gripper"]}
    assert features["observation.state"]["shape"] == [21]
    assert len(set(features["observation.state"]["names"])) == 21
    assert (features[FRONT]["dtype"], features[FRONT]["shape"]) == ("video", [64, 64, 3])
    assert features[FRONT]["info"]["video.codec"] == "h264"
    table = pq.read_table(tmp_path / "out" / f"data/{FILE}.parquet")
    assert set(table.column_names) == {key for key, feature in features.items() if feature["dtype"] != "video"}
    [task] = pq.read_table(tmp_path / "out/meta/tasks.parquet").to_pylist()
    assert list(task.values()) == [0, "lift distracted"]


def test_steps_have_the_times_and_indices_that_they_should(store, tmp_path):
    LeRobot(Videos).write(store, tmp_path / "out")
    table = pq.read_table(tmp_path / "out" / f"data/{FILE}.parquet").to_pydict()
    frames = [*range(40), *range(25)]
    assert table["frame_index"] == frames
    assert table["index"] == list(range(65))
    assert table["episode_index"] == [0] * 40 + [1] * 25
    np.testing.assert_array_equal(np.float32(table["timestamp"]), (np.array(frames) / 20).astype(np.float32))
    assert [row for row, done in enumerate(table["next.done"]) if done] == [39, 64]
    np.testing.assert_array_equal(
        np.float32(table["next.reward"]), np.concatenate([e.reward for e in store.episodes()])
    )


def test_episodes_tell_where_they_are_and_what_they_are_like(store, tmp_path):
    LeRobot(Videos).write(store, tmp_path / "out")
    one, other = pq.read_table(tmp_path / "out" / f"meta/episodes/{FILE}.parquet").to_pylist()
    assert (one["dataset_from_index"], one["dataset_to_index"], one["length"]) == (0, 40, 40)
    assert (other["dataset_from_index"], other["dataset_to_index"], other["length"]) == (40, 65, 25)
    assert (other[f"videos/{FRONT}/from_timestamp"], other[f"videos/{FRONT}/to_timestamp"]) == (2.0, 3.25)
    assert (other["data/chunk_index"], other["data/file_index"], other["tasks"]) == (0, 0, ["lift distracted"])
    actions = store.read(1).action
    np.testing.assert_allclose(other["stats/action/mean"], actions.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(other["stats/action/q90"], np.quantile(actions, 0.9, axis=0), rtol=1e-5)
    assert np.shape(other[f"stats/{FRONT}/mean"]) == (3, 1, 1)
    assert other["stats/action/count"] == [25]


def test_the_statistics_of_all_are_those_of_all_steps(store, tmp_path):
    LeRobot(Images).write(store, tmp_path / "out")
    stats = json.loads((tmp_path / "out/meta/stats.json").read_text())
    assert set(stats) == set(info(tmp_path / "out")["features"])
    states = np.concatenate([episode.observation["proprio"][:-1] for episode in store.episodes()])
    np.testing.assert_allclose(stats["observation.state"]["std"], states.std(axis=0), rtol=1e-5)
    pictures = np.concatenate([episode.observation["front"][:-1] for episode in store.episodes()]) / 255
    np.testing.assert_allclose(np.ravel(stats[FRONT]["mean"]), pictures.mean(axis=(0, 1, 2)))


def test_videos_keep_all_but_a_little_of_the_pictures(store, tmp_path):
    LeRobot(Videos).write(store, tmp_path / "out")
    bring_in(tmp_path / "out", LeRobot(Videos), tmp_path / "back", Words())
    for one, other in zip(store.episodes(), DemoStore.open(tmp_path / "back").episodes(), strict=True):
        pictures, decoded = one.observation["front"], other.observation["front"]
        assert min(psnr(*pair) for pair in zip(pictures[:-1], decoded[:-1], strict=True)) > 42
        np.testing.assert_array_equal(pictures[-1], decoded[-1])
        for name in ("action", "reward", "success", "discount"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
        np.testing.assert_array_equal(one.observation["proprio"], other.observation["proprio"])
        assert one.metadata == other.metadata


def test_a_video_shows_each_picture_at_its_time(store, tmp_path):
    LeRobot(Videos).write(store, tmp_path / "out")
    with av.open(tmp_path / "out" / f"videos/{FRONT}/{FILE}.mp4") as container:
        frames = list(container.decode(video=0))
    np.testing.assert_allclose([frame.time for frame in frames], np.arange(65) / 20)
    assert [bool(frame.key_frame) for frame in frames[:4]] == [True, False, True, False]


def test_images_are_stored_in_the_table(store, tmp_path):
    LeRobot(Images).write(store, tmp_path / "out")
    described = info(tmp_path / "out")
    assert (described["video_path"], described["features"][FRONT]["dtype"]) == (None, "image")
    cells = pq.read_table(tmp_path / "out" / f"data/{FILE}.parquet")[FRONT].to_pylist()
    np.testing.assert_array_equal(picture_of(cells[41]["bytes"]), store.read(1).observation["front"][1])
    assert not (tmp_path / "out/videos").exists()


@pytest.mark.parametrize("pictures", [Videos, Images])
def test_a_new_file_begins_before_times_become_inexact(store, tmp_path, monkeypatch, pictures):
    monkeypatch.setattr(lerobot_writer, "_FILE_SECONDS", 3)
    LeRobot(pictures).write(store, tmp_path / "out")
    _, other = pq.read_table(tmp_path / "out" / f"meta/episodes/{FILE}.parquet").to_pylist()
    assert (other["data/file_index"], other["dataset_from_index"]) == (1, 40)
    if pictures is Videos:
        assert (other[f"videos/{FRONT}/file_index"], other[f"videos/{FRONT}/from_timestamp"]) == (1, 0.0)
    bring_in(tmp_path / "out", LeRobot(pictures), tmp_path / "back", Words())
    back = DemoStore.open(tmp_path / "back").read(1)
    np.testing.assert_array_equal(back.action, store.read(1).action)
    assert psnr(back.observation["front"], store.read(1).observation["front"] + 1e-9) > 42


def test_others_data_become_demonstrations_with_the_last_observation_twice(store, tmp_path):
    LeRobot(Images).write(store, tmp_path / "out")
    shutil.rmtree(tmp_path / "out/meta/trailkit")
    with pytest.raises(UserError, match=r"out: the demonstrations do not say of which task .* task=reach\|lift"):
        bring_in(tmp_path / "out", LeRobot(Images), tmp_path / "back", Words())
    bring_in(tmp_path / "out", LeRobot(Images), tmp_path / "back", Words(task="lift"))
    back, episode = DemoStore.open(tmp_path / "back").read(1), store.read(1)
    for name in ("front", "proprio"):
        np.testing.assert_array_equal(back.observation[name][:-1], episode.observation[name][:-1])
        np.testing.assert_array_equal(back.observation[name][-1], episode.observation[name][-2])
    np.testing.assert_array_equal(back.success, episode.success)
    np.testing.assert_array_equal(back.discount, np.ones(25, np.float32))


def test_an_older_version_is_refused(store, tmp_path):
    LeRobot(Images).write(store, tmp_path / "out")
    path = tmp_path / "out/meta/info.json"
    path.write_text(path.read_text().replace('"v3.0"', '"v2.1"'))
    with pytest.raises(UserError, match=r"out is a LeRobotDataset v2.1: bring it to v3.0"):
        bring_in(tmp_path / "out", LeRobot(Images), tmp_path / "back", Words())


def test_steps_that_are_missing_are_noticed(store, tmp_path):
    LeRobot(Images).write(store, tmp_path / "out")
    path = tmp_path / "out" / f"data/{FILE}.parquet"
    pq.write_table(pq.read_table(path).slice(0, 60), path)
    with pytest.raises(UserError, match="episode 1 has 20 steps in the table, not 25"):
        bring_in(tmp_path / "out", LeRobot(Images), tmp_path / "back", Words())


def test_an_uneven_pace_is_refused(store, tmp_path):
    LeRobot(Images).write(store, tmp_path / "out")
    path = tmp_path / "out/meta/info.json"
    path.write_text(path.read_text().replace('"fps": 20', '"fps": 30'))
    with pytest.raises(UserError, match="the steps of episode 0 do not follow each other at 30 Hz"):
        bring_in(tmp_path / "out", LeRobot(Images), tmp_path / "back", Words())


def test_one_number_is_a_number_and_no_list_as_lerobot_has_it(make_store, tmp_path):
    store = make_store(ARM, actions=1)
    LeRobot(Images).write(store, tmp_path / "out")
    (path,) = (tmp_path / "out/data").rglob("*.parquet")
    assert str(pq.read_schema(path).field("action").type) == "float"
    assert info(tmp_path / "out")["features"]["action"]["shape"] == [1]
    shutil.rmtree(tmp_path / "out/meta/trailkit")
    back = LeRobot(Images).read(tmp_path / "out")
    np.testing.assert_array_equal(next(iter(back.episodes)).action, store.read(0).action)
