"""When an actor gives up an episode: never, or when the discriminator says that it goes well (AES)."""

import bisect
import copy

import numpy as np
import torch

from trailkit.agents.base import Parameters, as_tensors
from trailkit.discriminators.discriminator import Discriminator
from trailkit.replay.transition import Observation


class Never:
    """Lets every episode run to its time limit."""

    def load(self, parameters: Parameters) -> None:
        """Needs no weights."""

    def reset(self) -> None:
        """Begins an episode: nothing to do."""

    def __call__(self, observation: Observation) -> bool:
        """Goes on."""
        return False


class AboveMedian:
    """Says when scores have exceeded their own median for some time.

    The median is that of all scores so far, the latest included; what equals it does not exceed it.
    """

    def __init__(self, patience: int, min_steps: int) -> None:
        self._patience = patience
        self._min_steps = min_steps
        self._scores: list[float] = []  # sorted
        self._consecutive = 0

    def __call__(self, score: float) -> bool:
        """Takes the next score."""
        bisect.insort(self._scores, score)
        count = len(self._scores)
        median = (self._scores[(count - 1) // 2] + self._scores[count // 2]) / 2
        self._consecutive = self._consecutive + 1 if score > median else 0
        return self._consecutive >= self._patience and count >= self._min_steps


class EarlyStop:
    """Stops when the discriminator's score exceeds the episode's median for `patience` steps on end.

    Successful frames then stay rare among the agent's, so that success remains a mark of the expert (TRAIL, sec. 5).
    The loop must end the episode as a truncation: its discount stays 1, or the good states would be punished.
    """

    def __init__(self, discriminator: Discriminator, patience: int = 10, min_steps: int = 0) -> None:
        """Copies the discriminator.

        Args:
            discriminator: scores the frames.
            patience: consecutive steps above the median; the paper's is 10.
            min_steps: no episode stops before so many steps. The paper has none, but scores that change slowly
                stop most episodes long before a success.
        """
        self._discriminator = copy.deepcopy(discriminator).requires_grad_(False)
        self._patience = patience
        self._min_steps = min_steps
        self.reset()

    def load(self, parameters: Parameters) -> None:
        """Takes over the weights of the discriminator."""
        self._discriminator.load_state_dict(parameters["discriminator"])

    def reset(self) -> None:
        """Begins an episode."""
        self._exceeded = AboveMedian(self._patience, self._min_steps)

    def __call__(self, observation: Observation) -> bool:
        """Scores one frame, unbatched, and says whether to stop."""
        frame = {camera: np.asarray(observation[camera])[None] for camera in self._discriminator.cameras}
        with torch.inference_mode():
            logit = self._discriminator(as_tensors(frame)).item()
        return self._exceeded(logit)
