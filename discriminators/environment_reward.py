"""The environment's own reward behind the interface of a learned one."""

from collections.abc import Mapping
from typing import Any

from jaxtyping import Float
from torch import Tensor

from trailkit.replay.transition import ImitationBatch, Transition


class EnvironmentReward:
    """Returns the stored rewards unchanged and learns nothing: D4PG from demonstrations."""

    def update(self, batch: ImitationBatch) -> dict[str, Tensor]:
        """Has nothing to update."""
        return {}

    def reward(self, transition: Transition, expert_rows: int = 0) -> Float[Tensor, "batch n"]:
        """Returns the stored rewards."""
        reward: Tensor = transition.reward
        return reward

    def weights(self) -> dict[str, Tensor]:
        """Has no weights."""
        return {}

    def state_dict(self) -> dict[str, Any]:
        """Has no state."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Has no state."""
