"""Distributed trainings on this machine, and what becomes of them when processes die."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import chaos
import pytest
from omegaconf import OmegaConf

from trailkit.agents.run.checkpoint import Checkpoints
from trailkit.agents.run.cli import main
from trailkit.agents.run.configuration import configure
from trailkit.configs.schema import TrainConfig
from trailkit.replay.spill import Spill

pytest.importorskip("ray")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

_ENV = ["env=reach", "env.height=36", "env.width=36", "env.episode_steps=20", "env.trial_steps=5"]
_SHORT = [
    *_ENV,
    *("method=trail", "agent.batch_size=4", "actor.random_steps=40", "threads=1"),
    *("replay.samples_per_insert=2", "evaluation.every=100", "evaluation.episodes=2", "checkpoint_every=50"),
    *("launch=ray", "launch.actors=2", "launch.answer_timeout=6"),
]


@pytest.fixture(scope="module")
def demos(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = str(tmp_path_factory.mktemp("demos") / "scripted")
    main(["record", "device=scripted", *_ENV, "episodes=3", "keep_failures=true", f"out={folder}"])
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


def wait_until(condition: Callable[[], object], program: subprocess.Popen[bytes], seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert program.poll() is None, "the training ended by itself"
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.parametrize("words", [["replay=memory"], pytest.param(["replay=reverb"], marks=pytest.mark.reverb)])
def test_a_program_plays_learns_and_evaluates(
    words: list[str], demos: str, tmp_path: Path, launched: Callable[[list[str]], subprocess.Popen[bytes]]
) -> None:
    folder = tmp_path / "run"
    program = launched([*_SHORT, *words, f"demos={demos}", "steps=200", f"out={folder}"])
    assert program.wait(600) == 0
    last = [row for row in chaos.rows(folder) if row["samples_per_insert"]][-1]
    assert int(last["step"]) == 200
    # 200 batches of 4 at two samples an insert need 400 steps; 40 come before, and one episode may be ahead.
    assert 400 <= int(last["actor_steps"]) <= 540
    # Counted when the row is written, 50 steps after an episode came on average. Each actor has two under way, of ten
    # steps' worth: 40 steps more, and half the 25 from one publication to the next.
    assert float(last["weights_age"]) <= 150
    assert sorted(path.name for path in (folder / "evaluations").iterdir()) == ["000000100", "000000200"]
    assert chaos.newest_checkpoint(folder) == 200
    assert Spill(folder / "replay", 10**6).total_steps >= int(last["actor_steps"])
    policies = [episode.metadata["policy"] for episode in Spill(folder / "replay", 10**6).load()]
    assert policies[:2] == ["random", "random"]
    assert policies[-1] == "trail"
    assert {episode.metadata["actor"] for episode in Spill(folder / "replay", 10**6).load()} == {0, 1}


def test_a_run_goes_from_one_process_to_many_and_back(
    demos: str, tmp_path: Path, launched: Callable[[list[str]], subprocess.Popen[bytes]]
) -> None:
    folder = tmp_path / "run"
    inline = [word for word in _SHORT if not word.startswith("launch")]
    for words in (
        [*inline, "replay=memory", f"demos={demos}", "steps=50", f"out={folder}"],
        [f"resume={folder}", "launch=ray", "launch.actors=2", "steps=100"],
        [f"resume={folder}", "launch=inline", "steps=150"],
    ):
        assert launched(words).wait(300) == 0
    assert chaos.newest_checkpoint(folder) == 150
    assert [int(row["step"]) for row in chaos.rows(folder) if row["disc_loss"]] == [50, 100, 150]
    played = [episode.metadata for episode in Spill(folder / "replay", 10**6).load()]
    assert {each["actor"] for each in played} == {0, 1}
    assert len({each["seed"] for each in played}) == len(played)


@pytest.mark.reverb
def test_any_process_may_be_killed_or_stopped(
    demos: str, tmp_path: Path, launched: Callable[[list[str]], subprocess.Popen[bytes]]
) -> None:
    folder = tmp_path / "run"
    program = launched([*_SHORT, "replay=reverb", f"demos={demos}", "steps=100000", f"out={folder}"])
    wait_until(lambda: chaos.newest_checkpoint(folder) >= 100, program)
    strikes = []
    for how in (signal.SIGKILL, signal.SIGSTOP):
        for pair in (("ActorRole", "LearnerRole"), ("ReplayRole", "EvaluatorRole")):
            before = chaos.newest_checkpoint(folder)
            for role in pair:
                one = chaos.strike(role, how, program, folder)
                assert one is not None
                strikes.append(one)
            wait_until(lambda before=before: chaos.newest_checkpoint(folder) > before + 50, program)  # type: ignore[misc]
    os.killpg(program.pid, signal.SIGTERM)  # Ray's processes, too, as a shell's `kill %1` and systemd do
    assert program.wait(40) == 0
    assert chaos.faults(folder, 10**6, strikes, checkpoint_every=50) == []
    found = Checkpoints(folder / "checkpoints").latest()
    assert found is not None
    assert found[0] >= chaos.learner_steps(folder)
    restarts = [float(row["restarts"]) for row in chaos.rows(folder) if row["restarts"]]
    assert max(restarts) >= 4  # the last may not be in a row yet


_FRAGILE = """
import sys
if any("default_worker" in word for word in sys.orig_argv):
    import random, time
    from trailkit.envs.tasks.environment import TaskEnvironment
    step, began = TaskEnvironment.step, []
    fate, limit = random.choice(["crash", "stall"]), random.uniform(25, 35)
    def fragile(self, action):
        began.append(time.monotonic())
        if began[-1] - began[0] >= limit:
            if fate == "crash":
                raise RuntimeError("the simulation became unstable")
            time.sleep(10**6)
        return step(self, action)
    TaskEnvironment.step = fragile
