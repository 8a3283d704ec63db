import dataclasses
import json
import logging
import re
import shutil
import threading
from pathlib import Path

import h5py
import numpy as np
import pytest
from demonstrations import SETTINGS, SOURCE, assert_same, make_episode
from full_disk import file_size_limit

from trailkit.demos.record import provenance
from trailkit.demos.store import DemoStore
from trailkit.envs.errors import UserError
from trailkit.envs.settings import ActionSpace, EnvSettings, External, ObservationSettings, Origin


def make_store(path, episodes=3):
    store = DemoStore.create(path / "demos", SETTINGS, SOURCE)
    for seed in range(episodes):
        store.append(make_episode(seed))
    return store


def edit_manifest(store, **changes):
    """Leaves a manifest as an earlier version wrote it, without a checksum."""
    path = store.path / "manifest.json"
    values = {**json.loads(path.read_text()), **changes}
    del values["sha256"]
    path.write_text(json.dumps(values))


def visible(store):
    return sorted(each.name for each in store.path.iterdir())


def test_episodes_come_back_as_they_were(tmp_path):
    make_store(tmp_path)
    store = DemoStore.open(tmp_path / "demos")
    assert len(store) == 3
    for seed, episode in enumerate(store.episodes()):
        assert_same(episode, make_episode(seed))


def test_a_range_of_episodes_can_be_read(tmp_path):
    store = make_store(tmp_path)
    [episode] = store.episodes(1, 2)
    assert_same(episode, make_episode(1))


def test_the_manifest_tells_what_a_reader_must_know(tmp_path):
    store = make_store(tmp_path)
    manifest = DemoStore.open(store.path).manifest
    assert manifest.settings == SETTINGS
    assert manifest.source == SOURCE
    assert manifest.control_timestep == 0.05
    assert set(manifest.versions) == {"trailkit", "mujoco", "dm-control", "numpy", "python"}
    assert [row.file for row in manifest.episodes] == [f"episode_00000{i}.hdf5" for i in range(3)]
    assert all(row.length == 6 and row.success and row.episode_return == 2.0 for row in manifest.episodes)


def test_recording_goes_on_in_a_store_of_the_same_settings(tmp_path):
    make_store(tmp_path, episodes=1)
    store = DemoStore.create(tmp_path / "demos", SETTINGS, {"device": "random"})
    store.append(make_episode(7))
    assert visible(store) == ["episode_000000.hdf5", "episode_000001.hdf5", "manifest.json"]
    assert store.manifest.source == SOURCE


def test_two_recorders_of_one_folder_do_not_overwrite_each_other(tmp_path):
    one = make_store(tmp_path, episodes=0)
    other = DemoStore.create(one.path, SETTINGS, SOURCE)
    one.append(make_episode(0))
    other.append(make_episode(1))
    one.append(make_episode(2))
    for seed, episode in enumerate(DemoStore.open(one.path).episodes()):
        assert_same(episode, make_episode(seed))


def test_recording_into_a_store_of_other_settings_is_refused(tmp_path):
    store = make_store(tmp_path)
    with pytest.raises(UserError, match=r"holds other demonstrations \(task is lift, not reach\): record into another"):
        DemoStore.create(store.path, dataclasses.replace(SETTINGS, task="reach"), SOURCE)


def test_recording_into_a_folder_with_other_things_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(UserError, match="no folder of demonstrations and not empty: record into another folder"):
        DemoStore.create(tmp_path, SETTINGS, SOURCE)
    assert [each.name for each in tmp_path.iterdir()] == ["thesis.tex"]


def test_recording_into_a_folder_that_has_lost_its_manifest_is_refused(tmp_path):
    store = make_store(tmp_path)
    (store.path / "manifest.json").unlink()
    with pytest.raises(UserError, match=r"demos has lost its manifest\.json: trailkit demos repair"):
        DemoStore.create(store.path, SETTINGS, SOURCE)


@pytest.mark.skipif(not Path("/sys").exists(), reason="no folder here is sure to refuse")
def test_recording_into_a_read_only_folder_is_refused_in_one_line():
    with pytest.raises(UserError, match=r"^cannot record into /sys/demos: [\w -]+; choose another folder$"):
        DemoStore.create("/sys/demos", SETTINGS, SOURCE)


def test_recording_into_a_file_is_refused(tmp_path):
    (tmp_path / "demos").write_text("")
    with pytest.raises(UserError, match=r"cannot record into .*demos: File exists"):
        DemoStore.create(tmp_path / "demos", SETTINGS, SOURCE)


