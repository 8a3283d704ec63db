"""`trailkit train`: actor and learner take turns in one process, at a set ratio of samples to inserts.

A run's folder holds `config.yaml`, `metrics.csv`, TensorBoard events, `checkpoints/`, `replay/` (every episode
as it was played), `evaluations/<step>/eval_info.json`.
"""

import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import torch
import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from trailkit.agents.acting import RandomPolicy
from trailkit.agents.base import Metrics, Snapshot
from trailkit.agents.run import build
from trailkit.agents.run.checkpoint import Checkpoints
from trailkit.agents.run.configuration import configure, sweep, typed
from trailkit.agents.run.evaluate import evaluate
from trailkit.agents.run.loops import act, episode_seeds, learn
from trailkit.agents.run.metrics import MetricsLog
from trailkit.agents.run.parameters import LocalParameters
from trailkit.agents.run.progress import Progress
from trailkit.agents.stop import Never
from trailkit.configs.schema import LearnerKind, TrainConfig
from trailkit.discriminators.diagnostics import mean_score
from trailkit.envs.environment import Environment
from trailkit.envs.errors import UserError
from trailkit.replay.atomic import writing, written_aside
from trailkit.replay.episode import Episode
from trailkit.replay.memory import MemoryReplay
from trailkit.replay.spill import Spill

LOG_EVERY = 100  # learner steps between rows of metrics
# What a run may be gone on with otherwise than it began.
_CHANGEABLE = ("steps", "minutes", "threads", "checkpoint_every", "keep_checkpoints", "evaluation.every")
_RANDOM = "random"  # the label of episodes of the random policy that begins every run


def start(words: Sequence[str]) -> Path:
    """Begins a run and trains to its end.

    Args:
        words: Overrides, `key=value`.

    Returns:
        The run's folder.

    Raises:
        UserError: For a mistake in the configuration, demonstrations that do not fit, or a folder that exists.
    """
    return _start(_configured(words))


def start_all(words: Sequence[str]) -> list[Path]:
    """Begins the runs of a sweep one after another; a mistake in any of them is found before the first.

    Args:
        words: Overrides, of which some give several values: `seed=1,2,3`.

    Returns:
        The runs' folders.

    Raises:
        UserError: As for `start`, or if two runs would share a folder.
    """
    configs = [_configured(run) for run in sweep(words)]
    (folder, shared), *_ = Counter(config.out for config in configs).most_common(1)
    if shared > 1:
        raise UserError(f"{shared} runs would write to {folder}: tell them apart, e.g. out='runs/${{agent.n_step}}'")
    return [_start(config) for config in configs]


def _configured(words: Sequence[str]) -> TrainConfig:
    """The configuration of a run that may begin."""
    config = configure("train", TrainConfig, words)
    folder = Path(config.out)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} exists: go on with it by resume={folder}, or choose another folder by out=…")
    return config


def _start(config: TrainConfig) -> Path:
    folder = Path(config.out)
    print(f"training into {folder}")
    with writing(folder):
        trainer = Trainer(config, folder)
        folder.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(OmegaConf.structured(config), folder / "config.yaml")
    trainer.run()
    return folder


def resume(folder: str, words: Sequence[str] = ()) -> Path:
    """Goes on with a run from its newest valid checkpoint.

    Args:
        folder: The run's.
        words: Keys to change, of those that do not make it another run; see `_CHANGEABLE`.

    Raises:
        UserError: If there is no run to go on with, or a key may not change.
    """
    path = Path(folder)
    config = load_config(path, words)
    with writing(path):
        trainer = Trainer(config, path)
        trainer.restore()
        with written_aside(path / "config.yaml") as aside:
            OmegaConf.save(OmegaConf.structured(config), aside)
    trainer.run()
    return path


def load_config(folder: Path, words: Sequence[str] = ()) -> TrainConfig:
    """Reads the configuration that a run was started with.

    Raises:
        UserError: If the folder holds no run.
    """
    path = folder / "config.yaml"
    if not path.is_file():
        raise UserError(f"{folder} holds no run: there is no {path.name} in it")
    for word in words:
        if word.split("=")[0] not in _CHANGEABLE or "=" not in word:
            raise UserError(f"{word!r} cannot change in a run: start another, or give {', '.join(_CHANGEABLE)}")
    try:
        saved = OmegaConf.load(path)
        changes = OmegaConf.from_dotlist(list(words))
    except (yaml.YAMLError, OmegaConfBaseException) as error:
        raise UserError(f"{path} or {' '.join(words)!r} cannot be read: {' '.join(str(error).split())}") from error
    return typed(saved, TrainConfig, changes)


