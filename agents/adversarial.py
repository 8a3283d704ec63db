"""Adversarial imitation with an exchangeable reward: GAIL, DAC, TRAIL and their controls, depending on its parts."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from trailkit.agents.base import Metrics, Parameters, as_floats
from trailkit.discriminators.base import RewardModel
from trailkit.replay.transition import ImitationBatch, Transition

Update = Callable[[ImitationBatch], Mapping[str, Tensor]]


@runtime_checkable
class ReinforcementLearner(Protocol):
    """Learns from transitions, and is told which rows are the expert's."""

    def update(self, batch: Transition, expert_rows: int = 0) -> Mapping[str, Tensor]:
        """Makes one update; the last `expert_rows` rows of the batch are the expert's."""

    def follow(self) -> None:
        """Moves the target networks. Kept out of `update`, because a CUDA graph repeats exactly the same operations."""

    def parameters(self) -> Parameters:
        """The weights that actors need."""

    def state_dict(self) -> dict[str, Any]:
        """Everything that a checkpoint needs to continue exactly."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restores what `state_dict` returned."""


class Adversarial:
    """Updates a reward model, then a reinforcement learner on transitions that the model has just rewarded."""

    def __init__(
        self,
        reward_model: RewardModel,
        rl: ReinforcementLearner,
        demos_in_replay: bool = True,
        after_end: float = 0.0,
        wrap: Callable[[Update], Update] = lambda update: update,
    ) -> None:
        """Combines the two.

        Args:
            reward_model: Computes the rewards.
            rl: Learns from the rewarded transitions.
            demos_in_replay: Whether to also learn from the expert's transitions, in addition to the agent's, as in the
                paper (TRAIL, Alg. 2). Otherwise the expert's actions are never used.
            after_end: How many additional times an episode's last reward is paid if the environment terminated it
                (discount 0). With gamma / (1 - gamma), terminating is worth as much as staying in that state forever.
                With 0, a reward that is never negative makes the agent hover near a goal that terminates the episode:
                the bias that absorbing states remove in "Discriminator-Actor-Critic", Kostrikov et al. 2019.
            wrap: Speeds up the update, e.g. `Graphed`.
        """
        self._reward_model = reward_model
        self._rl = rl
        self._demos_in_replay = demos_in_replay
        self._after_end = after_end
        self._wrap = wrap
        self._update = wrap(self._make_update)

    def step(self, batch: ImitationBatch) -> Metrics:
        """Makes one update of each."""
        metrics = self._update(batch)
        self._rl.follow()
        return as_floats(metrics)

    def parameters(self) -> Parameters:
        """The weights of the policy, and of the discriminator that actors use for early stopping."""
        weights = self._reward_model.weights()
        return {**self._rl.parameters(), **({"discriminator": weights} if weights else {})}

    def state_dict(self) -> dict[str, Any]:
        """The states of reward model and reinforcement learner."""
        return {"reward_model": self._reward_model.state_dict(), "rl": self._rl.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restores what `state_dict` returned."""
        self._reward_model.load_state_dict(state["reward_model"])
        self._rl.load_state_dict(state["rl"])
        self._update = self._wrap(self._make_update)  # a wrapped update refers to the optimisers' old states

    def _make_update(self, batch: ImitationBatch) -> dict[str, Tensor]:
        metrics = self._reward_model.update(batch)
        agent, expert = batch.train
        if self._demos_in_replay:
            both, expert_rows = concatenate(agent, expert), len(expert.steps)
            learned = self._rl.update(self._rewarded(both, expert_rows), expert_rows)
        else:
            learned = self._rl.update(self._rewarded(agent))
        return {**metrics, **learned}

    def _rewarded(self, transition: Transition, expert_rows: int = 0) -> Transition:
        reward = self._reward_model.reward(transition, expert_rows)
        real = torch.arange(reward.shape[1], device=reward.device) < transition.steps[:, None]
        paid = torch.where(transition.discount == 0, reward * (1 + self._after_end), reward)
        return transition._replace(reward=torch.where(real, paid, 0.0))


def concatenate(first: Transition, second: Transition) -> Transition:
    """Returns the rows of the first batch followed by those of the second."""
    return Transition(
        observation={
            name: torch.cat([first.observation[name], second.observation[name]]) for name in first.observation
        },
        action=torch.cat([first.action, second.action]),
        reward=torch.cat([first.reward, second.reward]),
        discount=torch.cat([first.discount, second.discount]),
        next_observation={
            name: torch.cat([first.next_observation[name], second.next_observation[name]])
            for name in first.next_observation
        },
        steps=torch.cat([first.steps, second.steps]),
        age=torch.cat([first.age, second.age]),
        key=torch.cat([first.key, second.key]),
        weight=torch.cat([first.weight, second.weight]),
        probability=torch.cat([first.probability, second.probability]),
    )
