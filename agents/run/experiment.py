"""`trailkit experiment`: a grid of trainings that can be resumed, and a comparison of the results."""

import os
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
import yaml

from trailkit.agents.run import build_data
from trailkit.agents.run.compare.command import compare
from trailkit.agents.run.configuration import configure, reads, sweep
from trailkit.agents.run.findings import diverged, late_metrics
from trailkit.agents.run.footprint import refuse_what_cannot_fit
from trailkit.agents.run.going_on import begun, changes, done
from trailkit.agents.run.learning import Diverged
from trailkit.agents.run.side_by_side import side_by_side
from trailkit.agents.run.train import check_ready, resume, start
from trailkit.agents.run.usage import experiments
from trailkit.agents.run.words import text
from trailkit.configs.schema import TrainConfig
from trailkit.envs.errors import UserError, unknown

_GROUPS = ("method", "env", "encoder", "preset")  # their choices name a run without the key


def experiment(words: Sequence[str]) -> None:
    """`trailkit experiment NAME [out=FOLDER] [jobs=N] [key=value ...]`: trains what is missing, then compares all runs.

    NAME is one of `configs/experiment/`, or a file of that form: keys of `trailkit train`, with lists of values where
    there should be a run for each (a value that is itself a list goes inside a list: [[front, wrist]]). Further words
    override the file. Runs go into `runs/NAME/`, their comparison into `results/NAME/` or FOLDER: a table, a page,
    plots, and the numbers as JSON. With jobs=N, N trainings run at a time and share cores and GPUs, each in its own
    process, whose output goes to `runs/NAME/RUN.log`.

    Raises:
        UserError: If there is no such experiment, a run is rejected, or one in its folder has other settings.
    """
    names = [word for word in words if "=" not in word]
    if len(names) != 1:
        raise UserError(f"name one experiment: {', '.join(experiments())}, or a .yaml file")
    own = dict(word.split("=", 1) for word in words if word.startswith(("out=", "jobs=")))
    changes = [word for word in words if "=" in word and word.split("=")[0] not in own]
    name = Path(names[0]).stem
    results = Path(own.get("out", f"results/{name}"))
    jobs = _count(own.get("jobs", "1"))
    runs = {f"runs/{name}/{run}": overrides for run, overrides in _grid(_read(names[0]), changes).items()}
    for run, overrides in runs.items():  # finds mistakes in any run before the first one starts
        check_ready(_config(run, overrides))
        _changes(run, overrides)
    missing = [run for run in runs if not (begun(Path(run)) and done(Path(run), _config(run, runs[run])))]
    for run in missing:
        config = _config(run, runs[run])
        refuse_what_cannot_fit(config, build_data.check_demos(config), Path(run), min(jobs, len(missing)))
    if jobs == 1:
        _train_in_turn(name, runs)
    else:
        _train_side_by_side(name, runs, jobs)
    compare([*runs, f"out={results / name}.md", f"out={results / name}.html"])


def _count(jobs: str) -> int:
    if not jobs.isdecimal() or int(jobs) < 1:
        raise UserError(f"jobs={jobs}: give how many trainings are to run at a time, 1 or more")
    return int(jobs)


def _config(run: str, overrides: Sequence[str]) -> TrainConfig:
    return configure("train", TrainConfig, [*overrides, f"out={run}"])


def _train_in_turn(name: str, runs: Mapping[str, Sequence[str]]) -> None:
    for number, (run, overrides) in enumerate(runs.items(), 1):
        _say(name, number, runs, run)
        try:
            if not begun(Path(run)):
                start([*overrides, f"out={run}"])
            elif not done(Path(run), _config(run, overrides)):
                resume(run, _changes(run, overrides))
        except Diverged as error:  # this is a result, too
            print(error, file=sys.stderr)


