import dataclasses
import json
import os
import pickle
import shutil

import h5py
import numpy as np
import pytest
from demonstrations import SETTINGS, SOURCE, make_episode
from fuzz_demos import fuzz

from trailkit.demos.record import provenance
from trailkit.demos.store import DemoStore
from trailkit.demos.verify import Fault, verify
from trailkit.envs.errors import UserError
from trailkit.envs.settings import ActionSpace, EnvSettings, External, ObservationSettings, Origin
from trailkit.replay.episode_file import encode_episode, write_episode


def fill(path, settings=SETTINGS, episodes=3, actions=4):
    store = DemoStore.create(path, settings, SOURCE)
    for index in range(episodes):
        episode = make_episode(index, settings=settings, actions=actions)
        store.append(episode._replace(metadata=provenance(store, seed=0, index=index)))
    return store


@pytest.fixture
def folder(tmp_path):
    return fill(tmp_path / "demos").path


def second(folder):
    return folder / "episode_000001.hdf5"


def reasons(folder):
    return {fault.file: fault.reason for fault in verify(folder)}


def test_nothing_is_wrong_with_what_was_just_recorded(folder):
    assert verify(folder) == ()


def test_a_folder_of_an_environment_of_elsewhere_is_verified_too(tmp_path):
    external = External(Origin.GYMNASIUM, kwargs={"tells": True})
    seen = ObservationSettings(("own",), 16, 20, proprioception=False)
    settings = EnvSettings("arm:Arm-v0", observation=seen, external=external)
    folder = fill(tmp_path / "demos", settings, actions=1).path
    assert verify(folder) == ()
    cut(second(folder))
    assert reasons(folder)["episode_000001.hdf5"].startswith("is cut short")


def test_nothing_is_written(folder):
    second(folder).write_bytes(b"")
    before = {path.name: path.stat().st_mtime_ns for path in [folder, *folder.iterdir()]}
    assert len(verify(folder)) == 1
    assert {path.name: path.stat().st_mtime_ns for path in [folder, *folder.iterdir()]} == before


def cut(path):
    path.write_bytes(path.read_bytes()[:-1])


def flip(path):
    data = bytearray(path.read_bytes())
    data[600] ^= 4
    path.write_bytes(data)


def robomimic(path):
    with h5py.File(path, "w") as file:
        file["data/demo_0/actions"] = np.zeros((3, 2))


class Bomb:
    def __reduce__(self):
        return os.abort, ()


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (cut, "is cut short: "),
        (flip, "is damaged: its bytes are not those that were written"),
        (lambda path: path.write_bytes(b""), "is empty"),
        (lambda path: path.write_text("not HDF5" * 100), "is cut short or no HDF5 file of trailkit's"),
        (lambda path: path.write_bytes(pickle.dumps(Bomb())), "is cut short or no HDF5 file of trailkit's"),
        (robomimic, "holds no episode of trailkit's: it is HDF5 of another format"),
        (lambda path: (path.unlink(), path.mkdir()), "is no file: its name is that of an episode"),
        (lambda path: (path.unlink(), os.mkfifo(path)), "is no file"),
        (lambda path: (path.unlink(), path.symlink_to("nowhere")), "is no file"),
        pytest.param(
            lambda path: (path.unlink(), path.symlink_to("/proc/self/mem")),
            "cannot be read: Input/output error",
            marks=pytest.mark.skipif(not os.path.exists("/proc/self/mem"), reason="no file here is sure to refuse"),
        ),
        (lambda path: path.unlink(), "is gone: the manifest lists it"),
    ],
)
def test_a_damaged_file_is_named_with_the_reason(folder, harm, reason):
    harm(second(folder))
    [fault] = verify(folder)
    assert fault.file == "episode_000001.hdf5"
    assert fault.reason.startswith(reason)


@pytest.mark.parametrize(
    ("settings", "actions", "reason"),
    [
        (dataclasses.replace(SETTINGS, task="reach"), 4, "task is reach, not lift"),
        (
            dataclasses.replace(SETTINGS, observation=dataclasses.replace(SETTINGS.observation, height=32)),
            4,
            "is 32x20, not 16x20",
        ),
        (dataclasses.replace(SETTINGS, action_space=ActionSpace.JOINT), 9, "action_space is joint, not cartesian"),
    ],
)
def test_an_episode_of_another_environment_is_foreign(folder, tmp_path, settings, actions, reason):
    shutil.copy(second(fill(tmp_path / "other", settings, actions=actions).path), second(folder))
    assert reason in reasons(folder)["episode_000001.hdf5"]


def test_an_episode_that_tells_nothing_of_its_environment_is_judged_by_its_shapes(folder):
    write_episode(second(folder), make_episode(actions=9))
    assert "has 9-dimensional actions, expected 4" in reasons(folder)["episode_000001.hdf5"]


