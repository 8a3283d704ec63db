"""Distributed trainings on this machine, and what becomes of them when processes die."""

import csv
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from trailkit.agents.run.checkpoint import Checkpoints
from trailkit.agents.run.cli import main
from trailkit.replay.spill import Spill

pytest.importorskip("ray")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

_ENV = ["env=reach", "env.height=36", "env.width=36", "env.episode_steps=20"]
_SHORT = [
    *_ENV,
    *("method=trail", "discriminator.crop=32", "agent.batch_size=4", "actor.random_steps=40", "threads=1"),
    *("replay.samples_per_insert=2", "evaluation.every=100", "evaluation.episodes=2", "checkpoint_every=50"),
    *("launch=ray", "launch.actors=2", "launch.answer_timeout=6"),
]


@pytest.fixture(scope="module")
def demos(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = str(tmp_path_factory.mktemp("demos") / "scripted")
    main(["record", *_ENV, "episodes=3", "keep_failures=true", f"out={folder}"])
    return folder


@pytest.fixture
def launched() -> Iterator[Callable[[list[str]], subprocess.Popen[bytes]]]:
    """Starts the command in a process group of its own, which the test leaves nothing of."""
    begun: list[subprocess.Popen[bytes]] = []

    def launch(words: list[str]) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "trailkit.agents.run.cli", "train", *words]
        begun.append(subprocess.Popen(command, start_new_session=True))
        return begun[-1]

    yield launch
    for process in begun:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


def process_of(role: str, program: subprocess.Popen[bytes]) -> int | None:
    """A process of a role, among the descendants of the program."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            command = (path / "cmdline").read_bytes().decode()
            session = int((path / "stat").read_text().rsplit(")", 1)[1].split()[3])
        except (OSError, UnicodeDecodeError):
            continue
        if re.match(rf"ray::{role}\b", command) and session == program.pid:
            found.append(int(path.name))
    return min(found, default=None)


def wait_until(condition: Callable[[], object], program: subprocess.Popen[bytes], seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert program.poll() is None, "the training ended by itself"
        assert time.monotonic() < deadline
        time.sleep(0.1)


def newest(folder: Path) -> int:
    return max((int(path.name) for path in (folder / "checkpoints").glob("[0-9]*") if path.suffix == ""), default=0)


@pytest.mark.parametrize("words", [["replay=memory"], pytest.param(["replay=reverb"], marks=pytest.mark.reverb)])
def test_a_program_plays_learns_and_evaluates(
    words: list[str], demos: str, tmp_path: Path, launched: Callable[[list[str]], subprocess.Popen[bytes]]
) -> None:
    folder = tmp_path / "run"
    program = launched([*_SHORT, *words, f"demos={demos}", "steps=200", f"out={folder}"])
    assert program.wait(600) == 0
    last = [row for row in rows(folder) if row["samples_per_insert"]][-1]
    assert int(last["step"]) == 200
    # 200 batches of 4 at two samples an insert need 400 steps; 40 come before, and one episode may be ahead.
    assert 400 <= int(last["actor_steps"]) <= 540
    assert float(last["weights_age"]) <= 100
    assert sorted(path.name for path in (folder / "evaluations").iterdir()) == ["000000100", "000000200"]
    assert newest(folder) == 200
    assert Spill(folder / "replay", 10**6).total_steps >= int(last["actor_steps"])
    policies = [episode.metadata["policy"] for episode in Spill(folder / "replay", 10**6).load()]
    assert policies[:2] == ["random", "random"]
    assert policies[-1] == "trail"
    assert {episode.metadata["actor"] for episode in Spill(folder / "replay", 10**6).load()} == {0, 1}


@pytest.mark.reverb
def test_any_process_may_be_killed_or_stopped(
    demos: str, tmp_path: Path, launched: Callable[[list[str]], subprocess.Popen[bytes]]
) -> None:
    folder = tmp_path / "run"
    program = launched([*_SHORT, "replay=reverb", f"demos={demos}", "steps=100000", f"out={folder}"])
    wait_until(lambda: newest(folder) >= 50, program)
    for how in (signal.SIGKILL, signal.SIGSTOP):
        for role in ("ActorRole", "ReplayRole", "LearnerRole", "EvaluatorRole"):
            wait_until(lambda role=role: process_of(role, program), program)  # type: ignore[misc]
            victim = process_of(role, program)
            assert victim is not None
            before = newest(folder)
            os.kill(victim, how)
            wait_until(lambda before=before: newest(folder) > before + 50, program)  # type: ignore[misc]
    program.terminate()
    assert program.wait(40) == 0
    spill = Spill(folder / "replay", 10**6)
    played = [(episode.metadata["actor"], episode.metadata["index"]) for episode in spill.load()]
    assert len(set(played)) == len(played) == spill.count  # none twice
    for actor in (0, 1):
        numbers = sorted(index for number, index in played if number == actor)
        assert numbers == list(range(len(numbers)))  # and none missing
    steps = [int(row["step"]) for row in rows(folder) if row["learner_steps_per_second"]]
    assert steps == list(range(100, steps[-1] + 1, 100))
    found = Checkpoints(folder / "checkpoints").latest()
    assert found is not None
    assert found[0] >= steps[-1]


def test_an_actor_that_cannot_play_ends_the_program_with_its_error(
    demos: str, tmp_path: Path, launched: Callable[[list[str]], subprocess.Popen[bytes]]
) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    for path in Path(demos).iterdir():
        (broken / path.name).write_bytes(path.read_bytes())
    next(broken.glob("*.hdf5")).write_bytes(b"")
    program = launched([*_SHORT, f"demos={broken}", "steps=100", f"out={tmp_path / 'run'}"])
    assert program.wait(120) == 2


def test_too_few_resources_are_named(demos: str, tmp_path: Path) -> None:
    words = [*_SHORT, f"demos={demos}", "launch.learner_gpus=4", f"out={tmp_path / 'run'}"]
    command = [sys.executable, "-m", "trailkit.agents.run.cli", "train", *words]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 2
    assert "the roles need 4 GPUs and Ray has" in result.stderr
    assert not (tmp_path / "run").exists()