"""


@pytest.mark.reverb
def test_environments_may_crash_and_stall(
    demos: str,
    tmp_path: Path,
    launched: Callable[[list[str]], subprocess.Popen[bytes]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "sitecustomize.py").write_text(_FRAGILE)  # which each process imports as it starts
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    folder = tmp_path / "run"
    program = launched([*_SHORT, f"demos={demos}", "steps=100000", "launch.step_timeout=5", f"out={folder}"])
    logs = [folder / "logs" / f"actor_{number}.log" for number in (0, 1)]

    def lives() -> list[int]:
        return [path.read_text().count("started as process") if path.exists() else 0 for path in logs]

    wait_until(lambda: sum(lives()) >= 7, program, 600)
    wait_until(lambda: any("became unstable" in path.read_text() for path in logs), program, 600)
    steps = chaos.learner_steps(folder)
    wait_until(lambda: chaos.learner_steps(folder) > steps, program)
    program.terminate()
    assert program.wait(40) == 0
    assert chaos.faults(folder, 10**6, [], checkpoint_every=50) == []


def test_a_role_that_keeps_failing_ends_the_program_with_its_error(
    demos: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        _FRAGILE.replace("random.uniform(25, 35)", "0").replace("stall", "crash")
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    words = [*_SHORT, f"demos={demos}", "steps=100000", f"out={tmp_path / 'run'}"]
    result = train(words, 400)
    assert result.returncode == 2
    last = result.stderr.strip().splitlines()[-1]
    assert re.match(
        r"trailkit: actor \d failed 6 times, .*RuntimeError: the simulation became unstable \(see .*actor_\d.log\)",
        last,
    )


def train(words: list[str], seconds: float = 120) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "trailkit.agents.run.cli", "train", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)


def test_damaged_demonstrations_end_the_program_in_one_line(demos: str, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(demos, broken)
    damaged = max(broken.glob("*.hdf5"))
    damaged.write_bytes(b"")
    result = train([*_SHORT, f"demos={broken}", "steps=100", f"out={tmp_path / 'run'}"])
    assert result.returncode == 2
    assert damaged.name in result.stderr.strip().splitlines()[-1]


def test_demonstrations_of_another_task_are_refused_before_anything_starts(demos: str, tmp_path: Path) -> None:
    result = train([*_SHORT, "env=lift", f"demos={demos}", "steps=100", f"out={tmp_path / 'run'}"])
    assert result.returncode == 2
    assert "are of another environment" in result.stderr
    assert not (tmp_path / "run").exists()


def test_too_few_resources_are_named(demos: str, tmp_path: Path) -> None:
    result = train([*_SHORT, f"demos={demos}", "launch.learner_gpus=4", f"out={tmp_path / 'run'}"])
    assert result.returncode == 2
    assert "the roles need 4 GPUs and Ray has" in result.stderr
    assert not (tmp_path / "run").exists()


def test_an_address_without_ray_is_named(demos: str, tmp_path: Path) -> None:
    result = train([*_SHORT, f"demos={demos}", "launch.address=127.0.0.1:1", f"out={tmp_path / 'run'}"])
    assert result.returncode == 2
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("trailkit:")]
    assert "no Ray at launch.address=127.0.0.1:1" in line
    assert not (tmp_path / "run").exists()


def test_an_address_of_something_else_is_named(demos: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        result = train([*_SHORT, f"demos={demos}", f"launch.address={address}", f"out={tmp_path / 'run'}"])
    assert result.returncode == 2
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("trailkit:")]
    assert f"no Ray at launch.address={address}: nothing there answers like it" in line
    assert not (tmp_path / "run").exists()


@pytest.mark.reverb
def test_a_port_in_use_is_named(demos: str, tmp_path: Path) -> None:
    with socket.create_server(("", 0)) as server:
        port = server.getsockname()[1]
        words = [*_SHORT, "replay=reverb", f"demos={demos}", f"launch.replay_port={port}", f"out={tmp_path / 'run'}"]
        result = train(words)
    assert result.returncode == 2
    assert f"Reverb cannot listen on port {port}: Address already in use" in result.stderr.splitlines()[-1]


def unbegun(demos: str, folder: Path) -> Path:
    """A run that ended before its first checkpoint."""
    config = configure("train", TrainConfig, [*_SHORT, f"demos={demos}", "steps=4", f"out={folder}"])
    folder.mkdir()
    OmegaConf.save(OmegaConf.structured(config), folder / "config.yaml")
    return folder


def test_a_run_that_ended_before_its_first_checkpoint_begins_when_it_is_gone_on_with(
    demos: str, tmp_path: Path
) -> None:
    folder = unbegun(demos, tmp_path / "run")
    assert train([f"resume={folder}"]).returncode == 0
    assert chaos.newest_checkpoint(folder) == 4


def test_a_run_of_which_every_checkpoint_is_damaged_is_left_alone(demos: str, tmp_path: Path) -> None:
    folder = unbegun(demos, tmp_path / "run")
    damaged = folder / "checkpoints" / "000000050" / "manifest.json"
    damaged.parent.mkdir(parents=True)
    damaged.touch()
    result = train([f"resume={folder}"])
    assert result.returncode == 2
    assert str(folder) in result.stderr.splitlines()[-1]
    assert damaged.exists()
