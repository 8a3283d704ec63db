"""An encoder that the discriminator uses without training it: with random weights, or the critic's."""

from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call

from trailkit.discriminators.base import FrameEncoder
from trailkit.replay.transition import Observation


class FrozenEncoder(nn.Module):
    """An encoder that is trained elsewhere or not at all: gradients flow to the frames, but not to its weights.

    With a small head on top it makes a discriminator with few weights to overfit with (Reed et al. 2018,
    "Visual Imitation with a Minimal Adversary"; TRAIL, Fig. 7).
    """

    def __init__(self, encoder: FrameEncoder) -> None:
        """Shares the encoder: frames are always embedded with its current weights."""
        super().__init__()
        assert isinstance(encoder, nn.Module)
        self.encoder: nn.Module = encoder
        self.embedding = encoder.embedding
        self.image_sizes = encoder.image_sizes

    def forward(self, observation: Observation) -> Float[Tensor, "batch embedding"]:
        """Embeds the camera images of a batch, [B, H, W, 3] each."""
        weights = {name: weight.detach() for name, weight in self.encoder.named_parameters()}
        features: Tensor = functional_call(self.encoder, weights, (observation,))
        return features
