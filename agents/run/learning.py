"""The learner's half of a run: demonstrations, updates and checkpoints, whoever plays the episodes."""

import math
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from trailkit.agents.base import Metrics, Snapshot
from trailkit.agents.bc import BC
from trailkit.agents.run import build, build_data
from trailkit.agents.run.best import best_step, evaluation_file
from trailkit.agents.run.checkpoint import Checkpoints, load_learner
from trailkit.agents.run.configuration import flat
from trailkit.agents.run.evaluation.evaluate import Evaluation
from trailkit.agents.run.loops import learn
from trailkit.agents.run.metrics import Clocks, MetricsLog, read_rows
from trailkit.agents.run.weights_and_biases import WeightsAndBiases
from trailkit.configs.schema import TrainConfig
from trailkit.discriminators.diagnostics import mean_score
from trailkit.envs.errors import UserError
from trailkit.envs.make import signature
from trailkit.envs.settings import EnvSettings
from trailkit.replay.atomic import sweep_aside, writing
from trailkit.replay.base import Sampler

LOG_EVERY = 100  # learner steps between rows of metrics


class Diverged(UserError):
    """A training has produced values that are not finite."""


class Learning:
    """The learning part of a run, and what of it survives the process."""

    def __init__(self, config: TrainConfig, folder: Path, settings: EnvSettings) -> None:
        """Reads the demonstrations, and builds the learner.

        Raises:
            UserError: If the demonstrations do not fit the environment, or are damaged or missing.
        """
        torch.set_num_threads(config.threads)
        self.config, self.folder, self._signature = config, folder, signature(settings)
        self.demos = build_data.load_demos(config, folder)
        self.agent = build.make_agent(config, settings)
        self.steps = 0
        self.seconds = 0.0  # of training, restarts included
        self.waited = 0.0  # seconds that this process has waited for batches
        self._checkpoints = Checkpoints(folder / "checkpoints", config.keep_checkpoints)

    def restore(self) -> dict[str, Any] | None:
        """Restores the newest valid checkpoint, and returns its state; None if there is none at all.

        Evaluations of later steps are removed: they belong to a history that the run has abandoned.

        Raises:
            UserError: If there are checkpoints, but none is valid, or it does not fit the run's settings; or if there
                is none, but there are metrics of learner steps.
        """
        found = self._checkpoints.latest()
        if found is None:
            self._refuse_a_lost_course()
            return None
        self.steps, state = found
        load_learner(self.agent.learner, state["learner"], self.folder)
        self._remove_later_evaluations()
        self.seconds = state["seconds"]
        self.demos.replay.load_state_dict(state["demos"])
        if self.demos.random is not None:
            self.demos.random.load_state_dict(state["random_demos"])
        return state

    def checkpoint(self, rest: Mapping[str, Any], due: Iterable[int] = ()) -> None:
        """Saves everything that `restore` needs, together with the rest of the run's state.

        Of the earlier checkpoints, it keeps the newest, the best evaluated one, and candidates for the best.

        Args:
            rest: The rest of the state.
            due: Steps whose evaluation is pending.

        Raises:
            UserError: If it cannot be written; earlier checkpoints are unharmed.
        """
        state = {
            "learner": self.agent.learner.state_dict(),
            "seconds": self.seconds,
            "demos": self.demos.replay.state_dict(),
            "random_demos": self.demos.random.state_dict() if self.demos.random is not None else {},
            "signature": self._signature._asdict(),  # for using the policy without its run
        }
        best = best_step(self.folder, [*self._checkpoints.steps(), self.steps])
        self._checkpoints.save(self.steps, {**state, **rest}, {*due, *([] if best is None else [best])})

    def updates(self, replay: Sampler | None, random: Sampler | None = None) -> Iterator[Metrics]:
        """Makes one update per `next`; see `build_data.make_batches`."""
        batches = build_data.make_batches(self.config, self.agent, self.demos, replay, random)
        for metrics in learn(self.agent.learner, self._timed(batches)):
            self.steps += 1
            yield metrics

    def _timed(self, batches: Iterator[Any]) -> Iterator[Any]:
        """The same batches; the time to obtain them is added to `waited`."""
        asked = time.monotonic()
        for batch in batches:
            self.waited += time.monotonic() - asked
            yield batch
            asked = time.monotonic()

    def owes_evaluation(self) -> bool:
        """Whether the run was interrupted between the current step and its evaluation."""
        due = self.steps > 0 and self.steps % self.config.evaluation.every == 0
        return due and not self.evaluated(self.steps)

    def evaluated(self, step: int) -> bool:
        """Whether the evaluation of a step was written."""
        return evaluation_file(self.folder, step).exists()

    def snapshot(self) -> Snapshot:
        """The current weights."""
        return Snapshot(self.steps, self.agent.learner.parameters())

    def holdout_metrics(self) -> Metrics:
        """Metrics that reveal memorisation, on held-out demonstrations and on those learned from.

        They are the mean D (TRAIL, Fig. 10), on frames without augmentation, or the policy's loss in behaviour cloning.
        """
        metrics: dict[str, float] = {}
        for name, part in (("known", self.demos.known), ("holdout", self.demos.holdout)):
            if part is None:
                continue
            if isinstance(self.agent.learner, BC):
                metrics[f"policy_loss_{name}"] = self.agent.learner.loss(part.observation, part.action)
            elif self.agent.reward_model is not None:
                discriminator = self.agent.reward_model.discriminator
                metrics[f"disc_score_{name}"] = mean_score(discriminator, part.observation)
        return metrics

    def _refuse_a_lost_course(self) -> None:
        """Checks that nothing was learned yet: a run that starts over discards its metrics."""
        rows = read_rows(self.folder / "metrics.csv")
        if learned := max((int(row["step"]) for row in rows), default=0):
            raise UserError(
                f"{self.folder} has metrics of {learned} steps and no checkpoint to go on from: put its checkpoints "
                "back, or begin another run"
            )

    def _remove_later_evaluations(self) -> None:
        for folder in self.folder.glob("evaluations/" + 9 * "[0-9]"):
            result = evaluation_file(self.folder, int(folder.name))
            with writing(result):
                sweep_aside(result)
                if int(folder.name) > self.steps:
                    result.unlink(missing_ok=True)
            with suppress(OSError):
                folder.rmdir()  # unless a user's own evaluations are in it


