"""Augmentation of the discriminator's training frames, cheaper than the discriminator itself (TRAIL, app. B).

Crop and rotation are one gather of pixels through precomputed index maps, all colour changes are one batched matrix
product, and the noise comes from a bank drawn once: together this takes a tenth of the time of the same operations
one by one.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, Shaped, UInt8
from torch import Tensor, nn

from trailkit.discriminators.base import ImageSizes
from trailkit.replay.transition import Observation

LUMA = (0.299, 0.587, 0.114)  # weights of red, green and blue in brightness (ITU-R BT.601)
TRANSFORMS = 512  # random crops with rotations in each camera's bank
NOISE = 1 << 22  # numbers in the noise bank, 16 MiB
BLOCK = 4  # pixels that one row of the colour product holds: with only 3 columns the CPU would idle


@dataclass(frozen=True)
class AugmentationSettings:
    """Strengths of the augmentations; the paper gives none. 0 switches one off."""

    brightness: float = 0.15  # largest shift, as a fraction of the full range
    contrast: float = 0.3  # largest relative change, around mid grey
    saturation: float = 0.3  # largest relative change of the distance from grey
    rotation: float = 5.0  # largest angle, degrees
    noise: float = 0.03  # standard deviation, as a part of the full range
    camera_drop: float = 0.2  # probability that a camera is dropped, one always being kept
    shift: float = 1.0  # how far a crop may lie from the centre, as a part of the way to the picture's edge
    random_colours: bool = False  # whether each image's colours go through a random wave; see `recolour_at_random`


UNCHANGED = AugmentationSettings(0, 0, 0, 0, 0, 0, 0)
WAVE = math.pi / math.sqrt(3)  # about half a period from black to white, by all three channels together


def crop_sizes(image_sizes: ImageSizes, fraction: float = 0.75) -> dict[str, tuple[int, int]]:
    """Returns the size of what the discriminator sees of each camera: 48 of 64 pixels, as in TRAIL, Table 3."""
    return {
        camera: (max(1, round(h * fraction)), max(1, round(w * fraction))) for camera, (h, w) in image_sizes.items()
    }


def centre_crop(images: Shaped[Tensor, "batch H W 3"], size: tuple[int, int]) -> Shaped[Tensor, "batch h w 3"]:
    """Cuts out the centre, as a view."""
    height, width = size
    top, left = (images.shape[1] - height) // 2, (images.shape[2] - width) // 2
    return images[:, top : top + height, left : left + width]


def crop_maps(
    size: tuple[int, int],
    crop: tuple[int, int],
    top: Float[Tensor, " maps"],
    left: Float[Tensor, " maps"],
    angle: Float[Tensor, " maps"],
) -> Int[Tensor, "maps pixels"]:
    """Returns the source of each pixel of a crop: indices into the flattened image, by nearest neighbour.

    Args:
        size: Height and width of the images.
        crop: Height and width of the crops.
        top: The crops' first rows; pixels beyond the image repeat the nearest ones in it.
        left: The crops' first columns.
        angle: The crops' rotations about their centres, radians.
    """
    (height, width), (rows, columns) = size, crop
    y = (torch.arange(rows) - (rows - 1) / 2)[None, :, None]
    x = (torch.arange(columns) - (columns - 1) / 2)[None, None, :]
    cos, sin = angle.cos()[:, None, None], angle.sin()[:, None, None]
    row = cos * y - sin * x + (rows - 1) / 2 + top[:, None, None]
    column = sin * y + cos * x + (columns - 1) / 2 + left[:, None, None]
    flat = row.round().clamp(0, height - 1) * width + column.round().clamp(0, width - 1)
    return flat.flatten(1).int()


def gather_pixels(
    images: Shaped[Tensor, "batch H W 3"],
    maps: Int[Tensor, "maps pixels"],
    choice: Int[Tensor, " batch"],
    size: tuple[int, int],
) -> Shaped[Tensor, "batch h w 3"]:
    """Builds each image from its own pixels: pixel p of image i is pixel maps[choice[i], p] of the original."""
    count, height, width, _ = images.shape
    first = torch.arange(count, dtype=torch.int32, device=images.device)[:, None] * (height * width)
    pixels = maps.index_select(0, choice).add_(first).view(-1)
    return images.reshape(-1, 3).index_select(0, pixels).view(count, *size, 3)


class Augmentation(nn.Module):
    """Turns training frames, uint8 [B, H, W, 3] a camera, into augmented crops, float32 [B, h, w, 3] around [0, 1].

    Holds banks but no weights. All draws for a frame come from the generator passed to each call.
    """

    def __init__(
        self, image_sizes: ImageSizes, crops: ImageSizes, settings: AugmentationSettings | None = None, seed: int = 0
    ) -> None:
        """Draws the banks.

        Args:
            image_sizes: Height and width of the cameras' images.
            crops: Height and width of the random crops.
            settings: The strengths.
            seed: Seeds the banks.
        """
        super().__init__()
        self.settings = settings or AugmentationSettings()
        self.crops = dict(crops)
        generator = torch.Generator().manual_seed(seed)
        largest_angle = math.radians(self.settings.rotation)
        for camera, crop in self.crops.items():
            slack = [whole - part for whole, part in zip(image_sizes[camera], crop, strict=True)]
            if min(slack) < 0:
                raise ValueError(f"camera {camera!r}: a crop of {crop} does not fit in images of {image_sizes[camera]}")
            top, left = (self._places(room, generator) for room in slack)
            angle = largest_angle * (2 * torch.rand(TRANSFORMS, generator=generator) - 1)
            maps = crop_maps(image_sizes[camera], crop, top, left, angle)
            self.register_buffer(_bank(camera), maps, persistent=False)
        self.register_buffer("noise", torch.randn(NOISE, generator=generator), persistent=False)
        self.register_buffer("luma", torch.tensor(LUMA), persistent=False)

    def _places(self, room: int, generator: torch.Generator) -> Float[Tensor, " maps"]:
        """Draws the offsets of crops along an axis with `room` spare pixels."""
        drawn, centre = torch.randint(room + 1, (TRANSFORMS,), generator=generator), room // 2
        return (centre + self.settings.shift * (drawn - centre).float()).round()

    def forward(self, frames: Observation, generator: torch.Generator) -> dict[str, Tensor]:
        """Augments each camera with its own random draws."""
        augmented = {camera: self._augment(camera, frames[camera], generator) for camera in self.crops}
        if len(augmented) == 1:
            return augmented
        count = len(next(iter(augmented.values())))
        kept = draw_kept(count, len(augmented), self.settings.camera_drop, generator)
        for column, images in zip(kept.unbind(1), augmented.values(), strict=True):
            images.mul_(column[:, None, None, None])
        return augmented

    def _augment(
        self, camera: str, images: UInt8[Tensor, "batch H W 3"], generator: torch.Generator
    ) -> Float[Tensor, "batch h w 3"]:
        size, bank = self.crops[camera], self.get_buffer(_bank(camera))
        choice = torch.randint(len(bank), (len(images),), generator=generator, device=generator.device)
        pixels = gather_pixels(images, bank, choice, size)
        matrix, offset = self._draw_colours(len(images), generator)
        noise = self._draw_noise(pixels.numel(), generator).view(len(images), -1, 3)
        coloured = _recolour(pixels.view(len(images), -1, 3), matrix, offset, noise, self.settings.noise)
        augmented = coloured.view(len(images), *size, 3)
        return recolour_at_random(augmented, generator) if self.settings.random_colours else augmented

    def _draw_noise(self, count: int, generator: torch.Generator) -> Float[Tensor, " count"]:
        """Takes slices from random places of the bank, each at most half its size; on a GPU drawing is just as fast."""
        if generator.device.type != "cpu":
            return torch.randn(count, generator=generator, device=generator.device)
        bank = self.get_buffer("noise")
        runs = []
        for length in [NOISE // 2] * (count // (NOISE // 2)) + [count % (NOISE // 2)]:
            start = int(torch.randint(NOISE - length + 1, (), generator=generator))
            runs.append(bank[start : start + length])
        return runs[0] if len(runs) == 1 else torch.cat(runs)

    def _draw_colours(
        self, count: int, generator: torch.Generator
    ) -> tuple[Float[Tensor, "batch 3 3"], Float[Tensor, "batch 1 3"]]:
        """Draws linear colour maps: out = in @ matrix + offset, for colours in [0, 1]."""
        uniform = 2 * torch.rand(3, count, 1, 1, generator=generator, device=generator.device) - 1
        brightness = self.settings.brightness * uniform[0]
        contrast = 1 + self.settings.contrast * uniform[1]
        saturation = 1 + self.settings.saturation * uniform[2]
        grey = self.get_buffer("luma")[:, None].expand(3, 3)
        identity = torch.eye(3, device=generator.device)
        matrix = contrast * (saturation * identity + (1 - saturation) * grey)
        offset = (0.5 * (1 - contrast) + brightness).expand(count, 1, 3)
        return matrix, offset


def _bank(camera: str) -> str:
    """The buffer's name for a camera's crops; torch allows no dots in names."""
    return f"maps_{camera.replace('.', '_')}"


def recolour_at_random(
    images: Float[Tensor, "batch h w channels"], generator: torch.Generator
) -> Float[Tensor, "batch h w channels"]:
    """Maps the colours of each image by a random smooth function of its own: 1/2 + 1/2 sin(colour @ waves + phases).

    Afterwards no colour tells by itself whose picture it is. Linear maps ("Network Randomization", Lee et al. 2020,
    https://arxiv.org/abs/1910.05396) do not suffice: the darkest thing of a scene stays at the edge of its colours.

    Args:
        images: Of around [0, 1]; three channels for each frame.
        generator: Draws the functions.
    """
    count, device = len(images), generator.device
    waves = WAVE * torch.randn(count, 3, 3, generator=generator, device=device)
    phases = 2 * math.pi * torch.rand(count, 1, 3, generator=generator, device=device)
    mapped = torch.baddbmm(phases, images.reshape(count, -1, 3), waves).sin_()
    return mapped.mul_(0.5).add_(0.5).view(images.shape)


def _recolour(
    pixels: UInt8[Tensor, "batch pixels 3"],
    matrix: Float[Tensor, "batch 3 3"],
    offset: Float[Tensor, "batch 1 3"],
    noise: Float[Tensor, "batch pixels 3"],
    deviation: float,
) -> Float[Tensor, "batch pixels 3"]:
    """Applies each image's colour map, for colours in [0, 1], and adds noise, in one matrix product."""
    count, number, _ = pixels.shape
    block = math.gcd(number, BLOCK)
    blocks = torch.zeros(count, block, 3, block, 3, device=pixels.device)
    diagonal = torch.arange(block, device=pixels.device)
    blocks[:, diagonal, :, diagonal, :] = matrix / 255
    width = 3 * block
    rows = pixels.reshape(count, -1, width).float()
    added = torch.add(offset.repeat(1, 1, block), noise.reshape(count, -1, width), alpha=deviation)
    return added.baddbmm_(rows, blocks.view(count, width, width)).view(count, number, 3)


def draw_kept(count: int, cameras: int, drop: float, generator: torch.Generator) -> Float[Tensor, "batch cameras"]:
    """Draws which cameras a frame keeps, 1 or 0: each is dropped with probability `drop`, but never the last one."""
    uniform = torch.rand(count, cameras, generator=generator, device=generator.device)
    return torch.maximum((uniform >= drop).float(), F.one_hot(uniform.argmax(1), cameras).float())
