"""`trailkit compare`: runs side by side, which of them is better, and what went wrong."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from trailkit.agents.run.compare.contests import Contest, contests, summaries
from trailkit.agents.run.compare.report import write_report
from trailkit.agents.run.compare.runs import Row, Run, read_run
from trailkit.agents.run.provenance import read_provenance
from trailkit.envs.errors import UserError
from trailkit.replay.atomic import written_aside

_USAGE = "name the runs to compare: trailkit compare RUN... [out=NAME.html]"


def compare(words: Sequence[str]) -> None:
    """`trailkit compare RUN... [out=NAME.md|.html]`: prints a table and verdicts, and writes them.

    A name that ends in .md gets them as printed, with a .json beside it; one that ends in .html gets a page with plots
    and videos, with the plots as PNG beside it.

    Raises:
        UserError: If no run is named, none contains anything to compare, or the file has another suffix.
    """
    outs = [Path(word.removeprefix("out=")) for word in words if word.startswith("out=")]
    folders = [word for word in words if not word.startswith("out=")]
    if wrong := [word for word in folders if "=" in word and not Path(word).is_dir()]:
        raise UserError(f"{wrong[0]!r} is no folder of a run; {_USAGE}")
    compare_runs([Path(folder) for folder in folders], outs)


def compare_runs(folders: Sequence[Path], outs: Sequence[Path] = ()) -> list[Row]:
    """Does what `compare` says, and returns the rows of the table.

    Raises:
        UserError: As `compare` does.
    """
    if not folders:
        raise UserError(_USAGE)
    for out in outs:
        if out.suffix not in (".md", ".html"):
            raise UserError(f"out={out}: name a page (.html) or a table (.md)")
    each_once = list({folder.resolve(): folder for folder in folders}.values())  # else one would count as two seeds
    runs = _with_names_of_their_own(_read(each_once))
    runs.sort(key=lambda run: (run.row.task, run.row.method, run.row.seed))
    found = list(contests(runs))
    said = [f"{run.row.run}: {sentence}" for run in runs for sentence in run.findings]
    text = table([run.row for run in runs])
    text += "".join(f"\n{sentence}\n" for sentence in [*summaries(runs), *found, *said])
    print(text, end="")
    for out in outs:
        if out.suffix == ".html":
            write_report(out, runs, found)
        else:
            _write_table(out, text, runs, found)
    return [run.row for run in runs]


def table(rows: Sequence[Row]) -> str:
    """The rows as a table in Markdown."""
    lines = [
        "| run | task | method | seed | success, 95% interval | return | last evaluations | best | learner steps "
        "| actor steps | minutes |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row.run} | {row.task} | {row.method} | {row.seed} "
        f"| {row.success:.0%} [{100 * row.low:.0f}, {100 * row.high:.0f}] of {row.episodes} "
        f"| {row.average_return:.0f} | {' '.join(f'{share:.0%}' for share in row.last)} | {row.best:.0%} "
        f"| {row.learner_steps} | {row.actor_steps} | {row.minutes:.1f} |"
        for row in rows
    ]
    return "\n".join(lines) + "\n"


def _read(folders: Sequence[Path]) -> list[Run]:
    """The runs that can be compared; prints what is wrong with the others, or raises it if no run can be compared."""
    runs, errors = [], []
    for folder in folders:
        try:
            runs.append(read_run(folder))
        except UserError as error:
            errors.append(error)
    if not runs:
        raise errors[0]
    for each in errors:
        print(f"left out: {each}", file=sys.stderr)
    return runs


def _with_names_of_their_own(runs: list[Run]) -> list[Run]:
    """Names runs by their paths, if their folders' names are not unique."""
    if len({run.row.run for run in runs}) == len(runs):
        return runs
    return [replace(run, row=replace(run.row, run=str(run.folder))) for run in runs]


def _write_table(path: Path, text: str, runs: Sequence[Run], found: Sequence[Contest]) -> None:
    report = {
        "runs": [
            {**asdict(run.row), "findings": run.findings, "provenance": read_provenance(run.folder)} for run in runs
        ],
        "verdicts": [{**asdict(contest), "word": contest.verdict.word} for contest in found],
    }
    with written_aside(path) as aside:
        aside.write_text(text)
    with written_aside(path.with_suffix(".json")) as aside:
        aside.write_text(json.dumps(report, indent=2) + "\n")
