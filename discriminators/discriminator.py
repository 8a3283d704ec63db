"""The discriminator: an encoder and a small head that tell the expert's frames from the agent's."""

from itertools import pairwise

from jaxtyping import Float
from torch import Tensor, nn

from trailkit.discriminators.augmentation import centre_crop
from trailkit.discriminators.base import FrameEncoder
from trailkit.replay.transition import Observation


class Discriminator(nn.Module):
    """Maps single frames of all cameras, without proprioception or action, to logits: high = expert.

    The encoder is given, so that this package knows none; its `image_sizes` say how much of the centre of an image it
    sees. The head is an MLP with ReLU (TRAIL, app. H).
    """

    def __init__(self, encoder: FrameEncoder, hidden: tuple[int, ...] = (32, 32)) -> None:
        super().__init__()
        self.encoder = encoder
        layers: list[nn.Module] = []
        for before, after in pairwise((encoder.embedding, *hidden)):
            layers += [nn.Linear(before, after), nn.ReLU()]
        self.head = nn.Sequential(*layers, nn.Linear((encoder.embedding, *hidden)[-1], 1))

    @property
    def cameras(self) -> tuple[str, ...]:
        """The cameras that it looks at."""
        return tuple(self.encoder.image_sizes)

    def forward(self, observation: Observation) -> Float[Tensor, " batch"]:
        """Judges the centres of the images; those that are cropped already are their own centres."""
        crops = {camera: centre_crop(observation[camera], size) for camera, size in self.encoder.image_sizes.items()}
        logits: Tensor = self.head(self.encoder(crops))
        return logits.squeeze(1)
