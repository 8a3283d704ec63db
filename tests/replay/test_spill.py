"""Tests of the spill: what a killed or cut-short process leaves, replay is filled from."""

import logging
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from replay_episodes import random_episode

from trailkit.envs.errors import UserError
from trailkit.replay.episode_file import read_episode
from trailkit.replay.spill import Spill


def seeds(spill: Spill) -> list[int]:
    return [episode.metadata["seed"] for episode in spill.load()]


def test_episodes_come_back_in_order_after_a_restart(tmp_path: Path) -> None:
    spill = Spill(tmp_path / "replay", max_steps=1000)
    assert spill.count == 0
    for seed in range(12):
        spill.write(random_episode(5, seed))
    again = Spill(tmp_path / "replay", max_steps=1000)
    assert (again.count, again.steps, seeds(again)) == (12, 60, list(range(12)))
    assert again.write(random_episode(5, 12)).name == "episode_00000012.hdf5"


def test_the_oldest_files_beyond_max_steps_are_deleted(tmp_path: Path) -> None:
    spill = Spill(tmp_path, max_steps=20)
    for seed in range(7):
        spill.write(random_episode(6, seed))
    assert seeds(spill) == [4, 5, 6]
    assert len(list(tmp_path.iterdir())) == 3
    again = Spill(tmp_path, max_steps=20)
    again.write(random_episode(8, 7))
    assert (seeds(again), again.count, again.steps) == ([5, 6, 7], 8, 20)
    assert Spill(tmp_path, max_steps=20).total_steps == again.total_steps == 7 * 6 + 8


def test_an_episode_longer_than_max_steps_is_kept(tmp_path: Path) -> None:
    spill = Spill(tmp_path, max_steps=5)
    spill.write(random_episode(9, 1))
    assert seeds(spill) == [1]


def test_a_damaged_file_is_skipped_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    spill = Spill(tmp_path, max_steps=100)
    for seed in range(3):
        last = spill.write(random_episode(5, seed))
    last.write_bytes(last.read_bytes()[:1000])
    with caplog.at_level(logging.WARNING):
        again = Spill(tmp_path, max_steps=100)
    assert "episode_00000002.hdf5 is cut short" in caplog.text
    assert (seeds(again), again.count) == ([0, 1], 3)
    with caplog.at_level(logging.WARNING):
        assert seeds(spill) == [0, 1]


def test_a_spill_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="max_steps is 0"):
        Spill(tmp_path, max_steps=0)


def test_a_writer_killed_at_any_moment_leaves_only_whole_episodes(tmp_path: Path) -> None:
    tests = Path(__file__).parents[1]
    program = f"""
import sys
sys.path.append({str(tests)!r})
from pathlib import Path
from replay_episodes import random_episode
from trailkit.replay.spill import Spill
spill = Spill(Path(sys.argv[1]), max_steps=100_000)
episode = random_episode(60, size=64)
while True:
    spill.write(episode)
    print(spill.count, flush=True)
"""
    rng = np.random.default_rng(0)
    count = 0
    for _ in range(4):
        with subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            written = [int(process.stdout.readline()) for _ in range(3)]
            time.sleep(rng.uniform(0, 0.05))
            process.send_signal(signal.SIGKILL)
            written += [int(line) for line in process.stdout if line.endswith("\n")]
        assert written[0] == count + 1
        spill = Spill(tmp_path, max_steps=100_000)
        # At the most one episode was renamed but not yet told of.
        assert spill.count - written[-1] in (0, 1)
        assert not list(tmp_path.glob(".*"))
        assert [read_episode(path).length for path in tmp_path.iterdir()] == [60] * spill.count
        count = spill.count
