"""The result of a benchmark: two sides, measured alternately in one run, and the claimed ratio."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from trailkit.replay.atomic import written_aside


@dataclass(frozen=True)
class Side:
    """One side of a comparison."""

    name: str
    value: float  # in the comparison's unit


@dataclass(frozen=True)
class Comparison:
    """The measured values, and the claimed ratio."""

    name: str
    unit: str
    ours: Side
    other: Side
    ratio: float
    target: float | None  # None: only for information
    at_least: bool  # whether the ratio should be at least or at most the target

    @property
    def met(self) -> bool:
        """Whether the claim holds."""
        if self.target is None:
            return True
        return self.ratio >= self.target if self.at_least else self.ratio <= self.target


_COLUMNS = ("measured", "", "", "ratio", "target")


def print_comparisons(comparisons: Iterable[Comparison], console: Console | None = None) -> None:
    """Prints a row for each comparison."""
    table = Table(*_COLUMNS, title="trailkit bench")
    for each in comparisons:
        name, ours, other, ratio, bound = _cells(each)
        table.add_row(name, ours, other, f"[{'green' if each.met else 'red'}]{ratio}[/]", bound)
    (console or Console()).print(table)


def markdown(comparisons: Iterable[Comparison]) -> str:
    """The same table as text for a document."""
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (_COLUMNS, ["---"] * 5, *map(_cells, comparisons)))


def write_comparisons(out: Path, comparisons: Sequence[Comparison], about: dict[str, Any]) -> None:
    """Writes the table to `out`, and the numbers with what they describe to a .json file beside it.

    Raises:
        UserError: If they cannot be written.
    """
    numbers = {**about, "measured": [asdict(each) for each in comparisons]}
    for path, text in ((out, markdown(comparisons)), (out.with_suffix(".json"), json.dumps(numbers, indent=1) + "\n")):
        with written_aside(path) as aside:
            aside.write_text(text, encoding="utf-8")


def _cells(each: Comparison) -> Iterator[str]:
    yield each.name
    for side in (each.ours, each.other):
        yield f"{side.name}: {_rounded(side.value)} {each.unit}"
    yield f"{each.ratio:.2f}x"
    yield "" if each.target is None else f"{'≥' if each.at_least else '≤'} {each.target:g}x"


def _rounded(value: float) -> str:
    """The value with four significant figures, without an exponent."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"
