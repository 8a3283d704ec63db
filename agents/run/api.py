"""The command's verbs as functions, for scripts and notebooks: the same keys, with Python values.

Keys are keyword arguments; keys with dots go into a mapping, which comes first:

    run = api.train({"agent.batch_size": 64}, method="trail", env="reach", demos="demos_reach", steps=400)

A user's mistake raises a `UserError`; nothing exits the program. An interrupted run leaves a checkpoint and raises
`KeyboardInterrupt`.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from trailkit.agents.run import train as training
from trailkit.agents.run.compare import command as comparing
from trailkit.agents.run.compare.runs import Row
from trailkit.agents.run.configuration import configure
from trailkit.agents.run.evaluation.command import evaluate_run, evaluate_shifts, render_run
from trailkit.agents.run.evaluation.evaluate import Evaluation
from trailkit.agents.run.evaluation.saved import ALL
from trailkit.agents.run.evaluation.trained_policy import TrainedPolicy
from trailkit.agents.run.evaluation.workers import workers_for
from trailkit.agents.run.record import record_demos
from trailkit.agents.run.words import words
from trailkit.configs.schema import EvaluateConfig, RecordConfig, RenderConfig
from trailkit.envs.errors import UserError

_Keys = Mapping[str, Any]


def record(keys: _Keys | None = None, /, **more: Any) -> Path:
    """`trailkit record`: records demonstrations until there are `episodes`.

    Returns:
        The folder of the demonstrations.

    Raises:
        UserError: For a mistake in the keys; see `trailkit.agents.run.record.record_demos`.
    """
    config = configure("record", RecordConfig, _words(keys, more))
    record_demos(config)
    return Path(config.out)


def train(keys: _Keys | None = None, /, **more: Any) -> Path:
    """`trailkit train`: starts a run and trains to its end.

    Returns:
        The folder of the run.

    Raises:
        UserError: For a mistake in the keys; see `trailkit.agents.run.train.start`.
        KeyboardInterrupt: After a signal; `resume` continues.
    """
    with _as_it_was():
        return training.start(_words(keys, more))


def resume(run: str | os.PathLike[str], keys: _Keys | None = None, /, **more: Any) -> Path:
    """`trailkit train resume=RUN`: continues a run; `steps=` and a few other keys may change.

    Returns:
        The folder of the run.

    Raises:
        UserError: If there is no run to continue; see `trailkit.agents.run.train.resume`.
        KeyboardInterrupt: As for `train`.
    """
    with _as_it_was():
        return training.resume(os.fspath(run), _words(keys, more))


def evaluate(keys: _Keys | None = None, /, **more: Any) -> Evaluation | dict[str, Evaluation]:
    """`trailkit evaluate`: measures a policy's success rate.

    Returns:
        The result of the policy, with `success`, its `interval` and the `episodes`. With `checkpoint="all"`, one per
        checkpoint by its name, such as 000012000; with `suite="shifts"`, one per environment by what differs in it.

    Raises:
        UserError: If there is no such run or checkpoint, or both `checkpoint="all"` and a suite are given.
    """
    config = configure("evaluate", EvaluateConfig, _words(keys, more))
    if config.checkpoint == ALL and config.suite is not None:
        raise UserError("checkpoint=all and suite=shifts: give one of them, or try the checkpoints one by one")
    with _as_it_was(), workers_for(config) as workers:
        if config.suite is not None:
            ((_, found),) = evaluate_shifts(config, workers)
            return found
        found = dict(evaluate_run(config, workers))
    return found if config.checkpoint == ALL else found.popitem()[1]


def render(keys: _Keys | None = None, /, **more: Any) -> list[Path]:
    """`trailkit render`: makes videos of a policy, an animation or a contact sheet.

    Returns:
        The paths of the written files.

    Raises:
        UserError: If there is no such run, checkpoint or camera; see `record_videos`.
    """
    with _as_it_was():
        return render_run(configure("render", RenderConfig, _words(keys, more)))


def policy(run: str | os.PathLike[str], checkpoint: str | int = "last") -> TrainedPolicy:
    """The policy of a run's checkpoint, for your own control loop, such as a robot's.

        policy = api.policy("runs/arm_trail_seed0", "best")
        policy.reset()
        action = policy.in_units(policy.act({"front": picture, "proprio": joints}))

    Args:
        run: The folder of the run.
        checkpoint: A learner step, "last" or "best".

    Raises:
        UserError: If there is no such run or checkpoint, or it is damaged.
    """
    return TrainedPolicy(Path(run), str(checkpoint))


def compare(*runs: str | os.PathLike[str], out: str | os.PathLike[str] | None = None) -> list[Row]:
    """`trailkit compare`: prints runs side by side, and which of them is better.

    Args:
        runs: The folders of the runs.
        out: A page (.html) or a table (.md) to write, if any.

    Returns:
        A row for each run: its success, the ends of its interval, and so on.

    Raises:
        UserError: If no run is named, or none of them was evaluated.
    """
    return comparing.compare_runs([Path(run) for run in runs], [] if out is None else [Path(out)])


def _words(keys: _Keys | None, more: _Keys) -> list[str]:
    return words({**(keys or {}), **more})


@contextmanager
def _as_it_was() -> Iterator[None]:
    """Restores the process's number of torch threads, and never exits the process."""
    threads = torch.get_num_threads()
    try:
        yield
    except SystemExit:  # an interrupted command raises it in order not to continue
        raise KeyboardInterrupt from None
    finally:
        torch.set_num_threads(threads)
