"""The interfaces of learned rewards: what provides a reward, and what a discriminator's loss depends on."""

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
    """What a discriminator requires of its encoder: a `torch.nn.Module` with these two attributes."""

    embedding: int
    image_sizes: dict[str, tuple[int, int]]

    def __call__(self, observation: Observation, /) -> Tensor:
        """Embeds the camera images of a batch: float32 [B, embedding]."""


class Logits(NamedTuple):
    """The discriminator's outputs for frames of both sources; high means expert, 0 means undecided."""

    expert: Tensor  # [B]
    agent: Tensor  # [B]


class Judgement(NamedTuple):
    """Everything that a discriminator's loss may use; all frames were judged in one forward pass."""

    train: Logits
    constraint: Logits | None  # for TRAIL's I_E and I_A
    expert_frames: Observation  # what `train` was computed from, augmented: float32 [B, H, W, 3]
    agent_frames: Observation
    discriminator: Callable[[Observation], Tensor]
    generator: torch.Generator  # for all random draws of a loss, so that a resumed run draws the same


DiscriminatorLoss = Callable[[Judgement], Tensor]
RewardFunction = Callable[[Tensor], Tensor]


@runtime_checkable
class RewardModel(Protocol):
    """A reward that is computed when a transition is sampled, never stored."""

    def update(self, batch: ImitationBatch) -> Mapping[str, Tensor]:
        """Makes one update and returns scalar metrics of it, if it learns."""

    def reward(self, transition: Transition, expert_rows: int = 0) -> Float[Tensor, "batch n"]:
        """Returns the rewards for arriving in each of `next_observation`, padding included.

        The last `expert_rows` rows are the expert's, for a reward that is allowed to know.
        """

    def weights(self) -> Mapping[str, Tensor]:
        """A copy of the weights, for actors that use them for early stopping; may be empty."""

    def state_dict(self) -> dict[str, Any]:
        """Everything that a checkpoint needs to continue exactly."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restores what `state_dict` returned."""
