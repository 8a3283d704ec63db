"""`trailkit evaluate` and `trailkit render`: what a run's checkpoints are worth, and what they look like."""

import csv
import time
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import track

from trailkit.agents.run.evaluate import Evaluation
from trailkit.agents.run.explain import explain, references
from trailkit.agents.run.saved import ALL, SavedAgents, checkpoints
from trailkit.agents.run.train import load_config
from trailkit.agents.run.video import View, record_videos
from trailkit.agents.run.workers import Workers, workers_here
from trailkit.configs.schema import EvaluateConfig, RenderConfig
from trailkit.envs.errors import UserError
from trailkit.envs.rendering import Quality
from trailkit.replay.atomic import written_aside


def evaluate_run(config: EvaluateConfig) -> Iterator[tuple[str, Evaluation]]:
    """Evaluates checkpoints; yields the name and the worth of each when it is written.

    Into `evaluations/<step>/seed…_episodes…/` of the run go `eval_info.json`, `episodes.csv` and, if asked for, a video
    of the first episode. Evaluations in another task have that in their folder's name.

    Raises:
        UserError: If there is no such run, checkpoint or task, or the results cannot be written.
    """
    folder = Path(config.run)
    names = checkpoints(folder, config.checkpoint)
    elsewhere = config.task if config.task not in (None, load_config(folder).env.task) else None
    # Beside the training's own evaluation of each step.
    name = f"seed{config.seed}_episodes{config.episodes}" + (f"_{elsewhere}" if elsewhere else "")
    with Workers(folder, elsewhere, config.workers or workers_here(config.episodes)) as workers:
        for checkpoint in names:
            begin = time.perf_counter()
            played = workers.play(checkpoint, config.episodes, config.seed)
            console = Console(stderr=True)
            episodes = tuple(track(played, checkpoint, config.episodes, console=console, transient=True))
            result = Evaluation(config.seed, episodes, time.perf_counter() - begin)
            out = folder / "evaluations" / checkpoint / name
            videos = _film(config, elsewhere, checkpoint, out / "videos") if config.video else []
            result.write(out / "eval_info.json", videos)
            _write_table(result, out / "episodes.csv")
            yield checkpoint, result


def render_run(config: RenderConfig) -> list[Path]:
    """Renders episodes of a checkpoint, and returns the paths of what it wrote; see `record_videos`.

    Raises:
        UserError: If there is no such run or checkpoint.
    """
    folder = Path(config.run)
    if config.checkpoint == ALL:
        raise UserError("checkpoint=all: render takes one checkpoint at a time")
    (checkpoint,) = checkpoints(folder, config.checkpoint)
    saved = SavedAgents(folder)
    agent = saved.at(checkpoint)
    out = Path(config.out) if config.out is not None else folder / "videos" / checkpoint
    view = View(tuple(config.cameras), config.height, config.width, Quality(config.quality.value))
    explained = partial(explain, agent, compared=references(saved.config)) if config.overlay else None
    paths = record_videos(saved.env, agent.evaluator, out, config.episodes, config.seed, view, explained)
    saved.env.close()
    return paths


def _film(config: EvaluateConfig, task: str | None, checkpoint: str, folder: Path) -> list[Path]:
    saved = SavedAgents(Path(config.run), task)
    paths = record_videos(saved.env, saved.at(checkpoint).evaluator, folder, episodes=1, seed=config.seed)
    saved.env.close()
    return paths


def _write_table(result: Evaluation, path: Path) -> None:
    rows = [asdict(episode) for episode in result.episodes]
    with written_aside(path) as aside, aside.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
