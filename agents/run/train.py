"""`trailkit train`: actor and learner alternate in one process, at a fixed ratio of samples to inserts.

A run's folder contains `config.yaml`, `metrics.csv`, TensorBoard events, `checkpoints/`, `replay/` (every episode as
it was played), `evaluations/<step>/eval_info.json`.
"""

import importlib.util
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

import torch
from omegaconf import OmegaConf

from trailkit.agents.base import Metrics
from trailkit.agents.early_stopping import Never
from trailkit.agents.policies import RandomPolicy
from trailkit.agents.run import build, build_data
from trailkit.agents.run.build_env import env_settings
from trailkit.agents.run.configuration import configure, load_config, sweep
from trailkit.agents.run.demo_snapshot import RANDOM_DEMOS, note_demonstrations
from trailkit.agents.run.evaluation.episodes import EpisodeResult
from trailkit.agents.run.evaluation.evaluate import evaluate
from trailkit.agents.run.footprint import refuse_what_cannot_fit
from trailkit.agents.run.interruption import interruptible
from trailkit.agents.run.learning import LOG_EVERY, Diverged, Learning, make_wandb, record_evaluation, record_update
from trailkit.agents.run.lock import LOCK, locked
from trailkit.agents.run.loops import RANDOM, act, episode_starts
from trailkit.agents.run.metrics import Clocks, MetricsLog
from trailkit.agents.run.parameters import LocalParameters
from trailkit.agents.run.progress import Progress
from trailkit.agents.run.provenance import note_provenance, warn_of_another_simulator
from trailkit.configs.choices import LaunchKind, LearnerKind, ReplayBackend
from trailkit.configs.schema import TrainConfig
from trailkit.demos.store import DemoStore
from trailkit.envs.errors import UserError
from trailkit.envs.make import make_environment
from trailkit.replay.atomic import writing, written_aside
from trailkit.replay.base import Table
from trailkit.replay.episode import Episode
from trailkit.replay.memory import MemoryReplay
from trailkit.replay.spill import Spill


def start(words: Sequence[str]) -> Path:
    """Starts a run and trains to its end.

    Args:
        words: Overrides, `key=value`.

    Returns:
        The run's folder.

    Raises:
        UserError: For a mistake in the configuration, demonstrations that do not fit, or a folder that exists.
    """
    config = _configured(words)
    _check(config, Path(config.out))
    return _start(config)


def start_all(words: Sequence[str]) -> list[Path]:
    """Starts the runs of a sweep one after another; mistakes in any of them are found before the first one starts.

    Args:
        words: Overrides, some of which give several values: `seed=1,2,3`.

    Returns:
        The runs' folders.

    Raises:
        UserError: As for `start`, or if two runs would share a folder.
        Diverged: If a run has diverged; the runs after it were made nevertheless.
    """
    configs = [_configured(run) for run in sweep(words)]
    (folder, shared), *_ = Counter(config.out for config in configs).most_common(1)
    if shared > 1:
        raise UserError(f"{shared} runs would write to {folder}: tell them apart, e.g. out='runs/${{agent.n_step}}'")
    for config in configs:
        _check(config, Path(config.out))
    diverged: list[Diverged] = []
    for config in configs:
        try:
            _start(config)
        except Diverged as error:  # the others may still succeed
            print(error, file=sys.stderr)
            diverged.append(error)
    if diverged:
        raise diverged[0]
    return [Path(config.out) for config in configs]


def _configured(words: Sequence[str]) -> TrainConfig:
    """The configuration of a run that may start."""
    config = configure("train", TrainConfig, words)
    folder = Path(config.out)
    if folder.exists() and (not folder.is_dir() or any(path.name != LOCK for path in folder.iterdir())):
        raise UserError(f"{folder} exists: go on with it by resume={folder}, or choose another folder by out=…")
    return config


def check_ready(config: TrainConfig) -> DemoStore:
    """Checks, without much work, that a run has everything to start with; returns its demonstrations.

    Raises:
        UserError: If demonstrations, a random policy's episodes or the user's own parts are unsuitable.
    """
    build_data.check_random_demos(config)
    build.check_own_parts(config, env_settings(config.env))
    return build_data.check_demos(config)


def _check(config: TrainConfig, folder: Path) -> None:
    refuse_what_cannot_fit(config, check_ready(config), folder)


def _start(config: TrainConfig) -> Path:
    folder = Path(config.out)
    print(f"training into {folder}")
    run = _runner(config, folder)
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as alone:
        alone.enter_context(locked(folder))
        _run(config, folder, run, alone)
    return folder


def resume(folder: str, words: Sequence[str] = ()) -> Path:
    """Resumes a run from its newest valid checkpoint.

    Args:
        folder: The folder of the run.
        words: Keys to change, of those that do not make it a different run; see `configuration.CHANGEABLE`.

    Raises:
        UserError: If there is no run to resume, another process trains in its folder, or a key may not change.
    """
    path = Path(folder)
    config = load_config(path, words)
    warn_of_another_simulator(path)
    _check(config, path)
    with ExitStack() as alone:
        alone.enter_context(locked(path))
        _run(config, path, _runner(config, path, resumed=True), alone)
    return path