def test_files_that_belong_elsewhere_are_foreign(folder):
    (folder / "notes.txt").write_text("")
    shutil.copy(second(folder), folder / "episode_000001 (copy).hdf5")
    (folder / ".gitignore").write_text("")
    (folder / "videos").mkdir()
    found = reasons(folder)
    assert sorted(found) == ["episode_000001 (copy).hdf5", "notes.txt"]
    assert found["notes.txt"].startswith("is foreign: only episode_000000.hdf5")


def test_what_a_killed_recorder_left_is_named(folder):
    (folder / ".episode_000003.hdf5.1.partial").write_bytes(b"half an episode")
    assert reasons(folder) == {".episode_000003.hdf5.1.partial": "was left by a recorder that was killed"}


def test_every_single_change_to_a_manifest_is_noticed(folder):
    path = folder / "manifest.json"
    whole = path.read_bytes()
    random = np.random.default_rng(0)
    for place in random.choice(len(whole), 40, replace=False):
        data = bytearray(whole)
        data[place] ^= 1 << random.integers(8)
        path.write_bytes(data)
        assert list(reasons(folder)) == ["manifest.json"], place


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (lambda path: path.unlink(), "is missing"),
        (lambda path: path.write_text(path.read_text()[:50]), "is damaged, it is not JSON"),
        (lambda path: path.write_text("[" * 100_000), "is damaged, it is not JSON"),
        (lambda path: path.write_bytes(b"\xff" + path.read_bytes()), "cannot be read"),
        (lambda path: path.write_text("{}"), "is not of the format 'trailkit demonstrations 1'"),
        (lambda path: path.write_text(path.read_text().replace("lift", "left")), "is damaged, its SHA-256 differs"),
        (lambda path: (path.unlink(), path.mkdir()), "is no file"),
    ],
)
def test_a_damaged_manifest_is_named(folder, harm, reason):
    harm(folder / "manifest.json")
    [fault] = verify(folder)
    assert fault.file == "manifest.json" and fault.reason.startswith(reason)


def test_a_manifest_that_is_out_of_date_is_named(folder):
    before = (folder / "manifest.json").read_text()
    DemoStore.create(folder, SETTINGS, SOURCE).append(make_episode(3))
    (folder / "manifest.json").write_text(before)
    write_episode(second(folder), make_episode(1, solved_from=99))
    assert verify(folder) == (
        Fault(
            "manifest.json",
            "is out of date: it does not list episode_000003.hdf5 and says otherwise than the file of "
            "episode_000001.hdf5",
        ),
    )


def test_a_manifest_of_another_folder_is_at_fault_and_not_the_episodes(folder, tmp_path):
    other = fill(tmp_path / "other", dataclasses.replace(SETTINGS, task="reach"))
    shutil.copy(other.path / "manifest.json", folder / "manifest.json")
    assert reasons(folder)["manifest.json"] == "is of another environment than the episodes: task is reach, not lift"


@pytest.fixture
def old(folder):
    """A folder as earlier versions wrote it: no seals, no checksum, and episodes that do not tell their environment."""
    for index, path in enumerate(sorted(folder.glob("*.hdf5"))):
        path.write_bytes(encode_episode(make_episode(index))[512:])
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["sha256"]
    for row in manifest["episodes"]:
        row |= {"size": (folder / row["file"]).stat().st_size, "metadata": {}}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def test_folders_of_earlier_versions_are_taken_as_they_are(old):
    assert verify(old) == ()
    cut(second(old))
    assert reasons(old)["episode_000001.hdf5"].startswith("is damaged or cut short")


def test_a_file_on_which_hdf5_crashes_is_named_and_not_opened_here(old, tmp_path, monkeypatch):
    (tmp_path / "sitecustomize.py").write_text(  # where files are tried out, this one crashes
        "import os, pathlib, signal\n"
        "read = pathlib.Path.read_bytes\n"
        "def read_bytes(path):\n"
        "    if path.name == 'episode_000001.hdf5': os.kill(os.getpid(), signal.SIGSEGV)\n"
        "    return read(path)\n"
        "pathlib.Path.read_bytes = read_bytes\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert reasons(old) == {"episode_000001.hdf5": "is damaged: HDF5 hangs or crashes on it"}


def test_a_folder_that_is_none_is_named(tmp_path):
    with pytest.raises(UserError, match="nowhere is no folder: name a folder of demonstrations"):
        verify(tmp_path / "nowhere")


def test_an_empty_folder_lacks_a_manifest(tmp_path):
    assert verify(tmp_path) == (Fault("manifest.json", "is missing"),)


def test_random_damage_is_always_named_and_mended(tmp_path):
    kinds, wrong = fuzz(60, tmp_path)
    assert wrong == []
    assert kinds.total() == 60
