"""`trailkit experiment`: a grid of trainings that goes on where it was interrupted, and what it came to."""

import re
import sys
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from trailkit.agents.run.checkpoint import Checkpoints
from trailkit.agents.run.compare import compare
from trailkit.agents.run.configuration import configure, sweep
from trailkit.agents.run.learning import Diverged
from trailkit.agents.run.runs import choices
from trailkit.agents.run.train import load_config, resume, start
from trailkit.configs.schema import TrainConfig
from trailkit.envs.errors import UserError, unknown

_GROUPS = ("method", "env", "encoder", "preset")  # whose choices name a run by themselves


def experiment(words: Sequence[str]) -> None:
    """`trailkit experiment NAME [out=FOLDER] [key=value ...]`: trains what is not yet trained, and compares all of it.

    NAME is one of `configs/experiment/`, or a file like these: keys of `trailkit train`, and lists of values where
    there is to be a run for each. Further words replace what it says. Runs go into `runs/NAME/`, their comparison into
    `results/NAME/` or FOLDER: a table, a page, plots, and the numbers as JSON.

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
    for number, (run, overrides) in enumerate(runs.items(), 1):
        print(f"{name}: {number} of {len(runs)}: trailkit train {' '.join(overrides)} out={run}", flush=True)
        try:
            _train(run, overrides)
        except Diverged as error:  # which is a result, too
            print(error, file=sys.stderr)
    compare([*runs, f"out={results / name}.md", f"out={results / name}.html"])


def _train(run: str, overrides: Sequence[str]) -> None:
    """Begins a run, or goes on with it, or leaves it as it is if it is done."""
    words = [*overrides, f"out={run}"]
    if not (Path(run) / "config.yaml").exists():
        start(words)
        return
    config, begun = (choices(each) for each in (configure("train", TrainConfig, words), load_config(Path(run))))
    if keys := [key for key, value in config.items() if value != begun[key] and key != "steps"]:
        raise UserError(f"{run} was begun with another {', '.join(keys)}: move it away, or set that as it was")
    found = Checkpoints(Path(run) / "checkpoints").latest()
    if found is None or found[0] < config["steps"]:
        resume(run, [f"steps={config['steps']}"])


def _grid(settings: Mapping[str, Any], changes: Sequence[str]) -> dict[str, list[str]]:
    """The overrides of each run by its name, which has what differs between the runs."""
    changed = {change.split("=")[0] for change in changes}
    words = [f"{key}={_text(value)}" for key, value in settings.items() if key not in changed]
    runs = list(sweep([*words, *changes]))
    differing = [index for index, each in enumerate(zip(*runs, strict=True)) if len(set(each)) > 1]
    return {"_".join(_called(run[index]) for index in differing) or "run": run for run in runs}


def _called(word: str) -> str:
    """What a run is called for an override: trail for method=trail, but seed1 for seed=1."""
    key, value = word.split("=", 1)
    called = value if key in _GROUPS else key.split(".")[-1] + value
    return re.sub(r"[^\w.+-]", "", called)


def _text(value: Any) -> str:
    """A value of an experiment's file as a word of the command."""
    match value:
        case list():
            return ",".join(map(_text, value))
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
