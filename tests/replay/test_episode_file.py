"""Tests of episodes' files: how they are written and read, and that damage is named."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from replay_episodes import random_episode

from trailkit.envs.errors import UserError
from trailkit.replay.episode_file import decode_metadata, encode_episode, read_episode, read_summary, write_episode


@pytest.fixture
def unsealed(tmp_path: Path) -> Path:
    """An episode's file as earlier versions wrote it, without a seal."""
    path = tmp_path / "old.hdf5"
    path.write_bytes(encode_episode(random_episode(4))[512:])
    return path


def test_an_episode_is_read_as_it_was_written(tmp_path: Path) -> None:
    episode = random_episode(7, terminal=True)
    write_episode(tmp_path / "a.hdf5", episode)
    read = read_episode(tmp_path / "a.hdf5")
    assert read.metadata == episode.metadata
    assert list(read.observation) == ["front", "proprio"]
    for name in ("action", "reward", "discount", "success"):
        np.testing.assert_array_equal(getattr(read, name), getattr(episode, name))
        assert getattr(read, name).dtype == getattr(episode, name).dtype
    for name, values in episode.observation.items():
        np.testing.assert_array_equal(read.observation[name], values)
    assert read_summary(tmp_path / "a.hdf5") == (7, episode.metadata)
    assert [path.name for path in tmp_path.iterdir()] == ["a.hdf5"]


def test_a_camera_may_have_a_name_with_slashes(tmp_path: Path) -> None:
    episode = random_episode(7)
    pictures = episode.observation["front"]
    named = {"arm/left/eye": pictures, "arm/right/eye": pictures[:, ::-1], "top": pictures}
    write_episode(tmp_path / "a.hdf5", episode._replace(observation=named))
    read = read_episode(tmp_path / "a.hdf5").observation
    assert read.keys() == named.keys()
    for name, values in named.items():
        np.testing.assert_array_equal(read[name], values)


