"""Encoders of camera images: one convolutional stack per camera, then a joint embedding.

Encoders do not depend on their use: the actor-critic and the discriminator have encoders of the same class with
separate weights. Images are uint8 [B, H, W, C], or floats in [0, 1]; permuted to [B, C, H, W] they are already in
`channels_last`, the fastest layout for convolutions on a CPU, so the weights are stored in it, too.
"""

from collections.abc import Callable, Mapping
from functools import cache, partial

import torch
import torch.nn.functional as F
from jaxtyping import Float, Shaped
from torch import Tensor, nn
from torch.func import functional_call

from trailkit.replay.transition import Observation

# A camera's image size: height and width.
ImageSizes = Mapping[str, tuple[int, int]]
Images = Shaped[Tensor, "batch height width colours"]


def _brightness_scale(images: Images) -> float:
    return 1.0 if images.is_floating_point() else 1 / 255


class Encoder(nn.Module):
    """Embeds the cameras of an observation: [B, H, W, 3 frame_stack] each -> float32 [B, embedding] in (-1, 1).

    The outputs of the cameras' stacks are concatenated and pass through Linear, LayerNorm and tanh (TRAIL, Fig. 19).
    The subclasses below differ only in the stack.
    """

    def __init__(
        self,
        stack: Callable[[], nn.Module],
        image_sizes: ImageSizes,
        embedding: int,
        bfloat16: bool = False,
        frame_stack: int = 1,
    ) -> None:
        """Builds one stack for each camera.

        Args:
            stack: Builds a module that maps images to [B, C, h, w].
            image_sizes: Height and width of each camera's images, at least 32 (less after a crop).
            embedding: The width of the output.
            bfloat16: Whether the stacks compute in bfloat16 on a GPU; their weights stay float32.
            frame_stack: How many frames of three channels are stacked in an image.
        """
        super().__init__()
        if not image_sizes:
            raise ValueError("an encoder needs at least one camera: name one in image_sizes")
        self.embedding = embedding
        self.frame_stack = frame_stack
        self._bfloat16 = bfloat16
        self.image_sizes = dict(image_sizes)
        self.stacks = nn.ModuleDict({attribute_name(camera): stack() for camera in sorted(image_sizes)})
        blank = {camera: torch.zeros(1, *image_sizes[camera], 3 * frame_stack) for camera in sorted(image_sizes)}
        width = sum(self._features(camera, images).shape[1] for camera, images in blank.items())
        self.project = nn.Linear(width, embedding)
        self.normalise = nn.LayerNorm(embedding)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, observation: Observation) -> Float[Tensor, "batch embedding"]:
        """Embeds a batch; entries of the observation that are not this encoder's cameras are ignored."""
        features = [self._features(camera, observation[camera]) for camera in sorted(self.image_sizes)]
        joined = torch.cat(features, 1) if len(features) > 1 else features[0]  # cat copies even a single tensor
        return torch.tanh(self.normalise(self.project(joined)))

    def _features(self, camera: str, images: Images) -> Float[Tensor, "batch features"]:
        # Flattened in the memory order of channels_last, which needs no copy.
        stack = self.stacks[attribute_name(camera)]
        output: Tensor = in_bfloat16(stack, images) if self._bfloat16 and images.is_cuda else stack(images)
        return output.permute(0, 2, 3, 1).flatten(1)


@cache
def attribute_name(camera: str) -> str:
    """The submodule name for a camera: the camera's own name, unless torch does not allow it."""
    free = "." not in camera and not hasattr(nn.ModuleDict, camera) and camera not in vars(nn.ModuleDict())
    return camera if free else f"camera_{camera.replace('.', '_')}"


def in_bfloat16(stack: nn.Module, images: Images) -> Float[Tensor, "batch channels h w"]:
    """Computes a stack's output in bfloat16, with its weights rounded to it; returns float32."""
    weights = {name: weight.bfloat16() for name, weight in stack.named_parameters()}
    output: Tensor = functional_call(stack, weights, (images,))
    return output.float()


