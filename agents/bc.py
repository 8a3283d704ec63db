"""Behaviour cloning with the networks of D4PG."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from trailkit.agents import losses
from trailkit.agents.base import Parameters
from trailkit.agents.diagnostics import spread
from trailkit.agents.networks.augment import RandomColours, RandomShift
from trailkit.agents.networks.averaging import follow, follower
from trailkit.agents.networks.heads import PolicyNetwork
from trailkit.discriminators.adam import Adam
from trailkit.discriminators.generators import make_generator, restore
from trailkit.replay.transition import Observation, Transition


@dataclass(frozen=True)
class BCSettings:
    """Hyperparameters."""

    learning_rate: float = 3e-4  # of Adam
    average_tau: float = 0.01  # of the Polyak averaging
    max_grad_norm: float = 40.0
    random_shift: int = 3  # pixels, at most
    random_colours: bool = False  # of the images


class BC:
    """Regresses the expert's actions from its observations.

    Differences from the paper: TRAIL compares with BC but gives no recipe, so everything is our choice: the mean
    squared error, D4PG's encoder and policy head, random shifts, and acting with a Polyak-averaged policy.
    """

    def __init__(self, policy: PolicyNetwork, settings: BCSettings | None = None, seed: int = 0) -> None:
        """Takes ownership of the network, on its current device.

        Args:
            policy: The encoder and the policy's head.
            settings: The hyperparameters.
            seed: Seeds the random shifts and colours.
        """
        self.settings = settings or BCSettings()
        self._policy = policy
        self._average = follower(policy)
        self._optimizer = Adam(policy.parameters(), self.settings.learning_rate)
        self._shift = RandomShift(self.settings.random_shift)
        self._recolour = RandomColours() if self.settings.random_colours else None
        self._generator = make_generator(next(policy.parameters()).device, seed)

    def step(self, batch: Transition) -> dict[str, float]:
        """Makes one update on the expert's transitions."""
        shown = self._shift(batch.observation, self._generator)
        if self._recolour is not None:
            shown = self._recolour(shown, self._generator)
        action = self._policy(shown)
        loss = losses.behaviour_cloning(action, batch.action).mean()
        self._optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(self._policy.parameters(), self.settings.max_grad_norm)
        self._optimizer.step()
        follow(self._average, self._policy, self.settings.average_tau)
        metrics = {"policy_loss": loss.detach(), "policy_gradient_norm": norm} | spread(action)
        return {name: value.item() for name, value in metrics.items()}

    @torch.no_grad()
    def loss(self, observation: Observation, action: Float[Tensor, "batch action"]) -> float:
        """The loss of the averaged policy, which acts, on the expert's actions."""
        return losses.behaviour_cloning(self._average(observation), action).mean().item()

    def parameters(self) -> Parameters:
        """A copy of the averaged policy, encoder included."""
        return {"policy": {name: weight.clone() for name, weight in self._average.state_dict().items()}}

    def state_dict(self) -> dict[str, Any]:
        """The states of networks, optimiser and generator."""
        return {
            "policy": self._policy.state_dict(),
            "average": self._average.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "generator": self._generator.get_state(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restores what `state_dict` returned."""
        self._policy.load_state_dict(state["policy"])
        self._average.load_state_dict(state["average"])
        self._optimizer.load_state_dict(state["optimizer"])
        restore(self._generator, state["generator"])
