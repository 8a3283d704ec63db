"""`trailkit watch`: shows a training in progress, in the terminal.

It neither writes nor locks anything in the run's folder, so the training is not affected.
"""

import itertools
import logging
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.live import Live

from trailkit.agents.policies import GreedyPolicy
from trailkit.agents.run.evaluation.episodes import episode_seed, play
from trailkit.agents.run.evaluation.saved import SavedAgents
from trailkit.agents.run.interruption import interruptible
from trailkit.agents.run.watch.screen import Scene, Screen
from trailkit.agents.run.watch.status import Record
from trailkit.configs.schema import WatchConfig
from trailkit.envs.errors import UserError

_EVERY_S = 0.5  # between display updates: an image is about 80 kB, which a slow connection must transmit
_NICENESS = 19  # the training has priority


def watch(config: WatchConfig) -> None:
    """Shows the state of a run and an episode of its newest policy, until interrupted.

    If standard output is not a terminal, it only prints the state of the run.

    Raises:
        UserError: If there is no such run, all its checkpoints are damaged, or its environment cannot be made.
    """
    record, console = Record(Path(config.run)), Console()
    standing = record.standing()
    if not console.is_terminal or console.is_dumb_terminal:
        print(standing)
        return
    os.nice(_NICENESS)  # before threads are created, which inherit it
    # A warning would garble the display, which itself shows the checkpoint in use.
    logging.disable(logging.WARNING)
    interrupted = threading.Event()
    with interruptible(interrupted):
        saved = SavedAgents(Path(config.run))
        scenes = _scenes(saved, config.seed)
        scene = next(scenes)  # errors appear before the screen is taken over
        with Live(Screen(standing, scene), console=console, screen=True, auto_refresh=False) as live:
            shown = 0.0
            for scene in _in_real_time(scenes, saved.env.control_timestep):
                if interrupted.is_set():
                    break
                if time.monotonic() - shown >= _EVERY_S:
                    shown = time.monotonic()
                    live.update(Screen(record.standing(), scene), refresh=True)
        saved.env.close()


def _scenes(saved: SavedAgents, seed: int) -> Iterator[Scene | None]:
    """Plays forever, each episode with the newest policy at its start; yields after each step.

    It yields None until there is a checkpoint.

    Raises:
        UserError: If all checkpoints are damaged, and there was no valid one before.
    """
    camera = saved.env.settings.observation.cameras[0]
    found: tuple[int, GreedyPolicy] | None = None
    for index in itertools.count():
        while (found := _newest(saved, found)) is None:
            yield None
        checkpoint, policy = found
        solved: list[bool] = []
        for moment in play(saved.env, policy, episode_seed(seed, index)):
            solved.append(moment.solved)
            yield Scene(moment.observation[camera], checkpoint, index, solved, saved.env.settings.episode_steps)


def _newest(saved: SavedAgents, before: tuple[int, GreedyPolicy] | None) -> tuple[int, GreedyPolicy] | None:
    """The newest available policy: the previous one, if there is none any more."""
    try:
        return saved.newest() or before
    except UserError:
        if before is None:
            raise
        return before


def _in_real_time(scenes: Iterator[Scene | None], timestep: float) -> Iterator[Scene | None]:
    """Yields at most one per control step; delays are not caught up on."""
    due = time.monotonic()
    for scene in scenes:
        yield scene
        due = max(due + timestep, time.monotonic())
        time.sleep(max(0.0, due - time.monotonic()))
