"""Who evaluates."""

import logging
import time

import ray
import torch

from trailkit.agents.run import build
from trailkit.agents.run.distributed.actor import Watched
from trailkit.agents.run.distributed.role import LEARNER, Role, answer
from trailkit.agents.run.evaluate import evaluate
from trailkit.envs.environment import Environment

_log = logging.getLogger(__name__)


class EvaluatorRole(Role):
    """Evaluates the policies that the learner puts down for it."""

    def _run(self) -> None:
        torch.set_num_threads(1)
        learner = ray.get_actor(LEARNER)
        settings = build.env_settings(self.config.env)
        env = Environment(settings, self.config.seed)
        evaluator = Watched(build.make_agent(self.config, settings).evaluator, self)
        wanted = self.config.evaluation
        while True:
            self.waits()
            due = answer(learner.next_evaluation)
            if due is None:
                time.sleep(0.5)
                continue
            step, (weights,) = due
            self.moves()
            evaluator.load(ray.get(weights))
            result = evaluate(env, evaluator, wanted.episodes, wanted.seed)
            _log.info("step %d: %s", step, result)
            answer(learner.evaluated, step, result)
