"""The discriminator: an encoder and a small head that tell the expert's frames from the agent's."""

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

    The encoder is given, so that this package knows none; its `image_sizes` say how much of the centre of an image it
    sees. The head is an MLP with ReLU (TRAIL, app. H).
    """

    def __init__(self, encoder: FrameEncoder, hidden: tuple[int, ...] = (32, 32), dropout: float = 0.0) -> None:
        """Puts a new head on the encoder.

        Args:
            encoder: with which frames are embedded; a `FrozenEncoder` is not trained.
            hidden: the widths of the head's layers.
            dropout: the probability with which each entry of an embedding is left out while the discriminator trains.
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
        """The cameras that it looks at."""
        return tuple(self.encoder.image_sizes)

    @property
    def trained(self) -> nn.Module:
        """What its own loss trains."""
        return self.head if isinstance(self.encoder, FrozenEncoder) else self

    def forward(self, observation: Observation, training: torch.Generator | None = None) -> Float[Tensor, " batch"]:
        """Judges the centres of the images; those that are cropped already are their own centres.

        Args:
            observation: [B, H, W, 3] a camera; of stacked frames the newest is looked at.
            training: draws what is dropped, in training.
        """
        sizes = self.encoder.image_sizes
        crops = {camera: centre_crop(newest_frame(observation[camera]), size) for camera, size in sizes.items()}
        features = self.encoder(crops)
        if training is not None and self._dropout:
            features = drop(features, self._dropout, training)
        logits: Tensor = self.head(features)
        return logits.squeeze(1)


def newest_frame(images: Shaped[Tensor, "... H W channels"]) -> Shaped[Tensor, "... H W 3"]:
    """The last of the frames that an agent's pictures may be stacked of, as a view."""
    return images[..., -3:]


def drop(
    features: Float[Tensor, "batch width"], rate: float, generator: torch.Generator
) -> Float[Tensor, "batch width"]:
    """Sets entries to 0 with probability `rate` and divides the others by 1 - rate, so that their mean is the same.

    See "Dropout", Srivastava et al. 2014, and for discriminators Orsini et al. 2021 (https://arxiv.org/abs/2106.00672).
    """
    kept = torch.rand(features.shape, generator=generator, device=generator.device) >= rate
    return features * kept / (1 - rate)