class Trainer:
    """One run: everything that it is made of, and the turns that actor and learner take."""

    def __init__(self, config: TrainConfig, folder: Path) -> None:
        torch.set_num_threads(config.threads)
        self.config, self.folder = config, folder
        self.env = Environment(build.env_settings(config.env), config.seed)
        self.demos = build.load_demos(config, self.env.settings)
        self.agent = build.make_agent(config, self.env)
        self.checkpoints = Checkpoints(folder / "checkpoints", config.keep_checkpoints)
        self.parameters = LocalParameters(Snapshot(0, self.agent.learner.parameters()))
        self.learner_steps = self.actor_steps = self.episodes = 0
        self.seconds = 0.0  # of training, restarts included
        self._plays = config.learner is not LearnerKind.bc
        self.replay = build.make_replay(config) if self._plays else None
        self.spill = Spill(folder / "replay", config.replay.capacity) if self._plays else None
        self._random_replay = build.make_random_replay(config)
        self._random_policy = RandomPolicy(self.env.action_spec().shape[0], config.seed)
        self._interrupted = False

    def restore(self) -> None:
        """Takes over the newest checkpoint, and refills the replay with the episodes played until the run died."""
        found = self.checkpoints.latest()
        if found is None:
            raise UserError(f"{self.folder} holds no valid checkpoint: start anew with another out=…")
        self.learner_steps, state = found
        self.agent.learner.load_state_dict(state["learner"])
        self.agent.explorer.load_state_dict(state["explorer"])
        self._random_policy.load_state_dict(state["random_policy"])
        self.seconds = state["seconds"]
        self.demos.replay.load_state_dict(state["demos"])
        if self.demos.random is not None:
            self.demos.random.load_state_dict(state["random_demos"])
        if self.replay is not None and self.spill is not None:
            lengths = []
            for episode in self.spill.load():
                self._insert(episode)
                lengths.append(episode.length)
            # The spill forgets its oldest episodes, and has some that were played after the checkpoint.
            self.episodes = self.spill.count
            later = self.episodes - state["episodes"]
            self.actor_steps = state["actor_steps"] + sum(lengths[max(0, len(lengths) - later) :])
            if isinstance(self.replay, MemoryReplay):
                self.replay.load_state_dict(state["replay"])
            if self._random_replay is not None:
                self._random_replay.load_state_dict(state["random_replay"])

    def run(self) -> None:
        """Trains until the last step or the time limit, and leaves a checkpoint behind.

        Raises:
            SystemExit: With code 0, after an interruption, which leaves a checkpoint behind, too.
        """
        with MetricsLog(self.folder) as log, Progress(self.config.steps) as progress, self._interruptible():
            log.resume(self.learner_steps)
            if self.learner_steps == 0:
                self._checkpoint()  # so that a run that is killed at once can be gone on with, too
            self._train(log, progress)
        self.close()
        if self._interrupted:
            print(f"interrupted at step {self.learner_steps}; go on with: trailkit train resume={self.folder}")
            sys.exit(0)  # and not on to whatever was to come after the training
        print(f"trained for {self.learner_steps} steps; evaluate with: trailkit evaluate run={self.folder}")

    def close(self) -> None:
        """Frees the simulation and the replay."""
        self.env.close()
        if self.replay is not None:
            self.replay.close()

    @contextmanager
    def _interruptible(self) -> Iterator[None]:
        """Lets SIGINT and SIGTERM end the training after the current turn, with a checkpoint."""

        def interrupt(_signal: int, _frame: FrameType | None) -> None:
            self._interrupted = True

        handlers = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)

    def _train(self, log: MetricsLog, progress: Progress) -> None:
        started, before = time.monotonic(), self.seconds
        seeds = episode_seeds(self.config.seed, self.episodes)
        newcomer = act(self.env, self._random_policy, Never(), self.parameters, seeds, label=_RANDOM)
        actor = act(self.env, self.agent.explorer, self.agent.stop, self.parameters, seeds, label=self.config.method)
        learner = learn(self.agent.learner, self._batches())
        acting = learning = 0.0  # seconds since the last row
        logged = self.actor_steps
        while self.learner_steps < self.config.steps and not self._interrupted:
            turn = time.monotonic()
            self.seconds = before + turn - started
            if self.config.minutes is not None and self.seconds > 60 * self.config.minutes:
                break
            if self._actors_turn():
                log.add(self._play(newcomer if self.actor_steps < self.config.actor.random_steps else actor))
                acting += time.monotonic() - turn
                continue
            log.add(next(learner))
            self.learner_steps += 1
            learning += time.monotonic() - turn
            if self.learner_steps % LOG_EVERY == 0:
                rates = {"learner_steps_per_second": LOG_EVERY / learning}
                if acting:
                    rates["actor_steps_per_second"] = (self.actor_steps - logged) / acting
                    rates["samples_per_insert"] = self.learner_steps * self.config.agent.batch_size / self._insertions
                log.add({**rates, **self._holdout_score()})
                log.write(self.learner_steps, self.actor_steps, self.seconds)
                acting, learning, logged = 0.0, 0.0, self.actor_steps
            progress.update(self.learner_steps, self.actor_steps, log.latest)
            if self.learner_steps % self.config.evaluation.every == 0:
                self._evaluate(log, progress)
            if self.learner_steps % self.config.checkpoint_every == 0:
                self._checkpoint()
        self.seconds = before + time.monotonic() - started
        self._checkpoint()

    def _actors_turn(self) -> bool:
        """Whether the learner has had its samples of what was played, or there is too little to begin with."""
        if not self._plays:
            return False
        due = self._insertions * self.config.replay.samples_per_insert / self.config.agent.batch_size
        return self.learner_steps >= due

    @property
    def _insertions(self) -> int:
        """Steps inserted since learning began."""
        return self.actor_steps - self.config.actor.random_steps

    def _play(self, actor: Iterator[tuple[Episode, Metrics]]) -> Metrics:
        self.parameters.publish(Snapshot(self.learner_steps, self.agent.learner.parameters()))
        episode, metrics = next(actor)
        assert self.spill is not None
        self.spill.write(episode)
        self._insert(episode)
        return metrics

    def _insert(self, episode: Episode) -> None:
        assert self.replay is not None
        self.replay.add(episode)
        if self._random_replay is not None and episode.metadata["policy"] == _RANDOM:
            self._random_replay.add(episode)
        self.actor_steps += episode.length
        self.episodes += 1

    def _batches(self) -> Iterator[Any]:
        return build.make_batches(self.config, self.demos, self.replay, self._random_replay)

    def _holdout_score(self) -> Metrics:
        """Mean D on demonstrations that were kept back (TRAIL, Fig. 10)."""
        if self.agent.reward_model is None or self.demos.holdout is None:
            return {}
        device = build.make_device(self.config.device)
        frames = {camera: images.to(device) for camera, images in self.demos.holdout.items()}
        return {"disc_score_holdout": mean_score(self.agent.reward_model.discriminator, frames)}

    def _evaluate(self, log: MetricsLog, progress: Progress) -> None:
        evaluator, settings = self.agent.evaluator, self.config.evaluation
        evaluator.load(self.agent.learner.parameters())
        result = evaluate(self.env, evaluator, settings.episodes, settings.seed)
        result.write(self.folder / "evaluations" / f"{self.learner_steps:09d}" / "eval_info.json")
        scores = {"eval_success": result.success, "eval_success_at_end": result.success_at_end}
        log.write(self.learner_steps, self.actor_steps, self.seconds, scores | {"eval_return": result.average_return})
        progress.note(f"step {self.learner_steps}: {result}")

    def _checkpoint(self) -> None:
        state = {
            "learner": self.agent.learner.state_dict(),
            "explorer": self.agent.explorer.state_dict(),
            "random_policy": self._random_policy.state_dict(),
            "actor_steps": self.actor_steps,
            "episodes": self.episodes,
            "seconds": self.seconds,
            "demos": self.demos.replay.state_dict(),
            "random_demos": self.demos.random.state_dict() if self.demos.random is not None else {},
            "replay": self.replay.state_dict() if isinstance(self.replay, MemoryReplay) else {},
            "random_replay": self._random_replay.state_dict() if self._random_replay is not None else {},
        }
        self.checkpoints.save(self.learner_steps, state)