@pytest.mark.parametrize(
    ("episode", "message"),
    [
        (make_episode(length=13), "has 13 steps, expected 12 at most"),
        (make_episode(actions=9), "has 9-dimensional actions, expected 4"),
        (make_episode()._replace(observation={"front": make_episode().observation["front"]}), "proprioception is"),
        (
            make_episode()._replace(observation={**make_episode().observation, "proprio": np.zeros((7, 20))}),
            "has 20 numbers of proprioception, expected 21",
        ),
    ],
)
def test_an_episode_of_another_environment_is_not_taken(tmp_path, episode, message):
    store = make_store(tmp_path)
    with pytest.raises(UserError, match=message):
        store.append(episode)
    assert len(DemoStore.open(store.path)) == 3


def test_an_environment_that_cannot_be_made_is_no_fault_of_the_episodes(tmp_path):
    store = make_store(tmp_path)
    gone = dataclasses.replace(SETTINGS, task="gone_arm:Arm-v0", external=External(Origin.GYMNASIUM))
    edit_manifest(store, settings=gone.to_dict())
    with pytest.raises(UserError, match=r"^gone_arm:Arm-v0: No module named 'gone_arm' .* to PYTHONPATH$"):
        DemoStore.open(store.path).read(0)


# Opening what is not a store.


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(UserError, match="nowhere does not exist: expected a folder of demonstrations"):
        DemoStore.open(tmp_path / "nowhere")


def test_a_file_is_no_store(tmp_path):
    (tmp_path / "demos").write_text("")
    with pytest.raises(UserError, match="demos is a file: expected a folder of demonstrations"):
        DemoStore.open(tmp_path / "demos")


def test_a_folder_without_a_manifest_is_no_store(tmp_path):
    with pytest.raises(UserError, match=r"has no manifest\.json: it is not a folder that trailkit record wrote"):
        DemoStore.open(tmp_path)


def test_an_empty_store_cannot_be_learned_from(tmp_path):
    store = make_store(tmp_path, episodes=0)
    with pytest.raises(UserError, match="holds no demonstrations yet: record some"):
        DemoStore.open(store.path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "other 1"}, r"manifest\.json is not of the format"),
        ({"colour": 1}, r"manifest\.json has missing or unknown keys: colour"),
        ({"episodes": [{"file": "a"}]}, r"manifest\.json makes no sense \(.*missing 5 required"),
        ({"episodes": 3}, r"manifest\.json makes no sense \(.*not iterable"),
        ({"source": []}, r"manifest\.json makes no sense \(source is of type list\)"),
        ({"control_timestep": 0.0}, r"manifest\.json makes no sense \(control_timestep is 0\.0\)"),
        ({"settings": {"task": "lift"}}, "environment settings lack the key 'action_space'"),
    ],
)
def test_a_manifest_that_makes_no_sense_is_refused(tmp_path, changes, message):
    store = make_store(tmp_path)
    edit_manifest(store, **changes)
    with pytest.raises(UserError, match=message):
        DemoStore.open(store.path)


def test_a_cut_manifest_is_refused(tmp_path):
    store = make_store(tmp_path)
    path = store.path / "manifest.json"
    path.write_text(path.read_text()[:100])
    with pytest.raises(UserError, match=r"manifest\.json is damaged, it is not JSON"):
        DemoStore.open(store.path)


# Files and manifest that disagree.


def test_an_episode_that_the_manifest_missed_is_found_again(tmp_path):
    store = make_store(tmp_path)
    before = (store.path / "manifest.json").read_text()
    store.append(make_episode(3))
    (store.path / "manifest.json").write_text(before)  # as kill -9 between the two renames leaves it
    reopened = DemoStore.open(store.path)
    assert reopened.manifest == store.manifest
    assert_same(reopened.read(3), make_episode(3))


def test_appending_heals_the_manifest_too(tmp_path):
    store = make_store(tmp_path)
    before = (store.path / "manifest.json").read_text()
    store.append(make_episode(3))
    (store.path / "manifest.json").write_text(before)
    DemoStore.create(store.path, SETTINGS, SOURCE).append(make_episode(4))
    rows = json.loads((store.path / "manifest.json").read_text())["episodes"]
    assert [row["file"] for row in rows] == [f"episode_00000{i}.hdf5" for i in range(5)]


def test_a_deleted_episode_is_left_out_with_a_warning(tmp_path, caplog):
    store = make_store(tmp_path)
    (store.path / "episode_000001.hdf5").unlink()
    reopened = DemoStore.open(store.path)
    assert [row.file for row in reopened.manifest.episodes] == ["episode_000000.hdf5", "episode_000002.hdf5"]
    assert "episode_000001.hdf5 are gone" in caplog.text
    assert reopened.append(make_episode(3)).name == "episode_000003.hdf5"


