"""The role that evaluates policies."""

import logging
import time
from typing import Any

import ray
import torch
from ray.exceptions import RayError

from trailkit.agents.base import Parameters
from trailkit.agents.run import build
from trailkit.agents.run.build_env import env_settings
from trailkit.agents.run.distributed.actor import PATIENCE_S, Watched
from trailkit.agents.run.distributed.role import LEARNER, Role, answer
from trailkit.agents.run.evaluation.evaluate import evaluate
from trailkit.envs.make import make_environment

_ASK_EVERY_S = 0.5
_log = logging.getLogger(__name__)


class EvaluatorRole(Role):
    """Evaluates the policies that the learner offers."""

    def _run(self) -> None:
        torch.set_num_threads(1)
        learner = ray.get_actor(LEARNER)
        settings = env_settings(self.config.env)
        env = make_environment(settings, self.config.seed)
        evaluator = Watched(build.make_policy(self.config, settings), self)
        wanted = self.config.evaluation
        while True:
            self.waits()
            step, token, parameters = next_policy(learner)
            self.moves()
            evaluator.load(parameters)
            result = evaluate(env, evaluator, wanted.episodes, wanted.seed)
            _log.info("step %d: %s", step, result)
            self.waits()
            answer(learner.evaluated, step, token, result)


def next_policy(learner: Any) -> tuple[int, str, Parameters]:
    """Waits for the next policy to evaluate, however often the learner dies meanwhile."""
    while True:
        due = answer(learner.next_evaluation)
        if due is not None:
            step, token, (weights,) = due
            try:
                return step, token, ray.get(weights, timeout=PATIENCE_S)
            except RayError as error:  # the weights were lost with the learner
                _log.info("no weights of step %d: %s", step, type(error).__name__)
        time.sleep(_ASK_EVERY_S)
