"""`trailkit compare`: runs side by side, which of them is better, and what went wrong, in Markdown and JSON."""

import csv
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from trailkit.agents.run.findings import findings, late_metrics
from trailkit.agents.run.statistics import Verdict, compare_methods, compare_policies, wilson
from trailkit.agents.run.train import load_config
from trailkit.configs.schema import TrainConfig
from trailkit.envs.errors import UserError
from trailkit.replay.atomic import written_aside

_LAST = 3  # evaluations that say whether a run is stable
# Settings, and groups of them, that tell no method from another.
_NO_CHOICE = ("out", "seed", "threads", "device", "minutes", "checkpoint_every", "keep_checkpoints", "evaluation.")


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


@dataclass(frozen=True)
class Run:
    """A run that was evaluated."""

    row: Row
    settings: Mapping[str, Any]  # what may tell its method from others
    outcomes: Mapping[int, bool] = field(repr=False)  # success by the seed of the episode, in the last evaluation
    findings: Sequence[str] = ()  # what went wrong


@dataclass(frozen=True)
class Contest:
    """Two contenders of one task, and which is better."""

    task: str
    first: str
    second: str
    verdict: Verdict

    def __str__(self) -> str:
        return f"{self.task}: {self.first} against {self.second}: {self.verdict}"


def read_run(folder: Path) -> Run:
    """Sums up a run from what it left in its folder.

    Of evaluations of the last step, `trailkit evaluate`'s among them, the one of the most episodes counts.

    Raises:
        UserError: If it holds no run, or none that was evaluated.
    """
    config = load_config(folder)
    evaluations = sorted(folder.glob("evaluations/[0-9]*/eval_info.json"))
    if not evaluations:
        raise UserError(f"{folder} has no evaluation yet: train it for longer than evaluation.every steps")
    shares = [json.loads(path.read_text())["aggregated"]["success_once"]["share"] for path in evaluations]
    newest = max(_evaluations(evaluations[-1].parent), key=lambda info: len(info["per_episode"]))
    outcomes = {episode["seed"]: bool(episode["success"]) for episode in newest["per_episode"]}
    interval = wilson(list(outcomes.values()))
    step = int(evaluations[-1].parent.name)
    with (folder / "metrics.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if int(row["step"]) <= step]
    if not rows:
        raise UserError(f"{folder} has no metrics of step {step}: go on with it by trailkit train resume={folder}")
    clocks = rows[-1]
    row = Row(
        run=folder.name,
        task=config.env.task,
        method=config.method,
        seed=config.seed,
        demos=config.demo_limit,
        learner_steps=int(clocks["step"]),
        actor_steps=int(clocks["actor_steps"]),
        minutes=float(clocks["seconds"]) / 60,
        episodes=len(outcomes),
        success=interval.share,
        low=interval.low,
        high=interval.high,
        average_return=newest["aggregated"]["avg_sum_reward"],
        best=max(*shares, interval.share),
        last=(*shares[-_LAST:-1], interval.share),
    )
    return Run(row, _settings(config), outcomes, findings(late_metrics(folder), config, shares))


def compare(words: Sequence[str]) -> None:
    """`trailkit compare RUN... [out=TABLE.md]`: prints the table and the verdicts, and writes them and their JSON.

    Raises:
        UserError: If no run is named, or one holds nothing to compare.
    """
    outs = [word.removeprefix("out=") for word in words if word.startswith("out=")]
    folders = [word for word in words if "=" not in word]
    if not folders or len(outs) + len(folders) != len(words):
        raise UserError("name the runs to compare: trailkit compare RUN... [out=TABLE.md]")
    runs = [read_run(Path(folder)) for folder in folders]
    runs.sort(key=lambda run: (run.row.task, run.row.method, run.row.seed))
    found = list(contests(runs))
    text = table([run.row for run in runs]) + "".join(f"\n{contest}\n" for contest in found)
    text += "".join(f"\n{run.row.run}: {sentence}\n" for run in runs for sentence in run.findings)
    print(text, end="")
    if outs:
        path = Path(outs[-1])
        with written_aside(path) as aside:
            aside.write_text(text)
        report = {
            "runs": [{**asdict(run.row), "findings": run.findings} for run in runs],
            "verdicts": [{**asdict(contest), "word": contest.verdict.word} for contest in found],
        }
        with written_aside(path.with_suffix(".json")) as aside:
            aside.write_text(json.dumps(report, indent=2) + "\n")


def contests(runs: Sequence[Run]) -> Iterator[Contest]:
    """Compares each method with the best one of its task, or the runs with the best one where there is one method.

    Runs that differ in their seeds alone are of one method. Methods are compared over seeds where both have several
    runs, which says something of the method; else only the policies at hand are.
    """
    for task in sorted({run.row.task for run in runs}):
        methods = _methods([run for run in runs if run.row.task == task])
        contenders = methods if len(methods) > 1 else {run.row.run: [run] for run in next(iter(methods.values()))}
        best = max(
            contenders, key=lambda name: sum(run.row.success for run in contenders[name]) / len(contenders[name])
        )
        for other in contenders:
            if other != best:
                yield Contest(task, best, other, _verdict(contenders[best], contenders[other]))


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


def _verdict(ours: Sequence[Run], others: Sequence[Run]) -> Verdict:
    if len(ours) > 1 and len(others) > 1:
        one, other = ([list(run.outcomes.values()) for run in runs] for runs in (ours, others))
        return compare_methods(one, other)
    if len(ours) == len(others) == 1:
        return compare_policies(ours[0].outcomes, others[0].outcomes)
    return compare_policies(_pooled(ours, 0), _pooled(others, 1))


def _pooled(runs: Sequence[Run], side: int) -> dict[tuple[int, ...], bool]:
    """The episodes of several runs, which make no pairs with those of one."""
    return {(side, number, seed): solved for number, run in enumerate(runs) for seed, solved in run.outcomes.items()}


def _methods(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """Runs of one task by their method, whose name has the settings by which it differs from its namesakes."""
    groups: dict[str, list[list[Run]]] = {}
    for run in runs:
        namesakes = groups.setdefault(run.row.method, [])
        for group in namesakes:
            if group[0].settings == run.settings:
                group.append(run)
                break
        else:
            namesakes.append([run])
    named = {}
    for method, namesakes in groups.items():
        for group in namesakes:
            named[" ".join([method, *_differences(group[0], namesakes)])] = group
    return named


def _differences(run: Run, namesakes: Sequence[Sequence[Run]]) -> list[str]:
    return [
        f"{key}={value}"
        for key, value in run.settings.items()
        if any(group[0].settings[key] != value for group in namesakes)
    ]


def _settings(config: TrainConfig) -> dict[str, Any]:
    """What may tell a run's method from another's."""
    settings = dict(_flat(OmegaConf.to_container(OmegaConf.structured(config), enum_to_str=True)))
    settings = {key: value for key, value in settings.items() if not key.startswith(_NO_CHOICE)}
    for key in ("demos", "random_demos"):  # wherever they lie
        settings[key] = None if settings[key] is None else Path(settings[key]).name
    return settings


def _flat(node: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in node.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def _evaluations(step: Path) -> list[dict[str, Any]]:
    """Those of a step in the run's own environment: the training's, and those that a person asked for."""
    asked = [path for path in step.glob("*/eval_info.json") if re.fullmatch(r"seed\d+_episodes\d+", path.parent.name)]
    return [json.loads(path.read_text()) for path in (step / "eval_info.json", *asked)]