def test_what_a_killed_recorder_left_aside_is_ignored(tmp_path):
    store = make_store(tmp_path)
    (store.path / ".episode_000003.hdf5.1.partial").write_bytes(b"half an episode")
    assert len(DemoStore.open(store.path)) == 3


def empty(path):
    path.write_bytes(b"")


def truncate(path):
    path.write_bytes(path.read_bytes()[:-1000])


def replace_by_text(path):
    path.write_text("not HDF5")


def replace_by_another_format(path):
    with h5py.File(path, "w") as file:
        file["data/demo_0/actions"] = [0.0]


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (empty, r"episode_000001\.hdf5 is empty"),
        (truncate, r"episode_000001\.hdf5 is cut short: \d+ of \d+ bytes are left; trailkit demos repair"),
        (replace_by_text, r"episode_000001\.hdf5 is cut short or no HDF5 file"),
        (
            replace_by_another_format,
            r"episode_000001\.hdf5 holds no episode of trailkit's: it is HDF5 of another format",
        ),
    ],
)
def test_a_harmed_episode_is_named(tmp_path, harm, message):
    store = make_store(tmp_path)
    harm(store.path / "episode_000001.hdf5")
    with pytest.raises(UserError, match=message):
        DemoStore.open(store.path)


def test_an_episode_of_another_store_is_named(tmp_path):
    store = make_store(tmp_path)
    settings = EnvSettings("lift", observation=ObservationSettings(height=32, width=32), episode_steps=12)
    other = DemoStore.create(tmp_path / "other", settings, SOURCE)
    shutil.copy(other.append(make_episode(settings=settings)), store.path / "episode_000003.hdf5")
    with pytest.raises(
        UserError, match=r"episode_000003\.hdf5 does not belong to these demonstrations: .*\(32, 32, 3\)"
    ):
        DemoStore.open(store.path)


def test_an_episode_of_another_task_that_looks_alike_is_named(tmp_path):
    store = make_store(tmp_path)
    reach = dataclasses.replace(SETTINGS, task="reach")
    other = DemoStore.create(tmp_path / "other", reach, SOURCE)
    path = other.append(make_episode()._replace(metadata=provenance(other, seed=0, index=0)))
    shutil.copy(path, store.path / "episode_000003.hdf5")
    with pytest.raises(UserError, match=r"episode_000003\.hdf5 does not belong .*: task is reach, not lift; trailkit"):
        DemoStore.open(store.path)
    with pytest.raises(UserError, match="recorded in another environment: task is reach, not lift"):
        store.append(other.read(0))


def test_a_flipped_bit_is_noticed_when_the_episode_is_read(tmp_path):
    store = make_store(tmp_path)
    path = store.path / "episode_000001.hdf5"
    data = bytearray(path.read_bytes())
    data[-50] ^= 1
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"episode_000001\.hdf5 is damaged.*trailkit demos repair .*demos moves it"):
        DemoStore.open(store.path).read(1)


def test_a_changed_manifest_is_refused(tmp_path):
    store = make_store(tmp_path)
    path = store.path / "manifest.json"
    path.write_text(path.read_text().replace('"noise": 0.2', '"noise": 0.3'))
    with pytest.raises(UserError, match=r"manifest\.json is damaged, its SHA-256 differs: trailkit demos repair"):
        DemoStore.open(store.path)


def test_a_removed_episode_stays_in_a_folder_of_its_own(tmp_path):
    store = make_store(tmp_path)
    before = (store.path / "episode_000002.hdf5").read_bytes()
    aside = store.remove("episode_000002.hdf5")
    assert aside == store.path / "removed" / "episode_000002.hdf5" and aside.read_bytes() == before
    assert len(DemoStore.open(store.path)) == store.count() == 2
    store.append(make_episode(2))
    assert store.remove("episode_000002.hdf5").name == "episode_000002.1.hdf5"
    with pytest.raises(UserError, match=r"unknown episode .episode_000002\.hdf5.: did you mean"):
        store.remove("episode_000002.hdf5")


def test_counting_while_episodes_are_removed_and_added_never_fails(tmp_path):
    store, other = make_store(tmp_path), DemoStore.open(tmp_path / "demos")
    done = threading.Event()

    def remove_and_append() -> None:
        for seed in range(20):
            other.remove(other.manifest.episodes[0].file)
            other.append(make_episode(seed))
        done.set()

    thread = threading.Thread(target=remove_and_append)
    thread.start()
    while not done.is_set():
        assert store.count() in {2, 3}
    thread.join()
    assert store.count() == 3


def test_a_folder_that_is_gone_is_named(tmp_path):
    store = make_store(tmp_path)
    shutil.rmtree(store.path)
    with pytest.raises(UserError, match=r"cannot record into .*demos: No such file or directory"):
        store.count()


