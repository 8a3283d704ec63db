"""Policies: with exploration noise, without, and at random."""

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
    """Does what the network says: for evaluation."""

    def __init__(self, network: PolicyNetwork) -> None:
        """Copies the network."""
        self._network = follower(network)
        self.frame_stack = network.encoder.frame_stack
        self._history = FrameHistory(self.frame_stack)

    def reset(self) -> None:
        """Begins an episode."""
        self._history.reset()

    def act(self, observation: Observation) -> Action:
        """Returns the network's action, which may be for what was seen before too."""
        batch = {name: np.asarray(value)[None] for name, value in self._history(observation).items()}
        with torch.inference_mode():
            action: Action = self._network(as_tensors(batch))[0].numpy()
        return action

    def load(self, parameters: Parameters) -> None:
        """Takes over the weights of the policy."""
        self._network.load_state_dict(parameters["policy"])


class _Noisy:
    """A policy that draws, whose generator is all that there is to keep of it in a checkpoint."""

    def __init__(self, seed: int) -> None:
        self._generator = np.random.default_rng(seed)

    def state_dict(self) -> dict[str, Any]:
        """The state of the noise, so that a resumed actor goes on with the same."""
        return {"generator": self._generator.bit_generator.state}

    def load_state_dict(self, state: Mapping[str, Any], episodes_since: int = 0) -> None:
        """Takes over what `state_dict` returned.

        Args:
            state: Of the noise.
            episodes_since: How many episodes were played since. If there are any, the noise is not to come again that
                they were played with: other is drawn then.
        """
        self._generator.bit_generator.state = state["generator"]
        self._generator = np.random.Generator(self._generator.bit_generator.jumped(episodes_since))  # type: ignore[attr-defined]


class ExplorationPolicy(_Noisy):
    """Adds Gaussian noise, of a deviation drawn for each episode, to what the network says.

    The noise of a step goes on into the next ones (a first-order autoregressive process, whose deviation stays what
    was drawn): noise that is new at every step of 50 ms cancels out before it has moved the arm.
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
            network: encoder and head.
            deviations: what each episode's standard deviation is drawn from; the paper gives none, acme has 0.3.
            correlation: of the noise between one step and the next, in [0, 1).
            seed: of the noise.
        """
        super().__init__(seed)
        self._greedy = GreedyPolicy(network)
        self._deviations = tuple(deviations)
        self._correlation = correlation
        self.reset()

    def reset(self) -> None:
        """Draws the episode's deviation, and forgets the noise of the one before."""
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
        """Takes over the weights of the policy."""
        self._greedy.load(parameters)


class RandomPolicy(_Noisy):
    """Draws each action uniformly, whatever it sees: to fill a replay, and for constraining sets."""

    def __init__(self, action_size: int, seed: int = 0) -> None:
        super().__init__(seed)
        self._action_size = action_size

    def reset(self) -> None:
        """Begins an episode: nothing to do."""

    def act(self, observation: Observation) -> Action:
        """Returns an action in [-1, 1]."""
        return self._generator.uniform(-1.0, 1.0, self._action_size).astype(np.float32)

    def load(self, parameters: Parameters) -> None:
        """Needs no weights."""
