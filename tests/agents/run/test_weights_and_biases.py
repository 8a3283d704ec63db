"""Metrics that go to Weights & Biases, offline."""

import sys
from pathlib import Path

import pytest

from trailkit.agents.run.metrics import MetricsLog
from trailkit.agents.run.weights_and_biases import WeightsAndBiases
from trailkit.envs.errors import UserError

wandb = pytest.importorskip("wandb")


def test_a_run_goes_there_as_it_goes_here_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    sent, begun = [], []
    real = wandb.init

    def init(**words: object) -> object:
        begun.append((words["project"], words["id"], words["name"], words["config"]))
        run = real(**words)
        monkeypatch.setattr(run, "log", sent.append)
        return run

    monkeypatch.setattr(wandb, "init", init)
    folder = tmp_path / "run"
    folder.mkdir()
    for step in (100, 200):
        with MetricsLog(folder, WeightsAndBiases(folder, "arm", {"agent.gamma": 0.98})) as log:
            log.add({"critic_loss": 2.0, "disc_logits_expert[-4]": 0.5, "disc_logits_expert[0]": 0.5})
            log.write(step, 4 * step, 1.0)
    assert begun[0] == begun[1] == ("arm", (folder / "wandb_run.txt").read_text(), "run", {"agent.gamma": 0.98})
    assert sent == [{"step": step, "actor_steps": 4 * step, "seconds": 1.0, "critic_loss": 2.0} for step in (100, 200)]
    assert wandb.run is None, "it is ended"


def test_who_is_not_logged_in_or_has_no_wandb_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**words: object) -> None:
        raise wandb.errors.UsageError("No API key configured. Use `wandb login` to log in.")

    monkeypatch.setattr(wandb, "init", refuse)
    with pytest.raises(UserError, match=r"^wandb=arm: .*Use `wandb login` to log in.*; or leave wandb= out$"):
        WeightsAndBiases(tmp_path, "arm", {})
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(UserError, match=r"pip install 'trailkit\[wandb\]'"):
        WeightsAndBiases(tmp_path, "arm", {})
