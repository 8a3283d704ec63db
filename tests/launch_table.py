"""Measures what processes bring, and writes a table and a plot of it.

    PYTHONPATH=tests python -m launch_table docs/results/launch.md

does what `trailkit bench launch` does, in a quarter of an hour, and writes the numbers and a plot beside the table
(`.json`, `.png`).
"""

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from matplotlib.figure import Figure

from trailkit.agents.run.bench_launch import bench_actors, bench_launch
from trailkit.agents.run.comparison import Comparison


def table(comparisons: list[Comparison]) -> Iterator[str]:
    """A row for each comparison, as Markdown."""
    yield "| measured | | | ratio |"
    yield "|---|---|---|---|"
    for each in comparisons:
        sides = (f"{side.name}: {side.value:,.0f} {each.unit}" for side in (each.ours, each.other))
        yield f"| {each.name} | {' | '.join(sides)} | {each.ratio:.2f}x |"


def draw(actors: list[Comparison], path: Path) -> None:
    """Draws environment steps by the number of actors."""
    counts = [int(each.ours.name.split()[0]) for each in actors]
    rates = [each.ours.value for each in actors]
    figure = Figure(figsize=(5, 3.2), layout="constrained")
    axes = figure.subplots()
    axes.plot(counts, rates, marker="o")
    axes.axvline(os.cpu_count() or 1, color="gray", linestyle=":", label=f"{os.cpu_count()} cores")
    axes.set(xscale="log", xlabel="actors", ylabel="environment steps/s", ylim=(0, 1.1 * max(rates)))
    axes.set_xticks(counts, labels=map(str, counts))
    axes.minorticks_off()
    axes.legend()
    figure.savefig(path, dpi=120)


def main(words: list[str]) -> None:
    """Does as the module says."""
    (out,) = map(Path, words)
    actors, launches = list(bench_actors()), list(bench_launch())
    lines = list(table(actors + launches))
    out.write_text("\n".join(lines) + "\n", encoding="utf-8")
    out.with_suffix(".json").write_text(json.dumps([asdict(each) for each in actors + launches], indent=1) + "\n")
    draw(actors, out.with_suffix(".png"))
    print("\n".join(lines))


if __name__ == "__main__":
    main(sys.argv[1:])
