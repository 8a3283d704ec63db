"""`trailkit experiment`: a grid of trainings that goes on where it was interrupted, and what it came to."""

import re
import sys
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from trailkit.agents.run import build
from trailkit.agents.run.checkpoint import Checkpoints
from trailkit.agents.run.compare import compare
from trailkit.agents.run.configuration import CHANGEABLE, configure, load_config, sweep
from trailkit.agents.run.findings import diverged, late_metrics
from trailkit.agents.run.learning import Diverged, evaluation_file
from trailkit.agents.run.runs import flat
from trailkit.agents.run.train import resume, start
from trailkit.configs.schema import LaunchKind, TrainConfig
from trailkit.envs.errors import UserError, unknown

_GROUPS = ("method", "env", "encoder", "preset")  # whose choices name a run by themselves


def experiment(words: Sequence[str]) -> None:
    """`trailkit experiment NAME [out=FOLDER] [key=value ...]`: trains what is not yet trained, and compares all of it.

    NAME is one of `configs/experiment/`, or a file like these: keys of `trailkit train`, and lists of values where
    there is to be a run for each (a value that is a list itself stands in a list: [[front, wrist]]). Further words
    replace what it says. Runs go into `runs/NAME/`, their comparison into `results/NAME/` or FOLDER: a table, a page,
    plots, and the numbers as JSON.

    Raises:
        UserError: If there is no such experiment, a run is refused, or one in its folder has other settings.
    """
    names = [word for word in words if "=" not in word]
    if len(names) != 1:
        raise UserError(f"name one experiment: {', '.join(_known())}, or a .yaml file")
    outs = [word.removeprefix("out=") for word in words if word.startswith("out=")]
    changes = [word for word in words if "=" in word and not word.startswith("out=")]
    name = Path(names[0]).stem
    results = Path(outs[-1] if outs else f"results/{name}")
    runs = {f"runs/{name}/{run}": overrides for run, overrides in _grid(_read(names[0]), changes).items()}
    for run, overrides in runs.items():  # mistakes in any of them are found before the first
        build.check_demos(_config(run, overrides))
        _changes(run, overrides)
    for number, (run, overrides) in enumerate(runs.items(), 1):
        print(f"{name}: {number} of {len(runs)}: trailkit train {' '.join(overrides)} out={run}", flush=True)
        try:
            _train(run, overrides)
        except Diverged as error:  # which is a result, too
            print(error, file=sys.stderr)
    compare([*runs, f"out={results / name}.md", f"out={results / name}.html"])


def _config(run: str, overrides: Sequence[str]) -> TrainConfig:
    return configure("train", TrainConfig, [*overrides, f"out={run}"])


def _train(run: str, overrides: Sequence[str]) -> None:
    """Begins a run, or goes on with it, or leaves it as it is if it is done."""
    if not _begun(run):
        start([*overrides, f"out={run}"])
    elif not _done(Path(run), _config(run, overrides)):
        resume(run, _changes(run, overrides))


def _begun(run: str) -> bool:
    return (Path(run) / "config.yaml").exists()


def _changes(run: str, overrides: Sequence[str]) -> list[str]:
    """The settings by which a run is to go on otherwise than it began, as words for `resume`.

    Raises:
        UserError: If some of them make it another run.
    """
    if not _begun(run):
        return []
    config, begun = flat(_config(run, overrides)), flat(load_config(Path(run)))
    changed = [key for key, value in config.items() if value != begun[key] and key not in ("out", "threads", "device")]
    if others := [key for key in changed if key not in CHANGEABLE]:
        raise UserError(f"{run} was begun with another {', '.join(others)}: move it away, or set that as it was")
    return [f"{key}={_text(config[key])}" for key in changed]


def _done(run: Path, config: TrainConfig) -> bool:
    """Whether a run came to its end, its last evaluation included, or diverged."""
    if diverged(late_metrics(run)):
        return True
    found = Checkpoints(run / "checkpoints").latest()
    if found is None:
        return False
    step, state = found
    if config.minutes is not None and state["seconds"] >= 60 * config.minutes:
        return True
    evaluates = config.launch.kind is LaunchKind.inline or config.launch.evaluators > 0
    owed = evaluates and config.steps % config.evaluation.every == 0 and not evaluation_file(run, config.steps).exists()
    return step >= config.steps and not owed


def _grid(settings: Mapping[str, Any], changes: Sequence[str]) -> dict[str, list[str]]:
    """The overrides of each run by its name, which has what differs between the runs."""
    changed = {change.split("=")[0] for change in changes}
    words = [f"{key}={_swept(value)}" for key, value in settings.items() if key not in changed]
    runs = list(sweep([*words, *changes]))
    differing = [index for index, each in enumerate(zip(*runs, strict=True)) if len(set(each)) > 1]
    return {"_".join(_called(run[index]) for index in differing) or "run": run for run in runs}


def _called(word: str) -> str:
    """What a run is called for an override: trail for method=trail, but seed1 for seed=1."""
    key, value = word.split("=", 1)
    called = value if key in _GROUPS else key.split(".")[-1] + value
    return re.sub(r"[^\w.+-]", "", called)


def _swept(value: Any) -> str:
    """The values of a key in an experiment's file, as a word of the command says them."""
    if value == []:
        raise UserError("a list without values makes no run: a value that is an empty list is written [[]]")
    return ",".join(map(_text, value)) if isinstance(value, list) else _text(value)


def _text(value: Any) -> str:
    match value:
        case list():
            return f"[{','.join(map(_text, value))}]"
        case bool() | None:
            return {True: "true", False: "false", None: "null"}[value]
        case _:
            return str(value)


def _read(name: str) -> dict[str, Any]:
    if name.endswith((".yaml", ".yml")):
        path: Any = Path(name)
    elif name in _known():
        path = files("trailkit.configs") / "experiment" / f"{name}.yaml"
    else:
        raise unknown("experiment", name, _known())
    try:
        found = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise UserError(f"{name} cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(found, dict):
        raise UserError(f"{name} is no experiment: it must have keys of trailkit train and their values")
    return found


def _known() -> list[str]:
    folder = files("trailkit.configs") / "experiment"
    return sorted(path.name.removesuffix(".yaml") for path in folder.iterdir() if path.name.endswith(".yaml"))
