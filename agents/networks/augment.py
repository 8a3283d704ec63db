"""Random augmentation of the images that train the policy and the critic."""

import torch
from jaxtyping import UInt8
from torch import Tensor

from trailkit.discriminators.augmentation import recolour_at_random
from trailkit.replay.transition import Observation


class RandomShift:
    """Shifts each image randomly by up to `pixels` in each direction, repeating its edges.

    From "Mastering Visual Continuous Control" (DrQ-v2), Yarats et al. 2021 (https://arxiv.org/abs/2107.09645), but
    by whole pixels and on uint8, which on a CPU is much faster than its bilinear sampling.
    """

    def __init__(self, pixels: int) -> None:
        self._pixels = pixels

    def __call__(self, observation: Observation, generator: torch.Generator) -> Observation:
        """Shifts the images of all cameras; other entries are unchanged."""
        if not self._pixels:
            return observation
        return {
            name: self._shift(values, generator) if values.dtype == torch.uint8 else values
            for name, values in observation.items()
        }

    def _shift(self, images: UInt8[Tensor, "batch H W C"], generator: torch.Generator) -> UInt8[Tensor, "batch H W C"]:
        count, height, width, channels = images.shape
        pixels, places, device = self._pixels, 2 * self._pixels + 1, images.device
        choice = torch.randint(places**2, (count, 1), generator=generator, device=device)
        down, right = choice // places - pixels, choice % places
        edges = [edge.expand(-1, -1, pixels, -1) for edge in (images[:, :, :1], images[:, :, -1:])]
        wide = torch.cat([edges[0], images, edges[1]], 2)
        row = (torch.arange(height, device=device) + down).clamp(0, height - 1)
        first = (torch.arange(count, device=device)[:, None] * height + row) * wide.shape[2] + right
        # All runs of `width` consecutive pixels; each row of the result is one of them, so whole rows are copied.
        runs = wide.as_strided((wide.numel() // channels - width + 1, channels * width), (channels, 1))
        return runs.index_select(0, first.flatten()).view_as(images)


class RandomColours:
    """Maps the colours of each image by a random function of its own, as the discriminator's augmentation may.

    This makes demonstrations by an arm of another colour, or in other light, usable for an agent that looks different.
    """

    def __call__(self, observation: Observation, generator: torch.Generator) -> Observation:
        """Recolours all cameras, to float32 in [0, 1]; what is no image is left as it is."""
        return {
            name: recolour_at_random(values.float() / 255, generator) if values.dtype == torch.uint8 else values
            for name, values in observation.items()
        }