def make_wandb(config: TrainConfig, folder: Path) -> WeightsAndBiases | None:
    """Where else metrics go, if anywhere.

    Raises:
        UserError: As `WeightsAndBiases` does.
    """
    return None if config.wandb is None else WeightsAndBiases(folder, config.wandb, flat(config))


def record_update(learning: Learning, log: MetricsLog, metrics: Metrics, actor_steps: int) -> None:
    """Adds an update's metrics to the log.

    Raises:
        Diverged: If one of them is not finite. They are then written in their own row, and the checkpoints are from
            before.
    """
    log.add(metrics)
    broken = sorted(name for name, value in metrics.items() if not math.isfinite(value))
    if broken:
        log.write(learning.steps, actor_steps, learning.seconds)
        raise Diverged(
            f"{learning.folder} has diverged: {', '.join(broken)} not finite in learner step {learning.steps}; start "
            "anew with a lower agent.learning_rate or discriminator.learning_rate; the checkpoints are from before"
        )


def record_evaluation(folder: Path, log: MetricsLog, clocks: Clocks, result: Evaluation) -> None:
    """Writes the evaluation of a policy, to its own file and to the metrics.

    Raises:
        UserError: If it cannot be written.
    """
    result.write(evaluation_file(folder, clocks.step))
    scores = {"eval_success": result.success, "eval_success_at_end": result.success_at_end}
    log.write(*clocks, scores | {"eval_return": result.average_return})
