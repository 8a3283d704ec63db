"""The discriminator: an encoder and a small head that distinguish the expert's frames from the agent's."""

from itertools import pairwise

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from trailkit.discriminators.augmentation import centre_crop
from trailkit.discriminators.base import FrameEncoder
from trailkit.discriminators.frozen import FrozenEncoder
from trailkit.replay.transition import Observation


class Discriminator(nn.Module):
    """Maps single frames of all cameras, without proprioception or action, to logits: high = expert.

    The encoder is passed in, so that this package does not depend on any; its `image_sizes` determine how much of an
    image's centre it sees. The head is an MLP with ReLU (TRAIL, app. H).
    """

    def __init__(self, encoder: FrameEncoder, hidden: tuple[int, ...] = (32, 32), dropout: float = 0.0) -> None:
        """Puts a new head on the encoder.

        Args:
            encoder: Embeds the frames; a `FrozenEncoder` is not trained.
            hidden: The widths of the head's layers.
            dropout: The probability with which each entry of an embedding is dropped while the discriminator trains.
        """
        super().__init__()
        self.encoder = encoder
        self._dropout = dropout
        layers: list[nn.Module] = []
        for before, after in pairwise((encoder.embedding, *hidden)):
            layers += [nn.Linear(before, after), nn.ReLU()]
        self.head = nn.Sequential(*layers, nn.Linear((encoder.embedding, *hidden)[-1], 1))

    @property
    def cameras(self) -> tuple[str, ...]:
        """The cameras that it uses."""
        return tuple(self.encoder.image_sizes)

    @property
    def trained(self) -> nn.Module:
        """The module that its own loss trains."""
        return self.head if isinstance(self.encoder, FrozenEncoder) else self

    def forward(self, observation: Observation, training: torch.Generator | None = None) -> Float[Tensor, " batch"]:
        """Judges the centre crops of the images; already cropped images are used as they are.

        Args:
            observation: [B, H, W, 3] a camera; of stacked frames only the newest is used.
            training: Draws the dropout, during training.
        """
        sizes = self.encoder.image_sizes
        crops = {camera: centre_crop(newest_frame(observation[camera]), size) for camera, size in sizes.items()}
        features = self.encoder(crops)
        if training is not None and self._dropout:
            features = drop(features, self._dropout, training)
        logits: Tensor = self.head(features)
        return logits.squeeze(1)


def newest_frame(images: Shaped[Tensor, "... H W channels"]) -> Shaped[Tensor, "... H W 3"]:
    """The last of an agent's possibly stacked frames, as a view."""
    return images[..., -3:]


def drop(
    features: Float[Tensor, "batch width"], rate: float, generator: torch.Generator
) -> Float[Tensor, "batch width"]:
    """Sets entries to 0 with probability `rate` and divides the others by 1 - rate, which keeps their mean.

    See "Dropout", Srivastava et al. 2014, and for discriminators Orsini et al. 2021 (https://arxiv.org/abs/2106.00672).
    """
    kept = torch.rand(features.shape, generator=generator, device=generator.device) >= rate
    return features * kept / (1 - rate)
