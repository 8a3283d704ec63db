"""Resuming runs: whether they have started, which settings may change, and whether they are done."""

from collections.abc import Collection, Sequence
from pathlib import Path

from trailkit.agents.run.best import evaluation_file
from trailkit.agents.run.checkpoint import Checkpoints
from trailkit.agents.run.configuration import CHANGEABLE, configure, flat, load_config
from trailkit.agents.run.findings import diverged, late_metrics
from trailkit.agents.run.train import resume, start
from trailkit.agents.run.words import text
from trailkit.configs.choices import LaunchKind
from trailkit.configs.schema import AMPLE, TrainConfig
from trailkit.envs.errors import UserError


def start_or_resume(words: Sequence[str]) -> Path:
    """`trailkit train resume=auto …`: starts a run, resumes it if it has started, and does nothing if it is done.

    Args:
        words: Overrides, as `start` takes them; the run's folder is `out`.

    Returns:
        The run's folder.

    Raises:
        UserError: Like `start` and `resume`, or if the run was started with other settings.
    """
    config = configure("train", TrainConfig, words)
    run = Path(config.out)
    if not begun(run):
        return start(words)
    changed = changes(run, config)
    if done(run, config):
        print(f"{run} is done; evaluate with: trailkit evaluate run={run}")
        return run
    return resume(str(run), changed)


def begun(run: Path) -> bool:
    """Whether a folder contains a run."""
    return (run / "config.yaml").exists()


def changes(run: Path, config: TrainConfig, but: Collection[str] = ("out",)) -> list[str]:
    """The settings that change when a run is resumed, as words for `resume`.

    Args:
        run: The folder of the run.
        config: Its new settings.
        but: Settings that remain as they were.

    Raises:
        UserError: If some of them would make it a different run.
    """
    wanted, had = flat(config), flat(load_config(run))
    if wanted["env.trial_steps"] == AMPLE:  # read back as None; actor.min_steps has the resulting value
        wanted["env.trial_steps"] = None
    changed = [key for key, value in wanted.items() if value != had[key] and key not in but]
    if others := [key for key in changed if key not in CHANGEABLE]:
        raise UserError(f"{run} was begun with another {', '.join(others)}: move it away, or set that as it was")
    return [f"{key}={text(key, wanted[key])}" for key in changed]


def done(run: Path, config: TrainConfig) -> bool:
    """Whether a run has finished, including its last evaluation, or diverged."""
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
