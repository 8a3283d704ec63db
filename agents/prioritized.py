"""Learning from transitions that are sampled by priority."""

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from trailkit.agents.base import Metrics, Parameters
from trailkit.agents.d4pg import D4PG
from trailkit.replay.transition import PrioritizedBatch

_LEAST = 1e-3  # the minimum priority, so that every transition can be sampled again


class Prioritized:
    """D4PG on batches sampled by priority, the expert's more often: DDPGfD (Vecerik et al. 2017) with D4PG's critic.

    The priorities are p = delta^2 + |dQ/da|^2 + a constant + a bonus for the expert's, where delta is the one-step
    error of the critic's mean, since the paper's critic is not distributional.
    """

    def __init__(self, rl: D4PG, demo_bonus: float) -> None:
        """Takes ownership of the learner.

        Args:
            rl: Learns from the batches.
            demo_bonus: Added to the priorities of the expert's transitions.
        """
        self._rl = rl
        self._demo_bonus = demo_bonus
        self.priorities: Float[Tensor, " batch"] = torch.empty(0)
        """The new priorities of the last batch's transitions."""

    def step(self, batch: PrioritizedBatch) -> Metrics:
        """Makes one update."""
        metrics = self._rl.step(batch.transition, batch.expert_rows, batch.importance)
        self.priorities = self._rl.surprise + _LEAST
        self.priorities[len(self.priorities) - batch.expert_rows :] += self._demo_bonus
        return {**metrics, "expert_share": batch.expert_rows / len(self.priorities)}

    def parameters(self) -> Parameters:
        """The weights of the policy."""
        return self._rl.parameters()

    def state_dict(self) -> dict[str, Any]:
        """The state of the learner."""
        return {"rl": self._rl.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restores what `state_dict` returned."""
        self._rl.load_state_dict(state["rl"])
