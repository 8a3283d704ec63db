"""Plots of runs: success over steps and time, and diagnostics."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from trailkit.agents.run.metrics import histograms, rows_by_step
from trailkit.agents.run.statistics import interquartile_interval

_CLOCKS = {"actor_steps": "steps played", "step": "learner steps", "minutes": "minutes of training"}
# Metrics that are read together.
_DIAGNOSTICS = {
    "discriminator's accuracy (constraint: 0.5 is wanted)": (
        "disc_acc_expert",
        "disc_acc_agent",
        "disc_acc_constraint",
        "disc_constraint_fired",
    ),
    "mean D (holdout far below known: it memorises)": ("disc_score_known", "disc_score_holdout", "disc_score_agent"),
    "reward a step": ("reward_mean_expert", "reward_mean_agent"),
    "critic": ("q_mean", "target_mean"),
    "targets at the ends of the support": ("top_atom_mass", "bottom_atom_mass"),
    "actions (entropy 0: always the same; saturation 1: all at their limits)": ("action_entropy", "action_saturation"),
    "episodes": ("early_stopped", "episode_success"),
    "steps of an episode": ("episode_length",),
    "losses": ("disc_loss", "critic_loss"),
    "policy's loss": ("policy_loss", "policy_loss_known", "policy_loss_holdout"),
}
_STYLES = ("-", "--", ":", "-.")
_SOURCES = {  # of frames, whose logits have histograms
    "disc_logits_expert": "the expert's frames",
    "disc_logits_agent": "the agent's frames",
    "disc_logits_constraint_expert": "the expert's constraining frames",
    "disc_logits_constraint_agent": "the agent's constraining frames",
}


class Table(NamedTuple):
    """A run's metrics: each an array over the rows, NaN where it was not recorded."""

    columns: Mapping[str, NDArray[np.float64]]

    def of(self, name: str) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
        """The rows that have a metric, and its values in them."""
        values = self.columns.get(name, np.full(len(self.columns["step"]), np.nan))
        known = np.isfinite(values)
        return known, values[known]


def read_table(folder: Path) -> Table:
    """Reads the metrics of a run, which may be in progress; without any, there are no rows."""
    rows = rows_by_step(folder / "metrics.csv")
    names = rows[0] if rows else {"step": "", "actor_steps": "", "seconds": ""}
    columns = {name: np.array([float(row[name] or "nan") for row in rows]) for name in names}
    return Table({**columns, "minutes": columns["seconds"] / 60})


def success_curves(methods: Mapping[str, Sequence[Table]]) -> bytes:
    """Success over each clock, as PNG: for each method, the interquartile mean of its runs and its interval."""
    figure = Figure((12, 3.6), layout="constrained")
    for axes, (clock, label) in zip(figure.subplots(1, len(_CLOCKS)), _CLOCKS.items(), strict=True):
        for number, (method, tables) in enumerate(methods.items()):
            colour = f"C{number}"
            for table in tables:
                known, values = table.of("eval_success")
                thin = {"linewidth": 0.8, "alpha": 0.5} if len(tables) > 1 else {"marker": ".", "label": method}
                axes.plot(table.columns[clock][known], 100 * values, color=colour, **thin)
            if len(tables) > 1:
                _summary(axes, tables, clock, colour, method)
        axes.set(xlabel=label, ylim=(-3, 103))
        axes.grid(alpha=0.3)
    figure.axes[0].set_ylabel("success, %")
    figure.axes[0].legend(loc="best", fontsize=8)
    return _png(figure)


def diagnostics(tables: Mapping[str, Table]) -> bytes | None:
    """Diagnostics of why runs went as they did, over learner steps, as PNG; None if there are none."""
    there = {
        title: [name for name in names if any(len(table.of(name)[1]) for table in tables.values())]
        for title, names in _DIAGNOSTICS.items()
    }
    there = {title: names for title, names in there.items() if names}
    if not there:
        return None
    rows = -(-len(there) // 2)
    figure = Figure((12, 2.8 * rows), layout="constrained")
    several = len(tables) > 1
    colours = dict(zip(tables, colormaps["turbo"](np.linspace(0.05, 0.95, len(tables))), strict=True))
    for axes, (title, names) in zip(np.ravel(figure.subplots(rows, 2, squeeze=False)), there.items(), strict=False):
        for number, (name, style) in enumerate(zip(names, _STYLES, strict=False)):
            for run, table in tables.items():
                known, values = table.of(name)
                colour = colours[run] if several else f"C{number}"
                axes.plot(table.columns["step"][known], values, style, color=colour, linewidth=1)
            axes.plot([], [], style, color="black" if several else f"C{number}", label=name)
        axes.set_title(title, fontsize=9)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=6, loc="upper left")
    for axes in figure.axes[len(there) :]:
        axes.remove()
    if several:
        lines = [Line2D([], [], color=colour, label=run) for run, colour in colours.items()]
        figure.legend(handles=lines, loc="outside upper center", ncols=4, fontsize=7)
    return _png(figure)


def logits(tables: Mapping[str, Table]) -> bytes | None:
    """The discriminator's logits by source of frames, over learner steps, as PNG: one row per run that has them."""
    found = {run: histograms(table.columns) for run, table in tables.items()}
    found = {run: parts for run, parts in found.items() if parts}
    if not found:
        return None
    figure = Figure((12, 2.4 * len(found)), layout="constrained")
    grid = figure.subplots(len(found), len(_SOURCES), squeeze=False, sharey=True)
    for row, (run, parts) in zip(grid, found.items(), strict=True):
        for axes, (name, title) in zip(row, _SOURCES.items(), strict=True):
            if name not in parts:
                axes.remove()
                continue
            shares = np.stack(list(parts[name].values()))
            known = np.isfinite(shares).all(0)
            ends = tables[run].columns["step"][known]
            first, second, *others = parts[name]
            edges = [first, second, *others, others[-1] + second - first]
            # Each row of the metrics covers the steps since the previous one.
            axes.pcolormesh(np.concatenate([[0], ends]), edges, shares[:, known], vmin=0, vmax=0.5, cmap="viridis")
            axes.axhline(0, color="white", linewidth=0.8, linestyle=":")
            axes.set_title(title, fontsize=8)
        row[0].set_ylabel(f"{run}\nlogit of D" if len(found) > 1 else "logit of D", fontsize=7)
    for axes in figure.axes:
        axes.tick_params(labelsize=7)
    return _png(figure)


def _summary(axes: Any, tables: Sequence[Table], clock: str, colour: str, method: str) -> None:
    """The interquartile mean over the runs, at the learner steps at which all of them were evaluated."""
    evaluated = [
        dict(zip(table.columns["step"][known], zip(table.columns[clock][known], values, strict=True), strict=True))
        for table in tables
        for known, values in [table.of("eval_success")]
    ]
    steps = sorted(set.intersection(*(set(each) for each in evaluated)))
    across = [float(np.mean([each[step][0] for each in evaluated])) for step in steps]
    found = [interquartile_interval([[100 * each[step][1] for each in evaluated]]) for step in steps]
    axes.plot(across, [each.share for each in found], color=colour, label=f"{method} ({len(tables)} runs)")
    axes.fill_between(across, [each.low for each in found], [each.high for each in found], color=colour, alpha=0.15)


def _png(figure: Figure) -> bytes:
    for axes in figure.axes:
        axes.xaxis.set_major_formatter(_short)  # full numbers of steps would overlap
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=110)
    return file.getvalue()


def _short(value: float, _: float) -> str:
    return f"{value / 1000:g}k" if value >= 1000 else f"{value:g}"
