"""The state of a run: its newest metrics, its clocks, and what goes wrong in it."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from trailkit.agents.run.compare.curves import Table, read_table
from trailkit.agents.run.configuration import load_config
from trailkit.agents.run.findings import findings, late_metrics
from trailkit.configs.schema import TrainConfig

# What a user watches while a run is in progress, in groups that are read together.
METRICS = (
    ("eval_success", "episode_success"),
    ("disc_acc", "disc_acc_constraint", "disc_score_known", "disc_score_holdout"),
    ("reward_mean_expert", "reward_mean_agent"),
    ("q_mean", "top_atom_mass", "policy_loss"),
    ("learner_steps_per_second", "samples_per_insert"),
)
_SHARES = ("_success", "disc_", "top_atom_mass")


@dataclass(frozen=True)
class Standing:
    """The state of a run."""

    folder: Path
    config: TrainConfig
    table: Table
    findings: Sequence[str]  # what goes wrong
    changed: float | None  # when its metrics last changed, as `time.time`; None while there are none

    @property
    def title(self) -> str:
        """Method, task and seed of the run."""
        return f"{self.config.method} on {self.config.env.task}, seed {self.config.seed}"

    @property
    def clocks(self) -> tuple[int, int, float]:
        """Learner steps, steps played, minutes of training."""
        if not len(self.table.columns["step"]):
            return 0, 0, 0.0
        step, actor_steps, minutes = (self.table.columns[name][-1] for name in ("step", "actor_steps", "minutes"))
        return int(step), int(actor_steps), float(minutes)

    @property
    def share(self) -> float:
        """How much of the training is done, by steps or by minutes, in [0, 1]."""
        step, _, minutes = self.clocks
        return min(1.0, max(step / max(1, self.config.steps), minutes / (self.config.minutes or float("inf"))))

    def groups(self) -> list[list[str]]:
        """The groups of `METRICS`, with the metrics that the run has."""
        there = [[name for name in group if len(self.table.of(name)[1])] for group in METRICS]
        return [group for group in there if group]

    def newest(self, name: str) -> tuple[int, float]:
        """The newest value of a metric that the run has, and its learner step."""
        known, values = self.table.of(name)
        return int(self.table.columns["step"][known][-1]), float(values[-1])

    def age(self) -> str:
        """How long ago the metrics last changed."""
        if self.changed is None:
            return "no metrics yet"
        seconds = max(0, int(time.time() - self.changed))
        return f"metrics {seconds} s old" if seconds < 120 else f"metrics {seconds // 60} minutes old"

    def __str__(self) -> str:
        step, actor_steps, minutes = self.clocks
        played = f", {actor_steps:,} steps played" if actor_steps else ""
        head = f"{step:,} of {self.config.steps:,} learner steps{played}, {minutes:.1f} minutes, {self.age()}"
        rows = [(name, *self.newest(name)) for group in self.groups() for name in group]
        table = [f"{name:26}{number(value):>8}  at step {at:,}" for name, at, value in rows]
        return "\n".join([f"{self.folder}: {self.title}", head, *table, *self.findings])


class Record:
    """A run's folder while the run is in progress; files are read again when they have changed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: tuple[int, Standing] | None = None

    def standing(self) -> Standing:
        """The current state of the run.

        Raises:
            UserError: If there is no run in the folder.
        """
        path = self._folder / "metrics.csv"
        changed = path.stat().st_mtime_ns if path.exists() else 0
        if self._read is None or self._read[0] != changed:
            self._read = changed, self._standing(changed)
        return self._read[1]

    def _standing(self, changed: int) -> Standing:
        config, table = load_config(self._folder), read_table(self._folder)
        said = findings(late_metrics(self._folder), config, table.of("eval_success")[1].tolist())
        return Standing(self._folder, config, table, said, changed / 1e9 if changed else None)


def limits(name: str) -> tuple[float, float] | None:
    """The range for the curve of a metric that is a share; None for others."""
    return (0.0, 1.0) if any(part in name for part in _SHARES) else None


def number(value: float) -> str:
    """A number with the digits that a person cares about."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
