"""The reward of a perfect discriminator behind the interface of a learned one."""

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from trailkit.replay.transition import ImitationBatch, Transition


class OracleReward:
    """Pays 1 for each of the expert's steps and 0 for the agent's, and learns nothing (TRAIL, Fig. 18).

    A control: what D4PG achieves with demonstrations in replay but no discriminator. The rewards are those of SQIL
    (Reddy et al. 2020, https://arxiv.org/abs/1905.11108).
    """

    def update(self, batch: ImitationBatch) -> dict[str, Tensor]:
        """Has nothing to update."""
        return {}

    def reward(self, transition: Transition, expert_rows: int = 0) -> Float[Tensor, "batch n"]:
        """Identifies the expert's rows by their position: they come last."""
        reward: Tensor = transition.reward
        agent_rows = len(reward) - expert_rows
        return torch.cat([torch.zeros_like(reward[:agent_rows]), torch.ones_like(reward[agent_rows:])])

    def weights(self) -> dict[str, Tensor]:
        """Has no weights."""
        return {}

    def state_dict(self) -> dict[str, Any]:
        """Has no state."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Has no state."""