def test_a_recording_that_cannot_begin_takes_back_the_folder_that_it_made(tmp_path):
    store = DemoStore.create(tmp_path / "demos", SETTINGS, SOURCE)
    store.abandon()
    assert not store.path.exists()


def test_a_recording_that_cannot_begin_leaves_what_others_record_into(tmp_path):
    first = DemoStore.create(tmp_path / "demos", SETTINGS, SOURCE)
    DemoStore.create(first.path, SETTINGS, SOURCE).abandon()
    first.append(make_episode())
    first.remove("episode_000000.hdf5")
    first.abandon()
    assert visible(first) == ["manifest.json", "removed"]


# A full disk.


def test_a_full_disk_loses_nothing_that_was_recorded(tmp_path):
    store = make_store(tmp_path)
    before = visible(store)
    with (
        file_size_limit(4096),
        pytest.raises(UserError, match=r"cannot write .*episode_000003\.hdf5.*the 3 episodes before it are safe"),
    ):
        store.append(make_episode(3))
    assert visible(store) == before
    for seed, episode in enumerate(DemoStore.open(store.path).episodes()):
        assert_same(episode, make_episode(seed))
    assert store.append(make_episode(3)).name == "episode_000003.hdf5"


def test_a_disk_that_fills_between_episode_and_manifest_loses_nothing(tmp_path, caplog):
    store = make_store(tmp_path)
    edit_manifest(store, source={"device": "x" * 200_000})  # so that it is much larger than an episode
    episode = make_episode(3)
    with file_size_limit(100_000):
        assert store.append(episode).name == "episode_000003.hdf5"
    assert re.search(r"cannot write .*manifest\.json: File too large.* episode_000003\.hdf5 is safe", caplog.text)
    assert visible(store) == [f"episode_00000{i}.hdf5" for i in range(4)] + ["manifest.json"]
    assert_same(DemoStore.open(store.path).read(3), episode)


# Which demonstrations an environment takes.


def changed(**changes):
    observation = {key: changes.pop(key) for key in ("cameras", "height", "width", "proprioception") if key in changes}
    return dataclasses.replace(
        SETTINGS, observation=dataclasses.replace(SETTINGS.observation, **observation), **changes
    )


@pytest.mark.parametrize(
    ("settings", "difference"),
    [
        (changed(task="reach"), "task is lift, not reach"),
        (changed(action_space=ActionSpace.JOINT), "action_space is cartesian, not joint"),
        (changed(cameras=("front", "wrist")), r"cameras is \[front\], not \[front, wrist\]"),
        (changed(height=64), r"image size \(height x width\) is 16x20, not 64x20"),
        (changed(proprioception=False), "proprioception is true, not false"),
        (changed(episode_steps=200), "episode_steps is 12, not 200"),
    ],
)
def test_demonstrations_of_another_environment_are_refused_with_the_reason(tmp_path, settings, difference):
    store = make_store(tmp_path)
    with pytest.raises(UserError, match=f"of another environment: {difference}; give the environment their settings"):
        store.check(settings)


def test_demonstrations_may_look_otherwise_but_not_among_themselves(tmp_path):
    store, other = make_store(tmp_path), changed(appearance=("arm_colour",))
    store.check(other)
    with pytest.raises(UserError, match=r"recorded in another environment: appearance is \[arm_colour\], not \[\]"):
        store.append(make_episode(environment=other.to_dict()))


def test_all_differences_are_named_at_once(tmp_path):
    with pytest.raises(UserError, match="task is lift, not reach, episode_steps is 12, not 200;"):
        make_store(tmp_path).check(changed(task="reach", episode_steps=200))


def test_demonstrations_at_another_control_rate_are_refused(tmp_path):
    store = make_store(tmp_path)
    edit_manifest(store, control_timestep=0.1)
    with pytest.raises(UserError, match="control rate is 10 Hz, not 20 Hz"):
        DemoStore.open(store.path).check(SETTINGS)


def test_the_image_size_does_not_matter_without_cameras(tmp_path):
    blind = changed(cameras=())
    store = DemoStore.create(tmp_path / "demos", blind, SOURCE)
    store.append(make_episode(settings=blind))
    store.check(changed(cameras=(), height=32))


def test_demonstrations_of_the_same_environment_are_taken_in_silence(tmp_path, caplog):
    make_store(tmp_path).check(SETTINGS)
    assert not caplog.records


def test_another_version_of_the_simulator_is_a_warning(tmp_path, caplog):
    store = make_store(tmp_path)
    edit_manifest(store, versions={**store.manifest.versions, "mujoco": "2.3.7"})
    with caplog.at_level(logging.WARNING):
        DemoStore.open(store.path).check(SETTINGS)
    assert "were recorded with mujoco 2.3.7, this is" in caplog.text