def _run(config: TrainConfig, folder: Path, run: Callable[[], None], alone: ExitStack) -> None:
    """Runs a training alone in its folder; with `launch=ray`, the learner process holds the lock instead."""
    with written_aside(folder / "config.yaml") as aside:
        OmegaConf.save(OmegaConf.structured(config), aside)
    note_provenance(folder)
    note_demonstrations(build_data.check_demos(config), folder)
    if (random := build_data.check_random_demos(config)) is not None:
        note_demonstrations(random, folder, RANDOM_DEMOS)
    if config.launch.kind is LaunchKind.ray:
        alone.close()
    if config.learner is not LearnerKind.bc and build_data.replay_backend(config) is ReplayBackend.reverb:
        print("Reverb listens on every network interface, without a password; replay=memory opens no port")
    try:
        run()
    except torch.OutOfMemoryError as error:
        raise UserError("the GPU's memory is full: lower agent.batch_size, or end what else is in it") from error


def _runner(config: TrainConfig, folder: Path, resumed: bool = False) -> Callable[[], None]:
    """The function that runs a training as `launch` says."""
    if config.launch.kind is LaunchKind.ray:
        if importlib.util.find_spec("ray") is None:
            raise UserError("launch=ray needs Ray: pip install 'trailkit[ray]'")
        from trailkit.agents.run.distributed.program import Program  # noqa: PLC0415

        return Program(config, folder, resumed).run
    trainer = Trainer(config, folder)
    if resumed:
        trainer.restore()
    return trainer.run


class _Interrupted(Exception):
    """Interrupts an evaluation that there is no time to finish."""