@pytest.mark.parametrize("kept", [0, 1, 100, 1000, 3000])
def test_a_file_cut_short_is_named(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "cut.hdf5"
    write_episode(path, random_episode(10))
    content = path.read_bytes()
    assert len(content) > 3000
    path.write_bytes(content[:kept])
    with pytest.raises(UserError, match=r"cut\.hdf5 is (empty|cut short)"):
        read_episode(path)


def test_files_of_other_kinds_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.hdf5 does not exist"):
        read_episode(tmp_path / "none.hdf5")
    (tmp_path / "text.hdf5").write_text("hello")
    with pytest.raises(UserError, match=r"text\.hdf5 is cut short or no HDF5 file"):
        read_episode(tmp_path / "text.hdf5")
    with h5py.File(tmp_path / "robomimic.hdf5", "w") as file:
        file["data/demo_0/actions"] = np.zeros((3, 2))
    with pytest.raises(
        UserError, match=r"robomimic\.hdf5 holds no episode of trailkit's: it is HDF5 of another format"
    ):
        read_episode(tmp_path / "robomimic.hdf5")


def test_a_file_whose_parts_do_not_fit_together_is_named(unsealed: Path) -> None:
    with h5py.File(unsealed, "a") as file:
        del file["reward"]
    with pytest.raises(UserError, match=r"old\.hdf5 is damaged or cut short: some of the episode cannot be read"):
        read_episode(unsealed)
    with h5py.File(unsealed, "a") as file:
        file["reward"] = np.zeros(9, np.float32)
    with pytest.raises(UserError, match=r"old\.hdf5 holds no episode.*: the episode's reward is float32 \[9\]"):
        read_episode(unsealed)
    with h5py.File(unsealed, "a") as file:
        del file["action"]
    with pytest.raises(UserError, match=r"old\.hdf5 is damaged or cut short: some of the episode cannot be read"):
        read_summary(unsealed)


def test_hdf5_never_sees_a_sealed_file_that_was_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "changed.hdf5"
    write_episode(path, random_episode(4))
    data = bytearray(path.read_bytes())
    data[-50] ^= 1
    path.write_bytes(data)
    monkeypatch.delattr(h5py, "File")
    for read in (read_episode, read_summary):
        with pytest.raises(UserError, match=r"changed\.hdf5 is damaged: its bytes are not those that were written"):
            read(path)


def _delete(file: h5py.File, name: str) -> None:
    del file[name]


STRANGE: dict[str, Callable[[h5py.File], None]] = {
    "no metadata": lambda file: file.attrs.pop("metadata"),
    "metadata that are no mapping": lambda file: file.attrs.update(metadata="[1]"),
    "metadata that are no text": lambda file: file.attrs.update(metadata=3),
    "metadata nested too deeply": lambda file: file.attrs.update(metadata="[" * 50_000),
    "a group for a dataset": lambda file: (_delete(file, "reward"), file.create_group("reward")),
    "a dataset for a group": lambda file: (_delete(file, "observation"), file.update(observation=1)),
    "a scalar": lambda file: (_delete(file, "action"), file.update(action=np.float32(1))),
    "nothing in a dataset": lambda file: (_delete(file, "action"), file.update(action=h5py.Empty("f4"))),
    "text": lambda file: (_delete(file, "reward"), file.update(reward="one")),
    "a broken link": lambda file: file["observation"].update(wrist=h5py.SoftLink("/nowhere")),
    "more bytes than memory": lambda file: file["observation"].create_dataset(
        "wrist", (10_000_000, 1024, 1024, 3), "u1", chunks=(1, 1024, 1024, 3)
    ),
}


@pytest.mark.parametrize("kind", STRANGE)
def test_contents_that_make_no_sense_are_a_readers_error_and_no_crash(unsealed: Path, kind: str) -> None:
    with h5py.File(unsealed, "a") as file:
        STRANGE[kind](file)
    with pytest.raises(UserError, match=r"old\.hdf5 (is damaged|holds no episode)"):
        read_episode(unsealed)


def test_a_file_of_an_earlier_version_which_has_no_seal_is_read(unsealed: Path) -> None:
    np.testing.assert_array_equal(read_episode(unsealed).action, random_episode(4).action)
    assert decode_metadata(unsealed.read_bytes()) == {"seed": 0}


def test_metadata_are_read_alone_from_an_unbroken_file_only() -> None:
    content = bytearray(encode_episode(random_episode(4)))
    assert decode_metadata(bytes(content)) == {"seed": 0}
    content[-1] ^= 1
    with pytest.raises(UserError, match="is damaged: its bytes are not those that were written"):
        decode_metadata(bytes(content))


def test_an_ordinary_hdf5_reader_opens_a_sealed_file(tmp_path: Path) -> None:
    write_episode(tmp_path / "a.hdf5", random_episode(4))
    assert (tmp_path / "a.hdf5").read_bytes().startswith(b"trailkit: ")
    with h5py.File(tmp_path / "a.hdf5") as file:
        assert file.userblock_size == 512
        np.testing.assert_array_equal(file["action"], random_episode(4).action)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.9999])
def test_a_flipped_bit_is_noticed_wherever_it_is(tmp_path: Path, share: float) -> None:
    path = tmp_path / "flipped.hdf5"
    write_episode(path, random_episode(10)._replace(state=np.ones((11, 5))))
    content = bytearray(path.read_bytes())
    content[int(share * len(content))] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"flipped\.hdf5 is (damaged|cut short)"):
        read_episode(path)


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="no file here is sure to refuse")
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.hdf5").symlink_to("/proc/self/mem")
    with pytest.raises(UserError, match=r"a\.hdf5 cannot be read: Input/output error"):
        read_episode(tmp_path / "a.hdf5")


def test_metadata_that_json_cannot_hold_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="not JSON serializable"):
        write_episode(tmp_path / "a.hdf5", random_episode(4)._replace(metadata={"x": object()}))
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_nothing_behind_and_says_so(tmp_path: Path) -> None:
    # A limit on the size of files stands for the disk: the write fails half-way, as on a full one.
    program = """
import json, resource, sys
from pathlib import Path
from replay_episodes import random_episode
from trailkit.envs.errors import UserError
from trailkit.replay.episode_file import write_episode
folder = Path(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
write_episode(folder / "small.hdf5", random_episode(4))
try:
    write_episode(folder / "large.hdf5", random_episode(400, size=16))
except UserError as error:
    print(json.dumps(str(error)))
"""
    message = json.loads(_run(program, str(tmp_path)))
    assert "cannot write" in message
    assert "free some space" in message
    assert [path.name for path in tmp_path.iterdir()] == ["small.hdf5"]
    assert read_episode(tmp_path / "small.hdf5").length == 4


def _run(program: str, *arguments: str) -> str:
    tests = Path(__file__).parents[1]
    return subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.append({str(tests)!r})\n{program}", *arguments],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
