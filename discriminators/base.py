"""The interfaces of learned rewards: what gives a reward, and what a discriminator's loss is a function of."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from trailkit.replay.transition import ImitationBatch, Observation, Transition

# A camera's image size: height and width.
ImageSizes = Mapping[str, tuple[int, int]]


@runtime_checkable
class FrameEncoder(Protocol):
    """What a discriminator needs of the encoder that it is given: a `torch.nn.Module` with these two attributes."""

    embedding: int
    image_sizes: dict[str, tuple[int, int]]

    def __call__(self, observation: Observation, /) -> Tensor:
        """Embeds the cameras of a batch: float32 [B, embedding]."""


class Logits(NamedTuple):
    """The discriminator's outputs for frames of both sources; high means expert, and 0 means undecided."""

    expert: Tensor  # [B]
    agent: Tensor  # [B]


class Judgement(NamedTuple):
    """All that a discriminator's loss may look at; all frames were judged in one forward pass."""

    train: Logits
    constraint: Logits | None  # of TRAIL's I_E and I_A
    expert_frames: Observation  # what `train` was computed from, augmented: float32 [B, H, W, 3]
    agent_frames: Observation
    discriminator: Callable[[Observation], Tensor]
    generator: torch.Generator  # for whatever a loss draws, so that a resumed run draws the same


DiscriminatorLoss = Callable[[Judgement], Tensor]
RewardFunction = Callable[[Tensor], Tensor]


@runtime_checkable
class RewardModel(Protocol):
    """A reward that is computed when a transition is sampled, never stored."""

    def update(self, batch: ImitationBatch) -> Mapping[str, Tensor]:
        """Makes one update and returns what happened in it: scalars, where it learns."""

    def reward(self, transition: Transition, expert_rows: int = 0) -> Float[Tensor, "batch n"]:
        """Returns the rewards of arriving in each of `next_observation`, padding included.

        The last `expert_rows` rows are the expert's, for a reward that may know it.
        """

    def weights(self) -> Mapping[str, Tensor]:
        """A copy of the weights, for actors that stop early by them; may be empty."""

    def state_dict(self) -> dict[str, Any]:
        """Everything that a checkpoint needs to go on exactly."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes over what `state_dict` returned."""
