"""Tests of episodes: how they are collected, checked, written and read."""

import json
import subprocess
import sys
from pathlib import Path

import dm_env
import h5py
import numpy as np
import pytest
from replay_episodes import random_episode

from trailkit.envs.errors import UserError
from trailkit.replay.episode import Episode, EpisodeBuilder, check_episode, read_episode, read_summary, write_episode


def observation(t: int) -> dict[str, np.ndarray]:  # type: ignore[type-arg]
    return {"front": np.full((4, 4, 3), t, np.uint8), "proprio": np.full(2, t, np.float32)}


def play(builder: EpisodeBuilder, last: dm_env.TimeStep) -> Episode | None:
    assert builder.add(dm_env.restart(observation(0)), None, False) is None
    assert builder.add(dm_env.transition(1.0, observation(1)), np.full(2, 0.1), False) is None
    return builder.add(last, np.full(2, 0.2), True)


@pytest.mark.parametrize(
    ("last", "discount", "end"),
    [
        (dm_env.termination(2.0, observation(2)), 0.0, "termination"),
        (dm_env.truncation(2.0, observation(2)), 1.0, "truncation"),
    ],
)
def test_the_builder_gives_the_episode_at_its_last_step(last: dm_env.TimeStep, discount: float, end: str) -> None:
    builder = EpisodeBuilder({"seed": 3})
    for _ in range(2):  # the second episode owes nothing to the first
        episode = play(builder, last)
        assert episode is not None
        assert episode.observation["front"][:, 0, 0, 0].tolist() == [0, 1, 2]
        assert episode.observation["proprio"].dtype == np.float32
        np.testing.assert_array_equal(episode.action, np.array([[0.1, 0.1], [0.2, 0.2]], np.float32))
        assert episode.reward.tolist() == [1, 2]
        assert episode.discount.tolist() == [1, discount]
        assert episode.success.tolist() == [False, True]
        assert episode.metadata == {"seed": 3, "end": end}


def test_the_builder_copies_pictures_that_are_drawn_into_one_buffer() -> None:
    builder = EpisodeBuilder()
    buffer = observation(0)
    builder.add(dm_env.restart(buffer), None, False)
    buffer["front"][:] = 9
    episode = builder.add(dm_env.truncation(0.0, buffer), np.zeros(2), False)
    assert episode is not None
    assert episode.observation["front"][:, 0, 0, 0].tolist() == [0, 9]


def test_the_builder_refuses_steps_out_of_order() -> None:
    builder = EpisodeBuilder()
    with pytest.raises(ValueError, match="first time step was not added"):
        builder.add(dm_env.transition(0.0, observation(1)), np.zeros(2), False)
    with pytest.raises(ValueError, match="comes without an action"):
        builder.add(dm_env.restart(observation(0)), np.zeros(2), False)


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


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"action": np.zeros((4, 2), np.float64)}, r"action is float64 \[4, 2\]: it must be float32 \[4, A\]"),
        ({"reward": np.zeros(3, np.float32)}, r"reward is float32 \[3\]: it must be float32 \[4\]"),
        ({"success": np.zeros(4, np.float32)}, r"success is float32"),
        ({"discount": np.full(4, np.nan, np.float32)}, "discount holds values that are not finite"),
        ({"observation": {}}, "no observations"),
        (
            {"observation": {"front": np.zeros((4, 6, 6, 3), np.uint8)}},
            r"'front' is uint8 \[4, 6, 6, 3\], not uint8 \[5",
        ),
        ({"observation": {"front": np.zeros((5, 3, 6, 6), np.uint8)}}, r"not uint8 \[5, H, W, 3\]"),
        ({"observation": {"front": np.zeros((5, 6, 6, 3), np.float32)}}, r"'front' is float32"),
        (
            {"observation": {"proprio": np.zeros((5, 3), np.float64)}},
            r"'proprio' is float64 \[5, 3\], not float32 \[5, P\]",
        ),
        ({"observation": {"proprio": np.full((5, 3), np.inf, np.float32)}}, "proprio holds values that are not finite"),
    ],
)
def test_malformed_episodes_are_named(changes: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        check_episode(random_episode(4)._replace(**changes))  # type: ignore[arg-type]


def test_an_episode_without_steps_is_refused() -> None:
    with pytest.raises(UserError, match="no steps"):
        check_episode(random_episode(1)._replace(**{k: v[:0] for k, v in _steps(random_episode(1)).items()}))


def _steps(episode: Episode) -> dict[str, np.ndarray]:  # type: ignore[type-arg]
    return {name: getattr(episode, name) for name in ("action", "reward", "discount", "success")}


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
    with pytest.raises(UserError, match=r"robomimic\.hdf5 is not an episode of trailkit's"):
        read_episode(tmp_path / "robomimic.hdf5")


def test_a_file_whose_parts_do_not_fit_together_is_named(tmp_path: Path) -> None:
    path = tmp_path / "odd.hdf5"
    write_episode(path, random_episode(4))
    with h5py.File(path, "a") as file:
        del file["reward"]
    with pytest.raises(UserError, match=r"odd\.hdf5 is damaged"):
        read_episode(path)
    with h5py.File(path, "a") as file:
        file["reward"] = np.zeros(9, np.float32)
    with pytest.raises(UserError, match=r"odd\.hdf5: the episode's reward is float32 \[9\]"):
        read_episode(path)
    with h5py.File(path, "a") as file:
        del file["action"]
    with pytest.raises(UserError, match=r"odd\.hdf5 is damaged, it has no actions"):
        read_summary(path)


def test_a_flipped_bit_in_a_picture_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "flipped.hdf5"
    write_episode(path, random_episode(10, size=64))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"flipped\.hdf5 is damaged"):
        read_episode(path)


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
from trailkit.replay.episode import write_episode
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
