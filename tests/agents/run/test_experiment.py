"""A grid of trainings, as short as can be: begun, interrupted, gone on with, and compared."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path

import pytest
import torch

from trailkit.agents.run import footprint
from trailkit.agents.run.checkpoint import Checkpoints
from trailkit.agents.run.cli import main
from trailkit.agents.run.configuration import configure
from trailkit.agents.run.experiment import _config, _grid, _read, experiment
from trailkit.agents.run.metrics import read_rows
from trailkit.agents.run.provenance import read_provenance
from trailkit.agents.run.usage import experiments
from trailkit.configs.schema import TrainConfig
from trailkit.envs.errors import UserError

_FILE = """
env: reach
env.height: 32
env.width: 32
env.episode_steps: 20
demos: demos_${env.task}
method: [bc, trail]
discriminator.augment: [true]
seed: [1, 2]
replay: memory
threads: 1
agent.batch_size: 4
actor.random_steps: 20
actor.min_steps: 10
evaluation.every: 10
evaluation.episodes: 2
steps: 10
"""
_RUNS = ["bc_seed1", "bc_seed2", "trail_seed1", "trail_seed2"]


@pytest.fixture
def grid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    words = ["env=reach", "env.height=32", "env.width=32", "env.episode_steps=20"]
    main(["record", "device=scripted", *words, "keep_failures=true", "episodes=2", "out=demos_reach"])
    (tmp_path / "small.yaml").write_text(_FILE)
    return tmp_path


def test_an_experiment_trains_what_is_not_yet_trained_and_compares_all(
    grid: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    experiment(["small.yaml", "seed=1"])
    said = capsys.readouterr().out
    assert "small: 2 of 2: trailkit train env=reach" in said
    assert "'demos=demos_${env.task}'" in said, "quoted, as a shell needs it"
    runs = grid / "runs" / "small"
    assert sorted(path.name for path in runs.iterdir()) == ["bc_seed1", "trail_seed1"]

    main(["experiment", "small.yaml", "out=made"])
    assert [len(read_provenance(runs / name)) for name in _RUNS] == [1, 1, 1, 1]  # a part of a grid is none by itself
    assert sorted(path.name for path in runs.iterdir()) == _RUNS
    table = (grid / "made" / "small.md").read_text()
    assert all(f"| {name} | reach |" in table for name in _RUNS)
    report = json.loads((grid / "made" / "small.json").read_text())
    for run in report["runs"]:
        (began,) = run["provenance"]
        assert re.fullmatch(r"[0-9a-f]{40}\+?", began["commit"])
        assert began["cores"] >= 1
        assert began["libraries"]["torch"]
    assert (grid / "made" / "small.html").exists()

    capsys.readouterr()
    experiment(["small.yaml", "steps=20"])
    assert [len(read_provenance(runs / name)) for name in _RUNS] == [2, 2, 2, 2]
    assert "| bc_seed1 | reach | bc | 1 | 0%" in capsys.readouterr().out
    experiment(["small.yaml", "steps=20"])
    assert [len(read_provenance(runs / name)) for name in _RUNS] == [2, 2, 2, 2]  # there was nothing to do
    for change in ("agent.n_step=7", "evaluation.episodes=3"):
        key = change.split("=")[0]
        with pytest.raises(UserError, match=rf"bc_seed1 was begun with another {key}: move it away"):
            experiment(["small.yaml", "steps=20", change])

    # As an interruption in the last evaluation leaves it.
    (runs / "bc_seed1" / "evaluations" / "000000020" / "eval_info.json").unlink()
    experiment(["small.yaml", "steps=20"])
    assert [len(read_provenance(runs / name)) for name in _RUNS] == [3, 2, 2, 2]
    assert (runs / "bc_seed1" / "evaluations" / "000000020" / "eval_info.json").exists()


def test_mistakes_in_any_run_are_found_before_the_first(grid: Path) -> None:
    with pytest.raises(UserError, match="demos_lift"):
        experiment(["small.yaml", "env=reach,lift"])
    with pytest.raises(UserError, match="holds 2 demonstrations"):
        experiment(["small.yaml", "demo_limit=1,3"])
    with pytest.raises(UserError, match="nowhere"):
        experiment(["small.yaml", "method=bc,trail_random", "random_demos=nowhere"])
    assert not (grid / "runs").exists()


def test_trainings_side_by_side_are_dealt_over_the_gpus(grid: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: dict[str, Sequence[str]] = {}

    def begin(commands: Mapping[Path, Sequence[str]], jobs: int) -> Generator[tuple[Path, int]]:
        started.update({log.stem: words for log, words in commands.items()})
        yield from ()

    monkeypatch.setattr("trailkit.agents.run.experiment.side_by_side", begin)
    monkeypatch.setattr("trailkit.agents.run.experiment.compare", lambda words: None)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    experiment(["small.yaml", "jobs=4", "method=bc,trail"])
    dealt = [next(word for word in words if word.startswith("device=")) for words in started.values()]
    assert dealt == ["device=cuda:0", "device=cuda:1"] * 2
    started.clear()
    experiment(["small.yaml", "jobs=4", "device=cpu"])
    assert all("device=cpu" in words and len({w for w in words if "device" in w}) == 1 for words in started.values())


def test_a_file_may_say_mappings_and_comparisons(grid: Path) -> None:
    said = {
        "env": "gymnasium",
        "env.id": "Pusher-v5",
        "env.kwargs": {"frame_skip": 5},
        "env.success": ["reward>=-1", "reward>=-2"],
        "method": "bc",
        "demos": "nowhere",
    }
    (grid / "own.yaml").write_text(json.dumps({**said, "seed": "range(1,3)"}))
    runs = _grid(_read("own.yaml"), [])
    made = [configure("train", TrainConfig, words) for words in runs.values()]
    assert [(config.env.success, config.seed) for config in made] == [
        *(("reward>=-1", 1), ("reward>=-1", 2), ("reward>=-2", 1), ("reward>=-2", 2)),
    ]
    assert all(config.env.kwargs == {"frame_skip": 5} for config in made)


def test_runs_that_would_have_one_name_are_refused(grid: Path) -> None:
    with pytest.raises(UserError, match="runs of demos=d/1/0 and demos=d/10 would both be called demosd10_bc_seed1: "):
        experiment(["small.yaml", "method=bc", "seed=1", "demos=d/1/0,d/10"])


def test_an_experiment_that_says_how_many_steps_a_try_takes_can_be_asked_for_again(grid: Path) -> None:
    words = ["small.yaml", "method=bc", "seed=1", "env.trial_steps=70"]
    for _ in range(2):
        experiment(words)
    assert len(read_provenance(grid / "runs" / "small" / "bc_seed1")) == 1


@pytest.mark.slow
def test_trainings_side_by_side_share_the_memory(grid: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(footprint, "free_memory", lambda: 1e9)
    with pytest.raises(UserError, match=r"of memory .* and 0\.5 GB are free: lower .*, or jobs=2"):
        experiment(["small.yaml", "seed=1", "jobs=2"])
    assert not (grid / "runs").exists()


def test_trainings_side_by_side_are_those_that_take_turns(grid: Path, capsys: pytest.CaptureFixture[str]) -> None:
    experiment(["small.yaml", "method=trail"])
    (grid / "runs").rename(grid / "before")
    experiment(["small.yaml", "method=trail", "jobs=2"])
    assert "small: trail_seed1: trained for 10 steps" in capsys.readouterr().out
    runs, before = grid / "runs" / "small", grid / "before" / "small"
    assert sorted(path.name for path in runs.iterdir()) == [
        "trail_seed1",
        "trail_seed1.log",
        "trail_seed2",
        "trail_seed2.log",
    ]
    for name in ("trail_seed1", "trail_seed2"):
        learned = _learned(runs / name)
        assert learned and learned == _learned(before / name)
    experiment(["small.yaml", "method=trail", "jobs=2"])
    assert [len(read_provenance(runs / name)) for name in ("trail_seed1", "trail_seed2")] == [1, 1]


@pytest.mark.slow
def test_an_interruption_reaches_all_that_run_side_by_side(grid: Path) -> None:
    command = [sys.executable, "-m", "trailkit.agents.run.cli", "experiment", "small.yaml", "method=bc", "jobs=2"]
    with subprocess.Popen([*command, "steps=1000000"], stdout=subprocess.PIPE, text=True) as program:
        runs = [grid / "runs" / "small" / f"bc_seed{seed}" for seed in (1, 2)]
        while not all((run / "metrics.csv").exists() for run in runs):
            assert program.poll() is None
            time.sleep(0.1)
        program.terminate()
        assert program.wait(60) == 0
    for run in runs:
        assert "go on with: trailkit train resume=" in run.with_suffix(".log").read_text()
        assert Checkpoints(run / "checkpoints").latest() is not None


@pytest.mark.slow
def test_a_run_that_fails_beside_others_is_named(grid: Path, capsys: pytest.CaptureFixture[str]) -> None:
    episode = grid / "demos_reach" / "episode_000001.hdf5"
    content = bytearray(episode.read_bytes())
    content[len(content) // 2] ^= 1
    episode.write_bytes(content)
    with pytest.raises(UserError, match=r"runs/small/bc_seed. could not be trained, see runs/small/bc_seed.\.log"):
        experiment(["small.yaml", "jobs=2"])
    assert re.search(r"small: bc_seed.: trailkit: .*episode_000001.hdf5", capsys.readouterr().out)


def _learned(run: Path) -> list[dict[str, str]]:
    """What the metrics say but of the time that it took."""
    return [
        {name: value for name, value in row.items() if not name.endswith(("seconds", "_per_second", "wait_share"))}
        for row in read_rows(run / "metrics.csv")
    ]


@pytest.mark.parametrize("name", experiments())
def test_the_experiments_that_come_with_trailkit_are_trainings(name: str) -> None:
    runs = _grid(_read(name), [])
    assert len(runs) > 1
    for run, overrides in runs.items():
        _config(run, overrides)


def test_values_that_are_lists_stand_in_lists() -> None:
    runs = _grid({"env.cameras": [["front", "wrist"]], "env.appearance": [[], ["light"]], "minutes": None}, [])
    assert list(runs.values()) == [
        ["env.cameras=[front,wrist]", "env.appearance=[]", "minutes=null"],
        ["env.cameras=[front,wrist]", "env.appearance=[light]", "minutes=null"],
    ]


def test_a_run_that_diverges_does_not_end_the_others(grid: Path, capsys: pytest.CaptureFixture[str]) -> None:
    experiment(["small.yaml", "method=bc", "seed=1", "agent.learning_rate=1e30,1e-3"])
    said = capsys.readouterr()
    assert "bc_seed1_learning_rate1e+30 has diverged" in said.err
    assert "| bc_seed1_learning_rate0.001 | reach | bc | 1 |" in said.out
    experiment(["small.yaml", "method=bc", "seed=1", "agent.learning_rate=1e30,1e-3"])  # what diverged is done
    assert len(read_provenance(grid / "runs" / "small" / "bc_seed1_learning_rate1e+30")) == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], f"name one experiment: {', '.join(experiments())}, or a .yaml file"),
        (["small.yaml", "jobs=0"], "jobs=0: give how many trainings are to run at a time"),
        (["method"], "unknown experiment 'method': did you mean 'methods'"),
        (["none.yaml"], "none.yaml cannot be read: .* No such file"),
        (["bad.yaml"], "bad.yaml cannot be read: .* expected"),
        (["list.yaml"], "list.yaml is no experiment"),
        (["small.yaml", "methd=bc"], "unknown key 'methd'"),
    ],
)
def test_mistakes_are_named(words: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.yaml").write_text("a: [")
    (tmp_path / "list.yaml").write_text("- a")
    (tmp_path / "small.yaml").write_text(_FILE)
    with pytest.raises(UserError, match=message):
        experiment(words)
