"""What `trailkit doctor` says of this machine, and of one where something is missing."""

import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from arm import Arm

from trailkit.agents.run.cli import main
from trailkit.agents.run.configuration import configure
from trailkit.agents.run.doctor import Check, Finding, checks, environment, examine, places
from trailkit.configs.schema import LaunchConfig, TrainConfig
from trailkit.envs.external.environment import ExternalEnvironment
from trailkit.envs.settings import EnvSettings, External, ObservationSettings, Origin

pytestmark = pytest.mark.slow


def test_it_finds_what_the_tests_themselves_need(capsys: pytest.CaptureFixture[str]) -> None:
    main(["doctor", "env=reach"])
    lines = capsys.readouterr().out.splitlines()
    assert not [line for line in lines if line.startswith("FAIL")]
    assert any(line.startswith("ok   simulator: MuJoCo") for line in lines)
    assert any("draws 64x64 pictures" in line for line in lines)
    assert any(line.startswith("ok   environment: reach plays: front [64, 64, 3], proprio [") for line in lines)
    assert lines[-1].startswith("note memory and disk: give demos=DIR")


def test_a_failure_comes_with_the_line_that_mends_it() -> None:
    missing = Check("pictures", "draw", "apt-get install this", environment={"MUJOCO_GL": "disabled"})
    finding = examine(missing)
    assert finding.state == "FAIL"
    assert finding.text.startswith("no headless OpenGL")
    assert finding.text.endswith("; apt-get install this")


def test_an_environment_that_breaks_its_promises_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = ObservationSettings(("above",), proprioception=False)
    arm = EnvSettings("arm:Arm-v0", observation=seen, external=External(Origin.GYMNASIUM))
    assert environment(arm).text == "arm:Arm-v0 plays: above [64, 64, 3]; actions of 1, 20 a second"
    nowhere = environment(replace(arm, task="arm:Leg-v0"))
    assert (nowhere.state, nowhere.name) == ("FAIL", "environment")
    monkeypatch.setattr(ExternalEnvironment, "solved", 1)
    assert environment(arm) == Finding("FAIL", "environment", "arm:Arm-v0: solved must be a bool")


def test_a_mistake_in_a_users_environment_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def step(*_: object) -> None:
        raise KeyError("elbow")

    seen = ObservationSettings(("above",), proprioception=False)
    monkeypatch.setattr(Arm, "step", step)
    finding = environment(EnvSettings("arm:Arm-v0", observation=seen, external=External(Origin.GYMNASIUM)))
    assert finding == Finding("FAIL", "environment", "arm:Arm-v0: KeyError: 'elbow'")


def test_what_a_run_does_without_is_only_noted() -> None:
    needed = {check.name: check.needed for check in checks(configure("train", TrainConfig, ["replay=memory"]))}
    assert not needed["Reverb"]
    assert not needed["Ray"]
    assert not needed["GPU"]
    words = ["launch=ray", "replay=reverb", "device=cuda"]
    needed = {check.name: check.needed for check in checks(configure("train", TrainConfig, words))}
    assert needed["Reverb"] and needed["Ray"] and needed["GPU"]


def test_the_processes_of_a_run_are_compared_with_the_cores_and_gpus() -> None:
    launch = LaunchConfig(actors=3, learner_gpus=1)
    assert places(launch, cores=4, gpus=1).state == "ok"
    crowded = places(launch, cores=2, gpus=1)
    assert crowded.state == "note"
    assert "3 actors ask for 4 cores and 1 GPUs, and there are 2 and 1" in crowded.text
    assert places(launch, cores=4, gpus=0).state == "FAIL"


def test_the_exit_code_tells_that_something_failed() -> None:
    command = [sys.executable, "-m", "trailkit.agents.run.cli", "doctor", "device=cuda"]
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    result = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    assert result.returncode == 1
    assert "FAIL GPU: torch" in result.stdout
