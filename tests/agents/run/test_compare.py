import csv
import json
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from trailkit.agents.run.cli import main
from trailkit.agents.run.compare import read_row
from trailkit.agents.run.configuration import configure
from trailkit.configs.schema import TrainConfig
from trailkit.envs.errors import UserError


def make_run(folder: Path, shares: list[float], method: str = "trail") -> Path:
    config = configure("train", TrainConfig, ["demos=d", f"method={method}", "seed=2", "demo_limit=25"])
    folder.mkdir()
    OmegaConf.save(OmegaConf.structured(config), folder / "config.yaml")
    with (folder / "metrics.csv").open("w") as file:
        csv.writer(file).writerows([["step", "actor_steps", "seconds"], [400, 1600, 90], [500, 2000, 120]])
    for index, share in enumerate(shares):
        path = folder / "evaluations" / f"{400 - 100 * (len(shares) - index - 1):09d}" / "eval_info.json"
        path.parent.mkdir(parents=True)
        interval = {"share": share, "low": share / 2, "high": 1.0}
        path.write_text(
            json.dumps({"per_episode": [{}] * 50, "aggregated": {"success_once": interval, "avg_sum_reward": 120.0}})
        )
    return folder


def test_a_row_tells_the_end_the_best_and_the_last_three(tmp_path: Path) -> None:
    row = read_row(make_run(tmp_path / "run", [0.2, 1.0, 0.9, 0.8]))
    assert (row.success, row.low, row.high, row.best, row.last) == (0.8, 0.4, 1.0, 1.0, (1.0, 0.9, 0.8))
    assert (row.task, row.method, row.seed, row.demos, row.episodes) == ("lift", "trail", 2, 25, 50)
    assert (row.learner_steps, row.actor_steps, row.minutes) == (400, 1600, 1.5)


def test_the_table_is_printed_and_written_with_its_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [make_run(tmp_path / "b", [0.5]), make_run(tmp_path / "a", [0.7], method="gail")]
    out = tmp_path / "docs" / "table.md"
    main(["compare", *map(str, runs), f"out={out}"])
    lines = capsys.readouterr().out.splitlines()
    assert lines == out.read_text().splitlines()
    assert lines[2].startswith("| lift | gail | 2 | 70% [35, 100] of 50 | 120 |")
    assert [row["method"] for row in json.loads(out.with_suffix(".json").read_text())] == ["gail", "trail"]


def test_a_run_without_an_evaluation_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="run has no evaluation yet"):
        read_row(make_run(tmp_path / "run", []))
