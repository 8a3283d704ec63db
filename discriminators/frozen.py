"""Features that the discriminator takes as they are: of random weights, or of the critic's."""

from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call

from trailkit.discriminators.base import FrameEncoder
from trailkit.replay.transition import Observation


class FrozenEncoder(nn.Module):
    """An encoder that somebody else trains, or nobody: gradients reach the frames through it, but not its weights.

    Under a small head it makes a discriminator that has little of its own to overfit with (Reed et al. 2018,
    "Visual Imitation with a Minimal Adversary"; TRAIL, Fig. 7).
    """

    def __init__(self, encoder: FrameEncoder) -> None:
        """Shares the encoder: whatever its weights are, it embeds with those of now."""
        super().__init__()
        assert isinstance(encoder, nn.Module)
        self.encoder: nn.Module = encoder
        self.embedding = encoder.embedding
        self.image_sizes = encoder.image_sizes

    def forward(self, observation: Observation) -> Float[Tensor, "batch embedding"]:
        """Embeds the cameras of a batch, [B, H, W, 3] each."""
        weights = {name: weight.detach() for name, weight in self.encoder.named_parameters()}
        features: Tensor = functional_call(self.encoder, weights, (observation,))
        return features