def _train_side_by_side(name: str, runs: Mapping[str, Sequence[str]], jobs: int) -> None:
    commands: dict[Path, list[str]] = {}
    for number, (run, overrides) in enumerate(runs.items(), 1):
        _say(name, number, runs, run)
        if not begun(Path(run)):
            words = [*overrides, f"out={run}"]
        elif not done(Path(run), _config(run, overrides)):
            words = [f"resume={run}", *_changes(run, overrides)]
        else:
            continue
        if not any(word.startswith("threads=") for word in overrides):
            words.append(f"threads={max(1, (os.cpu_count() or 1) // jobs)}")
        if (gpus := torch.cuda.device_count()) > 1 and _config(run, overrides).device in ("auto", "cuda"):
            words.append(f"device=cuda:{len(commands) % gpus}")
        commands[Path(f"{run}.log")] = ["train", *words]
    with closing(side_by_side(commands, jobs)) as ended:
        for log, code in ended:
            folder = log.with_suffix("")
            said = log.read_text(encoding="utf-8", errors="replace").splitlines()
            print(f"{name}: {folder.name}: {said[-1] if said else ''}", flush=True)
            if code and not diverged(late_metrics(folder)):
                raise UserError(f"{folder} could not be trained, see {log}; those beside it were interrupted")


def _say(name: str, number: int, runs: Mapping[str, Sequence[str]], run: str) -> None:
    print(f"{name}: {number} of {len(runs)}: trailkit train {shlex.join([*runs[run], f'out={run}'])}", flush=True)


def _changes(run: str, overrides: Sequence[str]) -> list[str]:
    return changes(Path(run), _config(run, overrides), but=("out", "threads", "device")) if begun(Path(run)) else []


def _grid(settings: Mapping[str, Any], changes: Sequence[str]) -> dict[str, list[str]]:
    """The overrides of each run by its name, made of keys with several values in the file, and of others that vary.

    So the runs of a part of a grid have the same names as in the whole grid.

    Raises:
        UserError: If two different runs have the same name.
    """
    words = {key: f"{key}={_swept(key, value)}" for key, value in settings.items()}
    words |= {change.split("=")[0]: change for change in changes}
    several = {key for key, value in settings.items() if isinstance(value, list) and len(value) > 1}
    runs = list(sweep(list(words.values())))
    naming = [
        index
        for index, (key, each) in enumerate(zip(words, zip(*runs, strict=True), strict=True))
        if key in several or len(set(each)) > 1
    ]
    named: dict[str, list[str]] = {}
    for run in runs:
        name = "_".join(_called(run[index]) for index in naming) or "run"
        other = named.setdefault(name, run)
        if differ := [f"{one} and {two}" for one, two in zip(other, run, strict=True) if one != two]:
            raise UserError(f"runs of {', '.join(differ)} would both be called {name}: give them other names")
    return named


def _called(word: str) -> str:
    """The part of a run's name for an override: trail for method=trail, but seed1 for seed=1."""
    key, value = word.split("=", 1)
    called = value if key in _GROUPS else key.split(".")[-1] + value
    return re.sub(r"[^\w.+-]", "", called)


def _swept(key: str, value: Any) -> str:
    """The values of a key in an experiment's file, in the form of a command's word."""
    if value == []:
        raise UserError("a list without values makes no run: a value that is an empty list is written [[]]")
    return ",".join(_text(key, each) for each in value) if isinstance(value, list) else _text(key, value)


def _text(key: str, value: Any) -> str:
    """A value in the form of a command's word; strings are unquoted if Hydra can parse them, such as range(1,4)."""
    match value:
        case str() if reads(f"{key}={value}"):
            return value
        case list() if all(isinstance(each, str) and re.fullmatch(r"[A-Za-z_]\w*", each) for each in value):
            return f"[{','.join(value)}]"
        case _:
            return text(key, value)


def _read(name: str) -> dict[str, Any]:
    if name.endswith((".yaml", ".yml")):
        path: Any = Path(name)
    elif name in experiments():
        path = files("trailkit.configs") / "experiment" / f"{name}.yaml"
    else:
        raise unknown("experiment", name, experiments())
    try:
        found = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise UserError(f"{name} cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(found, dict):
        raise UserError(f"{name} is no experiment: it must have keys of trailkit train and their values")
    return found
