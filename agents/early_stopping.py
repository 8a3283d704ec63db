"""When an actor ends an episode: never, after a fixed time, or when some score is high (TRAIL, sec. 5, AES).

The loop must end such an episode as a truncation: its discount stays 1, otherwise good states would be penalised.
"""

import bisect
import copy

import numpy as np
import torch

from trailkit.agents.base import Parameters, as_tensors
from trailkit.discriminators.discriminator import Discriminator
from trailkit.replay.transition import Observation

_MARGIN = 1e-4  # of a logit: the last bits of a frame's logit depend on which frames it is batched with


class Never:
    """Lets every episode run to its time limit."""

    def load(self, parameters: Parameters) -> None:
        """Needs no weights."""

    def reset(self) -> None:
        """Starts an episode: nothing to do."""

    def __call__(self, observation: Observation, reward: float) -> bool:
        """Never stops."""
        return False


class AfterSteps:
    """Stops every episode after a fixed number of steps: the paper's fixed early stopping (TRAIL, Fig. 9)."""

    def __init__(self, steps: int) -> None:
        self._steps = steps
        self.reset()

    def load(self, parameters: Parameters) -> None:
        """Needs no weights."""

    def reset(self) -> None:
        """Starts an episode."""
        self._taken = 0

    def __call__(self, observation: Observation, reward: float) -> bool:
        """Counts a step."""
        self._taken += 1
        return self._taken >= self._steps


class AboveMedian:
    """Detects when scores have exceeded their own median for some time.

    The median is over all scores so far, including the latest; a score that is equal to it, or exceeds it by at most
    `margin`, does not count.
    """

    def __init__(self, patience: int, min_steps: int, margin: float = 0.0) -> None:
        self._patience = patience
        self._min_steps = min_steps
        self._margin = margin
        self._scores: list[float] = []  # sorted
        self._consecutive = 0

    def __call__(self, score: float) -> bool:
        """Adds the next score."""
        bisect.insort(self._scores, score)
        count = len(self._scores)
        median = (self._scores[(count - 1) // 2] + self._scores[count // 2]) / 2
        self._consecutive = self._consecutive + 1 if score > median + self._margin else 0
        return self._consecutive >= self._patience and count >= self._min_steps


class ByDiscriminator:
    """Stops when the discriminator's score exceeds the episode's median for `patience` steps in a row: adaptive AES.

    Successful frames then stay rare among the agent's, so that success remains a feature of the expert (TRAIL, sec. 5).
    """

    def __init__(self, discriminator: Discriminator, patience: int = 10, min_steps: int = 0) -> None:
        """Copies the discriminator to the CPU.

        Args:
            discriminator: Scores the frames.
            patience: Consecutive steps above the median; the paper's is 10.
            min_steps: No episode stops before this many steps. The paper has no minimum, but slowly changing scores
                would stop most episodes long before a success.
        """
        self._discriminator = copy.deepcopy(discriminator).cpu().requires_grad_(False).eval()
        self._patience = patience
        self._min_steps = min_steps
        self.reset()

    def load(self, parameters: Parameters) -> None:
        """Loads the weights of the discriminator."""
        self._discriminator.load_state_dict(parameters["discriminator"])

    def reset(self) -> None:
        """Starts an episode."""
        self._exceeded = AboveMedian(self._patience, self._min_steps, _MARGIN)
        self._unscored: list[Observation] = []
        self._taken = 0

    def __call__(self, observation: Observation, reward: float) -> bool:
        """Adds one frame, unbatched, and decides whether to stop.

        Before `min_steps` the scores are not needed, so these frames are scored later in one batch, which is faster.
        """
        # Copies, because an environment may render every image into the same buffer.
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
    """Stops by the same rule, applied to the environment's own reward: the paper's upper bound for AES (TRAIL, Fig. 9).

    There is no minimum number of steps: a reward that is 0 until the task is solved never stops an episode too early.
    """

    def __init__(self, patience: int = 10) -> None:
        self._patience = patience
        self.reset()

    def load(self, parameters: Parameters) -> None:
        """Needs no weights."""

    def reset(self) -> None:
        """Starts an episode."""
        self._exceeded = AboveMedian(self._patience, min_steps=0)

    def __call__(self, observation: Observation, reward: float) -> bool:
        """Takes the reward as the score, and decides whether to stop."""
        return self._exceeded(reward)
