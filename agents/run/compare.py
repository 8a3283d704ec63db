"""`trailkit compare`: runs side by side, as a table in Markdown and JSON."""

import csv
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from trailkit.agents.run.train import load_config
from trailkit.envs.errors import UserError
from trailkit.replay.atomic import written_aside

_LAST = 3  # evaluations that say whether a run is stable


@dataclass(frozen=True)
class Row:
    """What one run came to."""

    run: str
    task: str
    method: str
    seed: int
    demos: int | None  # episodes that it was allowed to learn from; None for all
    learner_steps: int
    actor_steps: int
    minutes: float  # of training, its evaluations included
    episodes: int  # in the last evaluation
    success: float  # in the last evaluation, in [0, 1]
    low: float
    high: float
    average_return: float
    best: float  # success in the best evaluation
    last: tuple[float, ...]  # success in the last evaluations, the newest at the end


def read_row(folder: Path) -> Row:
    """Sums up a run from what it left in its folder.

    Raises:
        UserError: If it holds no run, or none that was evaluated.
    """
    config = load_config(folder)
    evaluations = sorted(folder.glob("evaluations/[0-9]*/eval_info.json"))
    if not evaluations:
        raise UserError(f"{folder} has no evaluation yet: train it for longer than evaluation.every steps")
    aggregated = [json.loads(path.read_text())["aggregated"] for path in evaluations]
    newest = json.loads(evaluations[-1].read_text())
    interval = aggregated[-1]["success_once"]
    step = int(evaluations[-1].parent.name)
    with (folder / "metrics.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if int(row["step"]) <= step]
    if not rows:
        raise UserError(f"{folder} has no metrics of step {step}: go on with it by trailkit train resume={folder}")
    clocks = rows[-1]
    return Row(
        run=folder.name,
        task=config.env.task,
        method=config.method,
        seed=config.seed,
        demos=config.demo_limit,
        learner_steps=int(clocks["step"]),
        actor_steps=int(clocks["actor_steps"]),
        minutes=float(clocks["seconds"]) / 60,
        episodes=len(newest["per_episode"]),
        success=interval["share"],
        low=interval["low"],
        high=interval["high"],
        average_return=aggregated[-1]["avg_sum_reward"],
        best=max(each["success_once"]["share"] for each in aggregated),
        last=tuple(each["success_once"]["share"] for each in aggregated[-_LAST:]),
    )


def compare(words: Sequence[str]) -> None:
    """`trailkit compare RUN... [out=TABLE.md]`: prints the table, and writes it and its JSON.

    Raises:
        UserError: If no run is named, or one holds nothing to compare.
    """
    outs = [word.removeprefix("out=") for word in words if word.startswith("out=")]
    runs = [word for word in words if "=" not in word]
    if not runs or len(outs) + len(runs) != len(words):
        raise UserError("name the runs to compare: trailkit compare RUN... [out=TABLE.md]")
    rows = sorted((read_row(Path(run)) for run in runs), key=lambda row: (row.task, row.method, row.seed))
    text = table(rows)
    print(text, end="")
    if outs:
        path = Path(outs[-1])
        with written_aside(path) as aside:
            aside.write_text(text)
        with written_aside(path.with_suffix(".json")) as aside:
            aside.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n")


def table(rows: Sequence[Row]) -> str:
    """The rows as a table in Markdown."""
    lines = [
        "| task | method | seed | success, 95% interval | return | last evaluations | best | learner steps "
        "| actor steps | minutes |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row.task} | {row.method} | {row.seed} "
        f"| {row.success:.0%} [{100 * row.low:.0f}, {100 * row.high:.0f}] of {row.episodes} "
        f"| {row.average_return:.0f} | {' '.join(f'{share:.0%}' for share in row.last)} | {row.best:.0%} "
        f"| {row.learner_steps} | {row.actor_steps} | {row.minutes:.1f} |"
        for row in rows
    ]
    return "\n".join(lines) + "\n"
