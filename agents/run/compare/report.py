"""Writes a page about runs."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from trailkit.agents.run.compare.contests import Contest, summaries
from trailkit.agents.run.compare.curves import Table, diagnostics, logits, read_table, success_curves
from trailkit.agents.run.compare.page import Page, newest_videos
from trailkit.agents.run.compare.runs import Row, Run, by_method
from trailkit.replay.atomic import written_aside


def write_report(path: Path, runs: Sequence[Run], contests: Sequence[Contest]) -> None:
    """Writes a page about runs, and its plots as `NAME_….png` beside it.

    Raises:
        UserError: If a file cannot be written.
    """
    page = Page(", ".join(dict.fromkeys(f"{run.row.method} on {run.row.task}" for run in runs)))
    _say(page, runs, contests)
    page.heading("Results")
    page.table([_cells(run.row) for run in runs])
    tables = {run.row.run: read_table(run.folder) for run in runs}
    for task in dict.fromkeys(run.row.task for run in runs):
        _plot(page, path, task, [run for run in runs if run.row.task == task], tables)
    videos = [
        (f"{run.row.run}, step {int(video.parent.name)}: {video.stem}", video)
        for run in runs
        for video in newest_videos(run.folder)
    ]
    if videos:
        page.heading("Videos")
        page.videos(videos)
    _settings(page, runs)
    with written_aside(path) as aside:
        aside.write_text(str(page))


def _say(page: Page, runs: Sequence[Run], contests: Sequence[Contest]) -> None:
    """Adds the conclusions, which come first."""
    for sentence in [*summaries(runs), *contests]:
        page.paragraph(str(sentence), "verdict")
    said = [(run, sentence) for run in runs for sentence in run.findings]
    for run, sentence in said:
        page.paragraph(f"{run.row.run}: {sentence}.", "finding")
    if not said:
        best = max(runs, key=lambda run: run.row.success).row
        page.paragraph(f"Nothing that has a rule went wrong. {best.run} solves {best.success:.0%} of episodes.", "well")


def _plot(page: Page, path: Path, task: str, runs: Sequence[Run], tables: Mapping[str, Table]) -> None:
    methods = {name: [tables[run.row.run] for run in group] for name, group in by_method(runs).items()}
    each = {run.row.run: tables[run.row.run] for run in runs}
    plots = {
        "success": ("success", success_curves(methods)),
        "diagnostics": ("what tells why", diagnostics(each)),
        "logits": ("what the discriminator says of frames: above 0 they are the expert's", logits(each)),
    }
    called = re.sub(r"[^\w.+-]+", "_", task)  # a task may be named after its domain, with a slash
    for name, (heading, png) in plots.items():
        if png is None:
            continue
        page.heading(f"{task}: {heading}")
        page.picture(png, f"{name} of runs on {task}")
        with written_aside(path.with_name(f"{path.stem}_{called}_{name}.png")) as aside:
            aside.write_bytes(png)


def _settings(page: Page, runs: Sequence[Run]) -> None:
    """Adds the settings in which runs differ."""
    keys = [key for key in runs[0].settings if len({str(run.settings[key]) for run in runs}) > 1]
    if keys:
        page.heading("What the runs differ by")
        page.table([{"setting": key} | {run.row.run: str(run.settings[key]) for run in runs} for key in keys])


def _cells(row: Row) -> dict[str, str]:
    return {
        "run": row.run,
        "success, 95% interval": f"{row.success:.0%} [{100 * row.low:.0f}, {100 * row.high:.0f}] of {row.episodes}",
        "last evaluations": " ".join(f"{share:.0%}" for share in row.last),
        "best": f"{row.best:.0%}",
        "return": f"{row.average_return:.0f}",
        "learner steps": str(row.learner_steps),
        "steps played": str(row.actor_steps),
        "minutes": f"{row.minutes:.1f}",
    }
