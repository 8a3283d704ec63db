"""The metrics of a training, as `metrics.csv` and TensorBoard events, across interruptions."""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, NamedTuple, Self, TypeVar

from trailkit.agents.base import Metrics
from trailkit.agents.run.events import EventFile
from trailkit.agents.run.weights_and_biases import WeightsAndBiases
from trailkit.envs.errors import UserError
from trailkit.replay.atomic import sweep_aside, writing, written_aside

_BIN = re.compile(r"(.+)\[(-?[\d.]+)\]")

Value = TypeVar("Value")


class Clocks(NamedTuple):
    """A moment of a training."""

    step: int  # the learner step
    actor_steps: int  # the total steps of all actors
    seconds: float  # the total training time


class MetricsLog:
    """Averages metrics and writes the averages, one row per interval.

    A metric that did not occur in an interval leaves its cell empty; NaN and infinity are written as they are.
    The shares of a histogram are metrics named `name[edge]`, by the lower edges of equally wide bins.
    """

    def __init__(self, folder: Path, wandb: WeightsAndBiases | None = None) -> None:
        """Opens the log of a run's folder, to go on after its last row.

        Args:
            folder: Of the run.
            wandb: What gets the averages, too.

        Raises:
            UserError: If it cannot be written, or holds something else.
        """
        self._path, self._wandb = Path(folder) / "metrics.csv", wandb
        self._columns = _columns(self._path)
        self._sums: dict[str, float] = {}
        self._counts: dict[str, int] = {}
        self._latest: dict[str, float] = {}
        with writing(self._path):
            sweep_aside(self._path)
        self._file = self._rewrite(read_rows(self._path))
        with writing(self._path):
            self._events = EventFile(self._path.parent)

    @property
    def latest(self) -> Mapping[str, float]:
        """The newest written value of each metric."""
        return self._latest

    def add(self, metrics: Metrics) -> None:
        """Adds metrics to the averages of the current interval."""
        for name, value in metrics.items():
            self._sums[name] = self._sums.get(name, 0.0) + float(value)
            self._counts[name] = self._counts.get(name, 0) + 1

    def write(self, step: int, actor_steps: int, seconds: float, values: Metrics | None = None) -> None:
        """Writes a row: either the averages, and starts a new interval, or only the given values.

        Args:
            step: The learner step.
            actor_steps: The total steps of all actors.
            seconds: The total training time.
            values: Metrics that are not averages, such as an evaluation's.

        Raises:
            UserError: If it cannot be written.
        """
        if values is None:
            metrics = {name: total / self._counts[name] for name, total in self._sums.items()}
            self._sums.clear()
            self._counts.clear()
        else:
            metrics = {name: float(value) for name, value in values.items()}
        self._latest |= metrics
        if metrics.keys() - set(self._columns):
            self._file.close()
            own = metrics.keys() | set(self._columns)
            self._columns = [*Clocks._fields, *sorted(own - set(Clocks._fields), key=_place)]
            self._file = self._rewrite(read_rows(self._path))
        with writing(self._path):
            csv.DictWriter(self._file, self._columns, lineterminator="\n").writerow(
                {"step": step, "actor_steps": actor_steps, "seconds": round(seconds, 3), **metrics}
            )
            self._file.flush()
            scalars = {name: value for name, value in metrics.items() if not _BIN.fullmatch(name)}
            self._events.scalars(step, {"actor_steps": actor_steps, "seconds": seconds, **scalars})
            self._events.histograms(step, histograms(metrics))
        if self._wandb is not None:
            self._wandb.scalars(step, {"actor_steps": actor_steps, "seconds": seconds, **scalars})

    def resume(self, step: int) -> None:
        """Continues from a checkpoint: the rows after its step are removed, since they will be written again.

        Raises:
            UserError: If it cannot be written.
        """
        self._file.close()
        self._file = self._rewrite(row for row in read_rows(self._path) if int(row["step"]) <= step)
        with writing(self._path):
            self._events.restart(step + 1)

    def close(self) -> None:
        """Closes the files. A second call does nothing."""
        with writing(self._path):
            self._file.close()
            self._events.close()
        if self._wandb is not None:
            self._wandb.close()
            self._wandb = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _rewrite(self, rows: Iterator[Mapping[str, str]]) -> IO[str]:
        """Replaces the file by one with the current columns and these rows; returns it, open at its end."""
        with written_aside(self._path) as aside, aside.open("w", newline="") as file:
            writer = csv.DictWriter(file, self._columns, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        return self._path.open("a", newline="")


def histograms(values: Mapping[str, Value]) -> dict[str, dict[float, Value]]:
    """The metrics that are shares of histograms, by name and lower edge."""
    found: dict[str, dict[float, Value]] = {}
    for name, value in values.items():
        if bin_ := _BIN.fullmatch(name):
            found.setdefault(bin_[1], {})[float(bin_[2])] = value
    return {name: dict(sorted(shares.items())) for name, shares in found.items()}


def _place(name: str) -> tuple[str, ...] | tuple[str, str, float]:
    """The sort key of columns: histograms come last, with their bins in order."""
    bin_ = _BIN.fullmatch(name)
    return ("~", bin_[1], float(bin_[2])) if bin_ else (name,)


def _columns(path: Path) -> list[str]:
    if not path.exists():
        return list(Clocks._fields)
    with path.open(newline="") as file:
        columns: Sequence[str] = next(csv.reader(file), [])
    if tuple(columns[: len(Clocks._fields)]) != Clocks._fields:
        raise UserError(
            f"{path} is no metrics log: its first columns must be {', '.join(Clocks._fields)}; move it away"
        )
    return list(columns)


def read_rows(path: Path) -> Iterator[dict[str, str]]:
    """The complete rows of `metrics.csv`, if it exists; an incomplete last row is omitted.

    Raises:
        UserError: If it is something else.
    """
    if not path.exists():
        return
    if _columns(path):
        with path.open(newline="") as file:
            lines = (line for line in file if line.endswith("\n"))
            yield from csv.DictReader(lines)


def rows_by_step(path: Path) -> list[dict[str, str]]:
    """The same rows in the order of their learner steps; evaluators, which finish late, write them out of order."""
    return sorted(read_rows(path), key=lambda row: int(row["step"]))