class Trainer:
    """One run in one process, in which actor and learner alternate."""

    def __init__(self, config: TrainConfig, folder: Path) -> None:
        self.config, self.folder = config, folder
        self.env = make_environment(env_settings(config.env), config.seed)
        self.learning = Learning(config, folder, self.env.settings)
        self.agent = self.learning.agent
        self.parameters = LocalParameters(self.learning.snapshot())
        self.actor_steps = self.episodes = 0
        self._plays = config.learner is not LearnerKind.bc
        self.replay = build_data.make_replay(config) if self._plays else None
        self._layouts = build_data.load_layouts(config, folder)
        self.spill = Spill(folder / "replay", config.replay.capacity) if self._plays else None
        self._random_replay = build_data.make_random_replay(config)
        # A constraining set is kept for the whole run, whatever the replay evicts.
        self._random_spill = Spill(folder / "random", sys.maxsize) if self._random_replay is not None else None
        self._random_policy = RandomPolicy(self.env.action_spec().shape[0], config.seed)
        self._interrupted = threading.Event()

    def restore(self) -> None:
        """Restores the newest checkpoint, and refills the replay with all episodes played before the run ended.

        Raises:
            UserError: If all checkpoints are damaged.
        """
        state = self.learning.restore()
        if state is None:
            return  # it ended before the first checkpoint
        if self.replay is not None and self.spill is not None:
            for episode in self.spill.load():
                self._insert(episode)
            # The spill evicts its oldest episodes, and has some that were played after the checkpoint.
            self.episodes, self.actor_steps = self.spill.count, self.spill.total_steps
            if isinstance(self.replay, MemoryReplay) and state.get("replay"):  # missing if Reverb was used before
                self.replay.load_state_dict(state["replay"])
        if "explorer" in state:  # with launch=ray there were other actors, with their own noise
            since = self.episodes - state.get("episodes", self.episodes)  # earlier versions did not store it
            self.agent.explorer.load_state_dict(state["explorer"], since)
            self._random_policy.load_state_dict(state["random_policy"], since)
        if self._random_replay is not None and self._random_spill is not None:
            if not self._random_spill.count:  # as earlier versions left it
                for episode in self._spilled_at_random():
                    self._random_spill.write(episode)
            for episode in self._random_spill.load():
                self._random_replay.add(episode)
            self._random_replay.load_state_dict(state["random_replay"])

    def run(self) -> None:
        """Trains until the last step or the time limit, and leaves a checkpoint.

        Raises:
            SystemExit: With code 0, after an interruption, which also leaves a checkpoint.
        """
        with (
            interruptible(self._interrupted),
            closing(self),
            MetricsLog(self.folder, make_wandb(self.config, self.folder)) as log,
            Progress(self.config.steps, minutes=self.config.minutes) as progress,
        ):
            log.resume(self.learning.steps)
            if self.learning.steps == 0:
                self._checkpoint()  # so that even a run that is killed at once can be resumed
            self._train(log, progress)
        if self._interrupted.is_set():
            print(f"interrupted at step {self.learning.steps}; go on with: trailkit train resume={self.folder}")
            sys.exit(0)  # so that nothing that would follow the training is started
        print(f"trained for {self.learning.steps} steps; evaluate with: trailkit evaluate run={self.folder}")

    def close(self) -> None:
        """Frees the simulation and the replay."""
        self.env.close()
        if self.replay is not None:
            self.replay.close()

    def _train(self, log: MetricsLog, progress: Progress) -> None:
        learning = self.learning
        started, before = time.monotonic(), learning.seconds
        if learning.owes_evaluation():
            self._evaluate(log, progress)
        starts = episode_starts(self.config.seed, self.episodes, layouts=self._layouts)
        newcomer = act(self.env, self._random_policy, Never(), self.parameters, starts, label=RANDOM)
        actor = act(self.env, self.agent.explorer, self.agent.stop, self.parameters, starts, label=self.config.method)
        updates = learning.updates(self.replay, self._random_replay)
        acted = learned = 0.0  # seconds since the last row
        logged, learned_steps, waited = self.actor_steps, learning.steps, learning.waited
        while learning.steps < self.config.steps and not self._interrupted.is_set():
            turn = time.monotonic()
            learning.seconds = before + turn - started
            if self.config.minutes is not None and learning.seconds > 60 * self.config.minutes:
                break
            if self._actors_turn():
                log.add(self._play(newcomer if self.actor_steps < self.config.actor.random_steps else actor))
                acted += time.monotonic() - turn
                continue
            record_update(learning, log, next(updates), self.actor_steps)
            learned += time.monotonic() - turn
            if learning.steps % LOG_EVERY == 0 or learning.steps == self.config.steps:
                rates = {"learner_steps_per_second": (learning.steps - learned_steps) / learned}
                rates["batch_wait_share"] = (learning.waited - waited) / learned
                if acted:
                    rates["actor_steps_per_second"] = (self.actor_steps - logged) / acted
                    rates["samples_per_insert"] = learning.steps * self.config.agent.batch_size / self._insertions
                if self.replay is not None:
                    rates["replay_size"] = self.replay.size(Table.MAIN)
                log.add({**rates, **learning.holdout_metrics()})
                log.write(learning.steps, self.actor_steps, learning.seconds)
                acted = learned = 0.0
                logged, learned_steps, waited = self.actor_steps, learning.steps, learning.waited
            progress.update(learning.steps, self.actor_steps, log.latest, learning.seconds)
            if evaluated := learning.steps % self.config.evaluation.every == 0:
                self._evaluate(log, progress)
            if evaluated or learning.steps % self.config.checkpoint_every == 0:
                learning.seconds = before + time.monotonic() - started  # including the evaluation's
                self._checkpoint()
        learning.seconds = before + time.monotonic() - started
        self._checkpoint()

    def _actors_turn(self) -> bool:
        """Whether the learner has used the samples that the inserts allow, or there are too few inserts to start."""
        if not self._plays:
            return False
        due = self._insertions * self.config.replay.samples_per_insert / self.config.agent.batch_size
        return self.learning.steps >= due

    @property
    def _insertions(self) -> int:
        """Steps inserted after the initial random ones."""
        return self.actor_steps - self.config.actor.random_steps

    def _play(self, actor: Iterator[tuple[Episode, Metrics]]) -> Metrics:
        self.parameters.publish(self.learning.snapshot())
        episode, metrics = next(actor)
        assert self.spill is not None
        if self._random_replay is not None and self._random_spill is not None and episode.metadata["policy"] == RANDOM:
            self._random_spill.write(episode)
            self._random_replay.add(episode)
        self.spill.write(episode)
        self._insert(episode)
        return metrics

    def _spilled_at_random(self) -> Iterator[Episode]:
        """The random policy's episodes among those still in the spill."""
        assert self.spill is not None
        return (episode for episode in self.spill.load() if episode.metadata["policy"] == RANDOM)

    def _insert(self, episode: Episode) -> None:
        assert self.replay is not None
        self.replay.add(episode)
        self.actor_steps += episode.length
        self.episodes += 1

    def _evaluate(self, log: MetricsLog, progress: Progress) -> None:
        learning, settings = self.learning, self.config.evaluation
        self.agent.evaluator.load(learning.snapshot().parameters)
        try:
            result = evaluate(self.env, self.agent.evaluator, settings.episodes, settings.seed, self._give_up)
        except _Interrupted:
            return  # it is made when the run is resumed
        record_evaluation(self.folder, log, Clocks(learning.steps, self.actor_steps, learning.seconds), result)
        progress.note(f"step {learning.steps}: {result}")

    def _give_up(self, _: EpisodeResult) -> None:
        if self._interrupted.is_set():
            raise _Interrupted

    def _checkpoint(self) -> None:
        self.learning.checkpoint(
            {
                "episodes": self.episodes,
                "explorer": self.agent.explorer.state_dict(),
                "random_policy": self._random_policy.state_dict(),
                "replay": self.replay.state_dict() if isinstance(self.replay, MemoryReplay) else {},
                "random_replay": self._random_replay.state_dict() if self._random_replay is not None else {},
            }
        )
