"""Random shifts of the images that the policy and the critic learn from."""

import torch
from torch import Tensor

from trailkit.discriminators.augmentation import crop_maps, gather_pixels
from trailkit.replay.transition import Observation


class RandomShift:
    """Shifts each image by up to `pixels` each way, its edges repeated where nothing is known.

    From "Mastering Visual Continuous Control" (DrQ-v2), Yarats et al. 2021 (https://arxiv.org/abs/2107.09645), but
    by whole pixels and on uint8, which takes a tenth of the time of its bilinear sampling on a CPU.
    """

    def __init__(self, pixels: int) -> None:
        self._pixels = pixels
        self._maps: dict[tuple[int, int], Tensor] = {}  # all shifts of images of one size

    def __call__(self, observation: Observation, generator: torch.Generator) -> Observation:
        """Shifts all cameras; what is no image is left as it is."""
        if not self._pixels:
            return observation
        return {
            name: self._shift(values, generator) if values.dtype == torch.uint8 else values
            for name, values in observation.items()
        }

    def _shift(self, images: Tensor, generator: torch.Generator) -> Tensor:
        size = (images.shape[1], images.shape[2])
        if size not in self._maps:
            reach = torch.arange(-self._pixels, self._pixels + 1.0)
            top, left = torch.cartesian_prod(reach, reach).unbind(1)
            self._maps[size] = crop_maps(size, size, top, left, torch.zeros(len(top))).to(images.device)
        maps = self._maps[size]
        choice = torch.randint(len(maps), (len(images),), generator=generator).to(images.device)
        return gather_pixels(images, maps[choice], size)
