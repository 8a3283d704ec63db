"""Draws what `trailkit bench launch` wrote: environment steps a second by the number of actors.

    PYTHONPATH=tests python -m launch_plot docs/results/launch.json

writes the plot beside the numbers (`.png`).
"""

import json
import sys
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure


def draw(found: dict[str, Any], path: Path) -> None:
    """Draws the rows that compare numbers of actors."""
    sides = [each["ours"] for each in found["measured"] if each["ours"]["name"].endswith(" actors")]
    counts = [int(side["name"].split()[0]) for side in sides]
    rates = [side["value"] for side in sides]
    figure = Figure(figsize=(5, 3.2), layout="constrained")
    axes = figure.subplots()
    axes.plot(counts, rates, marker="o")
    axes.axvline(found["cores"], color="gray", linestyle=":", label=f"{found['cores']} cores")
    axes.set(xscale="log", xlabel="actors", ylabel="environment steps/s", ylim=(0, 1.1 * max(rates)))
    axes.set_xticks(counts, labels=map(str, counts))
    axes.minorticks_off()
    axes.legend()
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    (numbers,) = map(Path, sys.argv[1:])
    draw(json.loads(numbers.read_text()), numbers.with_suffix(".png"))
