"""`trailkit doctor`: what works on this machine, how to fix the rest, and whether a run fits."""

import os
import platform
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import torch
from rich.console import Console

from trailkit.agents.run import build_data
from trailkit.agents.run.build_env import env_settings
from trailkit.agents.run.configuration import configure
from trailkit.agents.run.footprint import footprint
from trailkit.configs.choices import LaunchKind, ReplayBackend
from trailkit.configs.schema import LaunchConfig, TrainConfig
from trailkit.envs import gl
from trailkit.envs.errors import UserError
from trailkit.envs.imports import one_line
from trailkit.envs.make import make_environment
from trailkit.envs.settings import EnvSettings
from trailkit.envs.testing import check_environment

_LONGEST_S = 120.0
_COLOURS = {"ok": "green", "note": "yellow", "FAIL": "red"}


@dataclass(frozen=True)
class Check:
    """Something to test, and what its failure means."""

    name: str
    probe: str
    mend: str  # what to do if it fails
    needed: bool = True
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Finding:
    """The result of a check."""

    state: str  # "ok", "note" or "FAIL"
    name: str
    text: str


def doctor(words: Sequence[str]) -> bool:
    """Prints a line for each finding as soon as it is available.

    Args:
        words: Overrides of a training that should run here: its environment is tested, and with `demos=` its memory and
            disk requirements are checked.

    Returns:
        Whether nothing failed that such a training needs.

    Raises:
        UserError: For a mistake in the words.
    """
    config = configure("train", TrainConfig, words)
    console = Console()
    well = True
    for finding in _findings(config):
        well &= finding.state != "FAIL"
        console.print(f"[{_COLOURS[finding.state]}]{finding.state:5}[/]", end="")
        console.print(f"{finding.name}: {finding.text}", markup=False, highlight=False, soft_wrap=True)
    return well


def checks(config: TrainConfig) -> list[Check]:
    """What a training needs, and what would be useful."""
    reverb = build_data.replay_backend(config) is ReplayBackend.reverb
    return [
        Check("simulator", "simulate", "pip install --force-reinstall -c requirements.lock trailkit"),
        Check("pictures", "draw", gl.MEND),
        *(Check(f"pictures by {name}", "draw", gl.MEND, False, {"MUJOCO_GL": name}) for name in gl.BACKENDS),
        Check("Reverb", "reverb", "use Python 3.11 on Linux, or replay=memory", needed=reverb),
        Check("Ray", "ray", "pip install 'trailkit[ray]'", needed=config.launch.kind is LaunchKind.ray),
        Check(
            *("GPU", "gpu", "learning is on the CPU; with an NVIDIA GPU, install the CUDA build of torch"),
            needed=config.device.startswith("cuda"),
        ),
        Check("video", "video", "pip install 'imageio[ffmpeg]'", needed=False),
    ]


def examine(check: Check) -> Finding:
    """Runs the check in its own process."""
    command = [sys.executable, "-m", "trailkit.agents.run.probes", check.probe]
    environment = {**os.environ, **check.environment}
    try:
        tried = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=_LONGEST_S, check=False
        )
    except subprocess.TimeoutExpired:
        return Finding("FAIL" if check.needed else "note", check.name, f"no answer in {_LONGEST_S:.0f} s; {check.mend}")
    if tried.returncode == 0:
        return Finding("ok", check.name, tried.stdout.strip().splitlines()[-1])
    why = (tried.stderr.strip().splitlines() or [f"ended with {tried.returncode}"])[-1]
    return Finding("FAIL" if check.needed else "note", check.name, f"{why}; {check.mend}")


def places(launch: LaunchConfig, cores: int, gpus: int) -> Finding:
    """Whether this machine has what `launch` requests from Ray: too few cores are slower, but GPUs must exist."""
    wanted = launch.learner_cpus + launch.actors * launch.actor_cpus
    asked = f"a learner and {launch.actors} actors ask for {wanted:g} cores and {launch.learner_gpus:g} GPUs"
    there = f"{asked}, and there are {cores} and {gpus}"
    if launch.learner_gpus > gpus:
        return Finding("FAIL", "processes", f"{there}; lower launch.learner_gpus")
    if wanted > cores:
        return Finding("note", "processes", f"{there}: they take turns, and fewer launch.actors play more")
    return Finding("ok", "processes", there)


def environment(settings: EnvSettings) -> Finding:
    """Whether the training's environment can be made, and fulfils what trailkit relies on."""
    try:
        with closing(make_environment(settings)) as env:
            check_environment(env)
            seen = ", ".join(f"{name} {list(spec.shape)}" for name, spec in env.observation_spec().items())
            actions = f"actions of {env.action_spec().shape[0]}, {1 / env.control_timestep:.4g} a second"
    except (UserError, AssertionError) as error:
        return Finding("FAIL", "environment", f"{settings.task}: {' '.join(str(error).split())}")
    except Exception as error:  # anything can go wrong in an external environment
        return Finding("FAIL", "environment", f"{settings.task}: {one_line(error)}")
    return Finding("ok", "environment", f"{settings.task} plays: {seen}; {actions}")


def _findings(config: TrainConfig) -> Iterator[Finding]:
    memory = psutil.virtual_memory().total / 1e9
    system = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"
    yield Finding("ok", "machine", f"{system}, {os.cpu_count()} cores, {memory:.1f} GB of memory")
    for check in checks(config):
        yield examine(check)
    yield environment(env_settings(config.env))
    if config.launch.kind is LaunchKind.ray and config.launch.address is None:
        yield places(config.launch, os.cpu_count() or 1, torch.cuda.device_count())
    if config.demos is None:
        yield Finding("note", "memory and disk", "give demos=DIR, to compare what a run needs with what there is")
        return
    if config.launch.address is not None:
        yield Finding("note", "memory and disk", "on which machines the processes will be is Ray's to decide")
        return
    for need in footprint(config, build_data.check_demos(config)).needs(Path(config.out)):
        yield Finding("ok" if need.met else "FAIL", need.name, str(need))
