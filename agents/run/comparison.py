"""What a benchmark measured: two sides, taken in turns in one run, and the ratio that is claimed."""

from collections.abc import Iterable
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Side:
    """One side of a comparison."""

    name: str
    value: float  # in the comparison's unit


@dataclass(frozen=True)
class Comparison:
    """What was measured, and the ratio that is claimed."""

    name: str
    unit: str
    ours: Side
    other: Side
    ratio: float
    target: float | None  # None: measured for information
    at_least: bool  # whether the ratio should be at least or at most the target

    @property
    def met(self) -> bool:
        """Whether the claim holds."""
        if self.target is None:
            return True
        return self.ratio >= self.target if self.at_least else self.ratio <= self.target


def print_comparisons(comparisons: Iterable[Comparison], console: Console | None = None) -> None:
    """Prints a row for each comparison."""
    table = Table("measured", "", "", "ratio", "target", title="trailkit bench")
    for each in comparisons:
        sides = (f"{side.name}: {side.value:.4g} {each.unit}" for side in (each.ours, each.other))
        bound = "" if each.target is None else f"{'≥' if each.at_least else '≤'} {each.target:g}x"
        style = "green" if each.met else "red"
        table.add_row(each.name, *sides, f"[{style}]{each.ratio:.2f}x[/]", bound)
    (console or Console()).print(table)
