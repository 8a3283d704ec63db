"""Summarises what runs left in their folders."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from trailkit.agents.run.build_env import env_settings
from trailkit.agents.run.configuration import flat, load_config
from trailkit.agents.run.demo_snapshot import begun_with
from trailkit.agents.run.findings import findings, late_metrics
from trailkit.agents.run.metrics import rows_by_step
from trailkit.agents.run.statistics import wilson
from trailkit.configs.schema import TrainConfig
from trailkit.envs.errors import UserError

_LAST = 3  # evaluations that show whether a run is stable
# Settings, and groups of them, that do not distinguish methods.
_NO_CHOICE = (
    *("out", "seed", "threads", "device", "checkpoint_every", "keep_checkpoints", "evaluation."),
    *("launch.address", "launch.replay_port", "launch.step_timeout", "launch.answer_timeout", "launch.start_timeout"),
    *("preset", "cuda_graph", "replay.backend", "wandb"),  # of a preset the values tell, and the others change none
)


class Point(NamedTuple):
    """An evaluation of a run's learning curve."""

    learner_steps: int
    actor_steps: int
    success: float  # in [0, 1]


@dataclass(frozen=True)
class Row:
    """The results of one run."""

    run: str
    task: str
    method: str
    seed: int
    demos: int | None  # episodes that it could learn from; None for all
    learner_steps: int
    actor_steps: int
    minutes: float  # of training, including its evaluations
    episodes: int  # in the last evaluation
    success: float  # in the last evaluation, in [0, 1]
    low: float
    high: float
    average_return: float
    best: float  # success in the best evaluation
    last: tuple[float, ...]  # success in the last evaluations, newest last
    curve: tuple[Point, ...] = ()  # every evaluation

    def first_with(self, share: float) -> Point | None:
        """The first evaluation with at least this success, or None if there was none."""
        return next((point for point in self.curve if point.success >= share), None)


@dataclass(frozen=True)
class Run:
    """A run that was evaluated."""

    folder: Path
    row: Row
    settings: Mapping[str, Any]  # what may distinguish its method from others
    outcomes: Mapping[int, bool] = field(repr=False)  # success by the seed of the episode, in the last evaluation
    findings: Sequence[str] = ()  # what went wrong


def read_run(folder: Path) -> Run:
    """Summarises a run from the files in its folder.

    Of the evaluations of the last evaluated step, also those by `trailkit evaluate`, the one with most episodes counts.

    Raises:
        UserError: If it contains no run or no evaluation, or an evaluation is damaged.
    """
    config, metrics = load_config(folder), late_metrics(folder)
    steps = [found for step in sorted(folder.glob("evaluations/" + 9 * "[0-9]")) if (found := _evaluations(step))]
    if not steps:
        said = "".join(f"; {sentence}" for sentence in findings(metrics, config, []))
        raise UserError(f"{folder} has no evaluation yet: trailkit evaluate run={folder} makes one{said}")
    newest = max(steps[-1], key=lambda found: len(found.outcomes))
    interval = wilson(list(newest.outcomes.values()))
    evaluations = [*(found[0] for found in steps[:-1]), newest]
    shares = [found.share for found in evaluations]
    rows = [row for row in rows_by_step(folder / "metrics.csv") if int(row["step"]) <= newest.step]
    if not rows:
        raise UserError(
            f"{folder} has no metrics of step {newest.step}: go on with it by trailkit train resume={folder}"
        )
    clocks = rows[-1]
    row = Row(
        run=folder.resolve().name,
        task=env_settings(config.env).task,
        method=config.method,
        seed=config.seed,
        demos=config.demo_limit,
        learner_steps=int(clocks["step"]),
        actor_steps=int(clocks["actor_steps"]),
        minutes=float(clocks["seconds"]) / 60,
        episodes=len(newest.outcomes),
        success=interval.share,
        low=interval.low,
        high=interval.high,
        average_return=newest.average_return,
        best=max(shares),
        last=tuple(shares[-_LAST:]),
        curve=tuple(
            Point(found[0].step, _actor_steps(rows, found[0].step), share)
            for found, share in zip(steps, shares, strict=True)
        ),
    )
    wrong = findings(metrics, config, shares, [len(found.outcomes) for found in evaluations])
    return Run(folder, row, {**choices(config), "demonstrations": begun_with(folder)}, newest.outcomes, wrong)


def _actor_steps(rows: Sequence[Mapping[str, str]], step: int) -> int:
    """The number of steps played according to the last metrics up to a learner step."""
    return max((int(row["actor_steps"]) for row in rows if int(row["step"]) <= step), default=0)


def by_method(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """Groups runs of one task by method; the names include the settings in which methods of the same name differ."""
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


def choices(config: TrainConfig) -> dict[str, Any]:
    """The settings of a run that may distinguish its method from another's, by key."""
    settings = {key: value for key, value in flat(config).items() if not key.startswith(_NO_CHOICE)}
    for key in ("demos", "random_demos"):  # regardless of where they are stored
        settings[key] = None if settings[key] is None else Path(settings[key]).name
    return settings


@dataclass(frozen=True)
class _Evaluation:
    """One evaluation of a step."""

    step: int
    outcomes: Mapping[int, bool]
    average_return: float

    @property
    def share(self) -> float:
        return sum(self.outcomes.values()) / len(self.outcomes)


def _evaluations(folder: Path) -> list[_Evaluation]:
    """The evaluations of a step in the run's own environment: the training's, and those requested by a user."""
    asked = [path for path in folder.glob("*/eval_info.json") if re.fullmatch(r"seed\d+_episodes\d+", path.parent.name)]
    return [_evaluation(path, int(folder.name)) for path in (*folder.glob("eval_info.json"), *sorted(asked))]


def _evaluation(path: Path, step: int) -> _Evaluation:
    try:
        info = json.loads(path.read_text())
        outcomes = {int(episode["seed"]): bool(episode["success"]) for episode in info["per_episode"]}
        if not outcomes:
            raise ValueError("it has no episode")
        return _Evaluation(step, outcomes, float(info["aggregated"]["avg_sum_reward"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} is damaged: remove it, and evaluate again by trailkit evaluate") from error
