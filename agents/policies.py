"""Policies: with exploration noise, without noise, and random."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from trailkit.agents.base import Action, Parameters, as_tensors
from trailkit.agents.networks.averaging import follower
from trailkit.agents.networks.heads import PolicyNetwork
from trailkit.replay.frames import FrameHistory
from trailkit.replay.transition import Observation


class GreedyPolicy:
    """Acts as the network says, without noise: for evaluation."""

    def __init__(self, network: PolicyNetwork) -> None:
        """Copies the network."""
        self._network = follower(network)
        self.frame_stack = network.encoder.frame_stack
        self._history = FrameHistory(self.frame_stack)

    def reset(self) -> None:
        """Starts an episode."""
        self._history.reset()

    def act(self, observation: Observation) -> Action:
        """The action for this observation, stacked with the frames before it if `frame_stack` > 1; float32 [A]."""
        batch = {name: np.asarray(value)[None] for name, value in self._history(observation).items()}
        with torch.inference_mode():
            action: Action = self._network(as_tensors(batch))[0].numpy()
        return action

    def load(self, parameters: Parameters) -> None:
        """Loads the weights of the policy."""
        self._network.load_state_dict(parameters["policy"])


class _Noisy:
    """A policy that draws random numbers; its generator is its only state in a checkpoint."""

    def __init__(self, seed: int) -> None:
        self._generator = np.random.default_rng(seed)

    def state_dict(self) -> dict[str, Any]:
        """The state of the noise, so that a resumed actor continues with the same noise."""
        return {"generator": self._generator.bit_generator.state}

    def load_state_dict(self, state: Mapping[str, Any], episodes_since: int = 0) -> None:
        """Restores what `state_dict` returned.

        Args:
            state: The state of the noise.
            episodes_since: If above 0, the generator jumps ahead, so that those episodes' noise is not repeated.
        """
        self._generator.bit_generator.state = state["generator"]
        self._generator = np.random.Generator(self._generator.bit_generator.jumped(episodes_since))  # type: ignore[attr-defined]


class ExplorationPolicy(_Noisy):
    """Adds Gaussian noise, with a standard deviation drawn for each episode, to the network's actions.

    The noise is correlated over time (a first-order autoregressive process with the drawn standard deviation): noise
    drawn independently at every step of 50 ms would cancel out before it moves the arm.
    """

    def __init__(
        self,
        network: PolicyNetwork,
        deviations: Sequence[float] = (0.15, 0.3),
        correlation: float = 0.0,
        seed: int = 0,
    ) -> None:
        """Copies the network.

        Args:
            network: The encoder and the policy's head.
            deviations: The standard deviations to draw from for each episode; the paper gives none, acme uses 0.3.
            correlation: The correlation of the noise between consecutive steps, in [0, 1).
            seed: Seeds the noise.
        """
        super().__init__(seed)
        self._greedy = GreedyPolicy(network)
        self._deviations = tuple(deviations)
        self._correlation = correlation
        self.reset()

    def reset(self) -> None:
        """Draws the episode's standard deviation, and discards the previous episode's noise."""
        self._greedy.reset()
        self._deviation = float(self._generator.choice(self._deviations))
        self._noise: NDArray[np.float64] | None = None

    def act(self, observation: Observation) -> Action:
        """Returns the network's action with noise, clipped to [-1, 1]."""
        action = self._greedy.act(observation)
        self._noise = self._next_noise(action.shape)
        return np.clip(action + self._noise, -1.0, 1.0).astype(np.float32)

    def _next_noise(self, shape: tuple[int, ...]) -> NDArray[np.float64]:
        fresh = self._generator.normal(0.0, self._deviation, shape)
        if self._noise is None:
            return fresh
        return self._correlation * self._noise + math.sqrt(1 - self._correlation**2) * fresh

    def load(self, parameters: Parameters) -> None:
        """Loads the weights of the policy."""
        self._greedy.load(parameters)


class RandomPolicy(_Noisy):
    """Draws each action uniformly, whatever the observation: for filling a replay, and for constraining sets."""

    def __init__(self, action_size: int, seed: int = 0) -> None:
        super().__init__(seed)
        self._action_size = action_size

    def reset(self) -> None:
        """Starts an episode: nothing to do."""

    def act(self, observation: Observation) -> Action:
        """Returns an action in [-1, 1]."""
        return self._generator.uniform(-1.0, 1.0, self._action_size).astype(np.float32)

    def load(self, parameters: Parameters) -> None:
        """Needs no weights."""
