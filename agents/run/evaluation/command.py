"""`trailkit evaluate` and `trailkit render`: how well a run's checkpoints perform, and what they look like."""

import csv
import time
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path

from rich.progress import track

from trailkit.agents.run.configuration import load_config
from trailkit.agents.run.evaluation.elsewhere import Elsewhere
from trailkit.agents.run.evaluation.evaluate import Evaluation
from trailkit.agents.run.evaluation.explain import explain, references
from trailkit.agents.run.evaluation.saved import ALL, SavedAgents, checkpoints, copied
from trailkit.agents.run.evaluation.shifts import shift_table, shifts
from trailkit.agents.run.evaluation.video import View, record_videos
from trailkit.agents.run.evaluation.workers import Workers
from trailkit.agents.run.progress import make_console
from trailkit.agents.run.provenance import warn_of_another_simulator
from trailkit.configs.schema import EvaluateConfig, RenderConfig
from trailkit.envs.errors import UserError
from trailkit.envs.rendering import Quality
from trailkit.replay.atomic import written_aside


def evaluate_run(config: EvaluateConfig, workers: Workers) -> Iterator[tuple[str, Evaluation]]:
    """Evaluates checkpoints by workers of the run; yields the name and result of each once it is written.

    The files `eval_info.json`, `episodes.csv` and, on request, a video of the first episode go into the run's
    `evaluations/<step>/seed…_episodes…/`. If the environment differs from the run's, the folder's name says how.

    Raises:
        UserError: If there is no such run, checkpoint, task or appearance, or the results cannot be written.
    """
    folder, elsewhere = Path(config.run), _elsewhere(config)
    warn_of_another_simulator(folder)
    with copied(folder, checkpoints(folder, config.checkpoint)) as copies:
        for checkpoint, copy in copies.items():
            yield checkpoint, _evaluate(config, workers, checkpoint, copy, elsewhere)


def evaluate_shifts(config: EvaluateConfig, workers: Workers) -> Iterator[tuple[str, dict[str, Evaluation]]]:
    """Evaluates checkpoints like `evaluate_run`, in all environments of `shifts`; yields the name and results of each.

    Their `shift_table` is stored beside the evaluations, as `shifts_seed…_episodes….md`.

    Raises:
        UserError: As for `evaluate_run`.
    """
    folder = Path(config.run)
    warn_of_another_simulator(folder)
    with copied(folder, checkpoints(folder, config.checkpoint)) as copies:
        places = shifts(load_config(folder).env)
        for checkpoint, copy in copies.items():
            results = {name: _evaluate(config, workers, checkpoint, copy, place) for name, place in places.items()}
            kept = folder / "evaluations" / checkpoint / f"shifts_seed{config.seed}_episodes{config.episodes}.md"
            with written_aside(kept) as aside:
                aside.write_text(shift_table(checkpoint, results))
            yield checkpoint, results


def render_run(config: RenderConfig) -> list[Path]:
    """Renders episodes of a checkpoint, and returns the paths of the written files; see `record_videos`.

    Raises:
        UserError: If there is no such run or checkpoint.
    """
    folder = Path(config.run)
    if config.checkpoint == ALL:
        raise UserError("checkpoint=all: render takes one checkpoint at a time")
    (checkpoint,) = checkpoints(folder, config.checkpoint)
    warn_of_another_simulator(folder)
    saved = SavedAgents(folder)
    agent = saved.at(checkpoint)
    out = Path(config.out) if config.out is not None else folder / "videos" / checkpoint
    view = View(tuple(config.cameras or (None,)), config.height, config.width, Quality(config.quality.value))
    explained = partial(explain, agent, compared=references(saved.config, folder)) if config.overlay else None
    paths = record_videos(saved.env, agent.evaluator, out, config.episodes, config.seed, view, explained)
    saved.env.close()
    return paths


def _elsewhere(config: EvaluateConfig) -> Elsewhere:
    trained = load_config(Path(config.run)).env
    task = None if config.task == trained.task else config.task
    looks = ((config.appearance, trained.appearance), (config.distract, trained.distract))
    appearance, distract = (None if asked in (None, usual) else tuple(asked or ()) for asked, usual in looks)
    return Elsewhere(task, appearance, distract)


def _evaluate(config: EvaluateConfig, workers: Workers, checkpoint: str, copy: str, elsewhere: Elsewhere) -> Evaluation:
    """Evaluates the copy of a checkpoint and writes the result."""
    begin, console = time.perf_counter(), make_console()
    played = workers.play(copy, config.episodes, config.seed, elsewhere)
    label = f"{checkpoint}{elsewhere}"
    shown = track(played, label, config.episodes, console=console, transient=True)
    episodes = tuple(sorted(shown, key=lambda episode: episode.episode_ix))
    result = Evaluation(config.seed, episodes, time.perf_counter() - begin)
    # Beside the training's own evaluation of each step.
    name = f"seed{config.seed}_episodes{config.episodes}{elsewhere}"
    out = Path(config.run) / "evaluations" / checkpoint / name
    videos = _film(config, elsewhere, copy, out / "videos") if config.video else []
    result.write(out / "eval_info.json", videos)
    _write_table(result, out / "episodes.csv")
    return result


def _film(config: EvaluateConfig, elsewhere: Elsewhere, copy: str, folder: Path) -> list[Path]:
    saved = SavedAgents(Path(config.run), elsewhere)
    paths = record_videos(saved.env, saved.policy_at(copy), folder, episodes=1, seed=config.seed)
    saved.env.close()
    return paths


def _write_table(result: Evaluation, path: Path) -> None:
    rows = [asdict(episode) for episode in result.episodes]
    with written_aside(path) as aside, aside.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
