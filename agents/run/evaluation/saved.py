"""The agents in a run's checkpoints."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from trailkit.agents.policies import GreedyPolicy
from trailkit.agents.run import build
from trailkit.agents.run.best import best_step
from trailkit.agents.run.build_env import env_settings
from trailkit.agents.run.checkpoint import Checkpoints, State, load_learner, load_policy
from trailkit.agents.run.configuration import load_config
from trailkit.agents.run.evaluation.elsewhere import HERE, Elsewhere
from trailkit.envs.errors import UserError
from trailkit.envs.make import make_environment

LAST, BEST, ALL, UNTRAINED = "last", "best", "all", "untrained"


class SavedAgents:
    """A run's environment, and the agents of its checkpoints: on the CPU, with one thread."""

    def __init__(self, folder: Path, elsewhere: Elsewhere = HERE) -> None:
        """Makes the environment.

        Args:
            folder: The folder of the run.
            elsewhere: How the environment differs from the run's.

        Raises:
            UserError: If there is no such run, task, appearance or distraction.
        """
        # A policy sees one image at a time, and other numbers of threads would round differently.
        torch.set_num_threads(1)
        self._folder, self.config = folder, load_config(folder)
        self.config.device = "cpu"  # where policies act, wherever they learned
        self.config.env.task = elsewhere.task or self.config.env.task
        if elsewhere.appearance is not None:
            self.config.env.appearance = list(elsewhere.appearance)
        if elsewhere.distract is not None:
            self.config.env.distract = list(elsewhere.distract)
        self.env = make_environment(env_settings(self.config.env), self.config.seed)
        self._policy: tuple[str, GreedyPolicy] | None = None
        self._newest: tuple[bytes, int, GreedyPolicy] | None = None

    def at(self, checkpoint: str) -> build.Agent:
        """The complete agent of a checkpoint that `checkpoints` named, or of a copy of one.

        Raises:
            UserError: If it is damaged, or does not fit the run's settings.
        """
        agent = build.make_agent(self.config, self.env.settings)
        if (state := self._state(checkpoint)) is not None:
            load_learner(agent.learner, state["learner"], self._folder)
        parameters = agent.learner.parameters()
        agent.evaluator.load(parameters)
        agent.stop.load(parameters)
        return agent

    def policy_at(self, checkpoint: str) -> GreedyPolicy:
        """Only the policy of such a checkpoint, which is made faster.

        Raises:
            UserError: As for `at`.
        """
        if self._policy is None or self._policy[0] != checkpoint:
            self._policy = checkpoint, self._policy_of(self._state(checkpoint))
        return self._policy[1]

    def newest(self) -> tuple[int, GreedyPolicy] | None:
        """Step and policy of the newest valid checkpoint of a run that may be in progress; None before the first.

        Raises:
            UserError: If all are damaged.
        """
        # Read first: if a checkpoint replaces it from here on, the next call will notice.
        seal = _of(self._folder).seal()
        if self._newest is None or not seal or self._newest[0] != seal:
            found = _of(self._folder).latest()
            if found is None:
                return None
            self._newest = seal, found[0], self._policy_of(found[1])
        return self._newest[1:]

    def _state(self, checkpoint: str) -> State | None:
        """The state in a checkpoint; None for the untrained one."""
        if checkpoint == UNTRAINED:
            return None
        return Checkpoints.load(self._folder / "checkpoints" / checkpoint)[1]

    def _policy_of(self, state: State | None) -> GreedyPolicy:
        policy = build.make_policy(self.config, self.env.settings)
        if state is not None:
            load_policy(policy, state["learner"], self._folder)
        return policy


def checkpoints(folder: Path, which: str) -> list[str]:
    """The names, such as 000012000, of the checkpoints that a user refers to by a learner step or a word.

    The words are last, best (by the training's own evaluations), all and untrained.

    Raises:
        UserError: If there is no such run or checkpoint, or all checkpoints are damaged.
    """
    load_config(folder)
    if which == UNTRAINED:
        return [UNTRAINED]
    there = sorted(path.name for path in (folder / "checkpoints").glob("[0-9]*") if path.name.isdigit())
    if not there:
        raise UserError(f"{folder} holds no checkpoint yet")
    if which == ALL:
        return there
    if which == LAST:
        found = _of(folder).latest()
        assert found is not None
        return [f"{found[0]:09d}"]
    if which == BEST:
        if (best := best_step(folder, map(int, there))) is None:
            raise UserError(f"checkpoint={BEST}: the training of {folder} has evaluated none of {', '.join(there)}")
        return [f"{best:09d}"]
    if not which.isdigit():
        raise UserError(f"checkpoint={which}: give a learner step, {LAST}, {BEST}, {ALL} or {UNTRAINED}")
    if f"{int(which):09d}" not in there:
        raise UserError(f"{folder} has no checkpoint of step {which}: it has {', '.join(there)}")
    return [f"{int(which):09d}"]


@contextmanager
def copied(folder: Path, names: Sequence[str]) -> Iterator[dict[str, str]]:
    """Copies of checkpoints by name, while they are needed: meanwhile a training may remove its own.

    Raises:
        UserError: If one is damaged, or already gone.
    """
    with TemporaryDirectory(prefix="trailkit_") as aside:
        copies = {}
        for name in names:
            copies[name] = name if name == UNTRAINED else str(Path(aside) / name)
            if name != UNTRAINED:
                _of(folder).load(folder / "checkpoints" / name)  # its errors name the original
                shutil.copytree(folder / "checkpoints" / name, copies[name])
        yield copies


def _of(folder: Path) -> Checkpoints:
    return Checkpoints(folder / "checkpoints")
