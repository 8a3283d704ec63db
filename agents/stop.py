"""When an actor gives up an episode: never, after some steps, or when it goes well by some score (TRAIL, sec. 5, AES).

The loop must end such an episode as a truncation: its discount stays 1, or the good states would be punished.
"""

import bisect
import copy

import numpy as np
import torch

from trailkit.agents.base import Parameters, as_tensors
from trailkit.discriminators.discriminator import Discriminator
from trailkit.replay.transition import Observation

_MARGIN = 1e-4  # of a logit: of one frame it differs in its last bits by what the frame is batched with


class Never:
    """Lets every episode run to its time limit."""

    def load(self, parameters: Parameters) -> None:
        """Needs no weights."""

    def reset(self) -> None:
        """Begins an episode: nothing to do."""

    def __call__(self, observation: Observation, reward: float) -> bool:
        """Goes on."""
        return False


class AfterSteps:
    """Stops every episode after a fixed number of steps: the paper's fixed early stopping (TRAIL, Fig. 9)."""

    def __init__(self, steps: int) -> None:
        self._steps = steps
        self.reset()

    def load(self, parameters: Parameters) -> None:
        """Needs no weights."""

    def reset(self) -> None:
        """Begins an episode."""
        self._taken = 0

    def __call__(self, observation: Observation, reward: float) -> bool:
        """Counts a step."""
        self._taken += 1
        return self._taken >= self._steps


class AboveMedian:
    """Says when scores have exceeded their own median for some time.

    The median is that of all scores so far, the latest included; what equals it, or lies within `margin` of it, does
    not exceed it.
    """

    def __init__(self, patience: int, min_steps: int, margin: float = 0.0) -> None:
        self._patience = patience
        self._min_steps = min_steps
        self._margin = margin
        self._scores: list[float] = []  # sorted
        self._consecutive = 0

    def __call__(self, score: float) -> bool:
        """Takes the next score."""
        bisect.insort(self._scores, score)
        count = len(self._scores)
        median = (self._scores[(count - 1) // 2] + self._scores[count // 2]) / 2
        self._consecutive = self._consecutive + 1 if score > median + self._margin else 0
        return self._consecutive >= self._patience and count >= self._min_steps


class ByDiscriminator:
    """Stops when the discriminator's score exceeds the episode's median for `patience` steps on end: adaptive AES.

    Successful frames then stay rare among the agent's, so that success remains a mark of the expert (TRAIL, sec. 5).
    """

    def __init__(self, discriminator: Discriminator, patience: int = 10, min_steps: int = 0) -> None:
        """Copies the discriminator, onto the CPU.

        Args:
            discriminator: scores the frames.
            patience: consecutive steps above the median; the paper's is 10.
            min_steps: no episode stops before so many steps. The paper has none, but scores that change slowly
                stop most episodes long before a success.
        """
        self._discriminator = copy.deepcopy(discriminator).cpu().requires_grad_(False).eval()
        self._patience = patience
        self._min_steps = min_steps
        self.reset()

    def load(self, parameters: Parameters) -> None:
        """Takes over the weights of the discriminator."""
        self._discriminator.load_state_dict(parameters["discriminator"])

    def reset(self) -> None:
        """Begins an episode."""
        self._exceeded = AboveMedian(self._patience, self._min_steps, _MARGIN)
        self._unscored: list[Observation] = []
        self._taken = 0

    def __call__(self, observation: Observation, reward: float) -> bool:
        """Takes one frame, unbatched, and says whether to stop.

        Before `min_steps` nothing depends on scores, so these frames are scored together, which takes less time.
        """
        # Copies, because environments may draw each picture into the same buffer.
        self._unscored.append({camera: np.array(observation[camera]) for camera in self._discriminator.cameras})
        self._taken += 1
        if self._taken < self._min_steps:
            return False
        frames = {name: np.stack([each[name] for each in self._unscored]) for name in self._discriminator.cameras}
        self._unscored.clear()
        with torch.inference_mode():
            logits = self._discriminator(as_tensors(frames)).tolist()
        return [self._exceeded(logit) for logit in logits][-1]


class ByReward:
    """Stops by the same rule on the environment's own reward: the paper's upper bound for AES (TRAIL, Fig. 9).

    It waits for no number of steps: a reward that is 0 before the task is solved stops nothing too early.
    """

    def __init__(self, patience: int = 10) -> None:
        self._patience = patience
        self.reset()

    def load(self, parameters: Parameters) -> None:
        """Needs no weights."""

    def reset(self) -> None:
        """Begins an episode."""
        self._exceeded = AboveMedian(self._patience, min_steps=0)

    def __call__(self, observation: Observation, reward: float) -> bool:
        """Takes a reward for the score, and says whether to stop."""
        return self._exceeded(reward)