class _Stem(nn.Module):
    """A first convolution without padding, which includes the scaling of pixels to [-0.5, 0.5].

    So the images are read only once, for the conversion to float, instead of three times.
    """

    def __init__(self, before: int, channels: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(before, channels, kernel, stride)

    def forward(self, images: Images) -> Float[Tensor, "batch channels h w"]:
        weight, bias = self.convolution.weight, self.convolution.bias
        assert bias is not None
        scaled = weight * _brightness_scale(images)
        shifted = bias - 0.5 * weight.sum((1, 2, 3))
        return F.conv2d(images.permute(0, 3, 1, 2).to(weight.dtype), scaled, shifted, self.convolution.stride)


class CompactStack(nn.Module):
    """Three convolutions of 16, 32 and 32 channels: half of Nature's width, smaller kernels, and a finer output map.

    Chosen among strides, kernels and patch embeddings: it locates a block in synthetic scenes as well as Nature's
    after equally many updates, in 0.45 of the time on one thread.
    """

    def __init__(self, channels: int = 3) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            _Stem(channels, 16, kernel=5, stride=4),
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, stride=2),
            nn.ReLU(),
            nn.Conv2d(32, 32, 3, padding=1),
            nn.ReLU(),
        )

    def forward(self, images: Images) -> Float[Tensor, "batch channels h w"]:
        """Maps images to feature maps of about an eighth of their size."""
        output: Tensor = self.layers(images)
        return output


class NatureStack(nn.Module):
    """The three convolutions of DQN (Mnih et al. 2015), which most comparable libraries use."""

    SMALLEST = 36  # smaller images are too small for the last convolution

    def __init__(self, channels: int = 3) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            _Stem(channels, 32, kernel=8, stride=4),
            nn.ReLU(),
            nn.Conv2d(32, 64, 4, stride=2),
            nn.ReLU(),
            nn.Conv2d(64, 64, 3),
            nn.ReLU(),
        )

    def forward(self, images: Images) -> Float[Tensor, "batch channels h w"]:
        """Maps images to feature maps; small ones are padded with black to `SMALLEST`."""
        height, width = images.shape[1:3]
        missing = (0, 0, 0, max(0, self.SMALLEST - width), 0, max(0, self.SMALLEST - height))
        output: Tensor = self.layers(F.pad(images, missing) if any(missing) else images)
        return output


class _ResidualBlock(nn.Module):
    """Two pre-normalised convolutions with a skip connection."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            _instance_norm(channels),
            nn.ELU(),
            nn.Conv2d(channels, channels, 3, padding=1),
            _instance_norm(channels),
            nn.ELU(),
            nn.Conv2d(channels, channels, 3, padding=1),
        )

    def forward(self, maps: Float[Tensor, "batch channels h w"]) -> Float[Tensor, "batch channels h w"]:
        output: Tensor = maps + self.layers(maps)
        return output


def _instance_norm(channels: int) -> nn.Module:
    # One group per channel is instance normalisation; unlike InstanceNorm2d, this kernel keeps channels_last.
    return nn.GroupNorm(channels, channels)


class ResidualStack(nn.Module):
    """The paper's 15 convolutions in three stages of 16, 32 and 32 channels (TRAIL, app. H, Fig. 19).

    Each stage is a convolution, a max-pool that halves the size, and two residual blocks: IMPALA's network with
    instance normalisation and ELU. The figure starts the first skip before the pool, where shapes do not match; here
    it starts after the pool, as in IMPALA. The text's "eight convolutional layers" contradicts the figure.
    """

    def __init__(self, channels: int = 3) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in ((channels, 16), (16, 32), (32, 32)):
            layers += [nn.Conv2d(before, after, 3, padding=1), nn.MaxPool2d(3, stride=2, padding=1)]
            layers += [_ResidualBlock(after), _ResidualBlock(after)]
        self.layers = nn.Sequential(*layers, _instance_norm(32), nn.ELU())

    def forward(self, images: Images) -> Float[Tensor, "batch channels h w"]:
        """Maps images to feature maps of an eighth of their size, rounded up."""
        dtype = next(self.parameters()).dtype
        pixels = images.permute(0, 3, 1, 2).to(dtype) * _brightness_scale(images) - 0.5
        output: Tensor = self.layers(pixels)
        return output


class CompactEncoder(Encoder):
    """The default encoder, designed for CPUs."""

    def __init__(
        self, image_sizes: ImageSizes, embedding: int = 64, bfloat16: bool = False, frame_stack: int = 1
    ) -> None:
        super().__init__(partial(CompactStack, 3 * frame_stack), image_sizes, embedding, bfloat16, frame_stack)


class NatureEncoder(Encoder):
    """The baseline of comparable libraries."""

    def __init__(
        self, image_sizes: ImageSizes, embedding: int = 64, bfloat16: bool = False, frame_stack: int = 1
    ) -> None:
        super().__init__(partial(NatureStack, 3 * frame_stack), image_sizes, embedding, bfloat16, frame_stack)


class ResidualEncoder(Encoder):
    """The paper's encoder; the paper does not give the width of the embedding."""

    def __init__(
        self, image_sizes: ImageSizes, embedding: int = 256, bfloat16: bool = False, frame_stack: int = 1
    ) -> None:
        super().__init__(partial(ResidualStack, 3 * frame_stack), image_sizes, embedding, bfloat16, frame_stack)
