"""Augmentation: each operation does what it says, and the fast forms equal the plain ones."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from trailkit.discriminators.augmentation import (
    LUMA,
    UNCHANGED,
    Augmentation,
    AugmentationSettings,
    centre_crop,
    crop_maps,
    crop_sizes,
    draw_kept,
    gather_pixels,
    recolour_at_random,
)

NOTHING = AugmentationSettings(brightness=0, contrast=0, saturation=0, rotation=0, noise=0, camera_drop=0)


def images(batch: int, height: int, width: int) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (batch, height, width, 3), dtype=torch.uint8, generator=generator)


def augmented(settings: AugmentationSettings, frames: Tensor, crop: tuple[int, int]) -> Tensor:
    size = (frames.shape[1], frames.shape[2])
    augmentation = Augmentation({"front": size}, {"front": crop}, settings)
    return augmentation({"front": frames}, torch.Generator().manual_seed(0))["front"]


def test_a_batch_larger_than_the_noise_bank_gets_noise_of_its_own() -> None:
    # The paper's: four sources of 256 frames, 48x48.
    crops = augmented(replace(NOTHING, noise=0.1), torch.zeros(1024, 64, 64, 3, dtype=torch.uint8), (48, 48))
    assert crops.std().item() == pytest.approx(0.1, rel=0.01)
    assert not torch.equal(crops[0], crops[-1])


def test_without_strength_frames_are_cropped_to_parts_of_themselves() -> None:
    frames = images(40, 10, 12)
    crops = augmented(NOTHING, frames, (8, 9))
    places = set()
    for frame, crop in zip(frames.float() / 255, crops, strict=True):
        found = [
            (top, left)
            for top in range(3)
            for left in range(4)
            if torch.allclose(frame[top : top + 8, left : left + 9], crop, atol=1e-6)
        ]
        assert len(found) == 1
        places.update(found)
    assert len(places) == 12


def test_unchanged_frames_are_their_centres() -> None:
    frames = images(40, 10, 12)
    torch.testing.assert_close(augmented(UNCHANGED, frames, (8, 9)), centre_crop(frames, (8, 9)) / 255)


def test_colours_are_an_affine_map_of_each_frame() -> None:
    frames = images(16, 8, 8)
    strong = AugmentationSettings(brightness=0.2, contrast=0.5, saturation=0.5, rotation=0, noise=0, camera_drop=0)
    recoloured = augmented(strong, frames, (8, 8))
    for before, after in zip(frames.flatten(1, 2) / 255, recoloured.flatten(1, 2), strict=True):
        inputs = torch.cat([before, torch.ones(64, 1)], 1)
        solution = torch.linalg.lstsq(inputs, after).solution
        torch.testing.assert_close(inputs @ solution, after, atol=1e-4, rtol=0)
        matrix, offset = solution[:3], solution[3]
        contrast = matrix.sum(0)  # what a grey pixel is scaled by, in each channel
        torch.testing.assert_close(contrast, contrast[:1].expand(3), atol=1e-3, rtol=0)
        assert 0.5 <= contrast[0] <= 1.5
        assert (offset - 0.5 * (1 - contrast[0])).abs().max() <= 0.2 + 1e-3


def test_saturation_keeps_brightness() -> None:
    frames = images(16, 8, 8)
    only = AugmentationSettings(brightness=0, contrast=0, saturation=0.9, rotation=0, noise=0, camera_drop=0)
    recoloured = augmented(only, frames, (8, 8))
    luma = torch.tensor(LUMA)
    torch.testing.assert_close(recoloured @ luma, frames / 255 @ luma, atol=1e-5, rtol=0)
    assert not torch.allclose(recoloured, frames / 255, atol=0.05)


def test_random_colours_are_a_function_of_each_frame_s_own() -> None:
    frames = images(64, 6, 6)
    frames[:, 0] = frames[:, 1]
    frames[32:] = frames[:32]
    recoloured = augmented(replace(NOTHING, random_colours=True), frames, (6, 6))
    assert recoloured.min() >= 0 and recoloured.max() <= 1
    torch.testing.assert_close(recoloured[:, 0], recoloured[:, 1])
    assert ((recoloured[:32] - recoloured[32:]).abs().flatten(1).mean(1) > 0.05).all()


def test_after_random_colours_a_dark_thing_is_as_bright_as_a_light_one() -> None:
    colours = torch.tensor([[0.05, 0.05, 0.05], [1.0, 0.5, 0.0], [0.8, 0.7, 0.6]])  # black, orange, a table
    scenes = colours.repeat(4000, 1, 1)[:, None]
    mapped = recolour_at_random(scenes, torch.Generator().manual_seed(0))[:, 0]
    torch.testing.assert_close(mapped.mean(0), torch.full((3, 3), 0.5), atol=0.03, rtol=0)
    brightness = mapped @ torch.tensor(LUMA)
    below = [(brightness[:, arm] < brightness[:, 2]).float().mean().item() for arm in (0, 1)]
    assert below == pytest.approx([0.5, 0.5], abs=0.03)


def test_noise_has_its_deviation_and_differs_between_calls() -> None:
    frames = images(16, 32, 32)
    augmentation = Augmentation(
        {"front": (32, 32)},
        {"front": (32, 32)},
        AugmentationSettings(brightness=0, contrast=0, saturation=0, rotation=0, noise=0.1, camera_drop=0),
    )
    generator = torch.Generator().manual_seed(0)
    first, second = (augmentation({"front": frames}, generator)["front"] - frames / 255 for _ in range(2))
    assert first.std().item() == pytest.approx(0.1, rel=0.02)
    assert not torch.equal(first, second)


def test_a_quarter_turn_is_exact() -> None:
    frames = images(2, 8, 8)
    right_angle = torch.tensor([torch.pi / 2])
    maps = crop_maps((8, 8), (8, 8), torch.zeros(1), torch.zeros(1), right_angle)
    turned = gather_pixels(frames, maps, torch.zeros(2, dtype=torch.long), (8, 8))
    assert torch.equal(turned, frames.rot90(-1, (1, 2))) or torch.equal(turned, frames.rot90(1, (1, 2)))


def test_small_rotations_move_the_border_and_leave_the_centre() -> None:
    frames = images(64, 33, 33)
    settings = AugmentationSettings(brightness=0, contrast=0, saturation=0, rotation=8, noise=0, camera_drop=0)
    turned = augmented(settings, frames, (33, 33))
    assert torch.allclose(turned[:, 16, 16], frames[:, 16, 16] / 255, atol=1e-6)
    assert not torch.allclose(turned[:, 0], frames[:, 0] / 255, atol=1e-6)


def test_one_camera_is_always_kept() -> None:
    kept = draw_kept(2000, 3, drop=0.9, generator=torch.Generator().manual_seed(0))
    assert kept.sum(1).min() == 1
    assert (kept.sum(1) == 1).float().mean() > 0.5
    assert torch.equal(draw_kept(50, 3, drop=0.0, generator=torch.Generator()), torch.ones(50, 3))
    everything = draw_kept(2000, 2, drop=1.0, generator=torch.Generator().manual_seed(0))
    assert everything.sum(0).min() > 900  # no camera is preferred


def test_a_dropped_camera_shows_nothing() -> None:
    sizes = {"front": (16, 16), "wrist": (12, 20)}
    augmentation = Augmentation(sizes, sizes, AugmentationSettings(camera_drop=1.0))
    frames = {camera: images(50, *size) for camera, size in sizes.items()}
    seen = augmentation(frames, torch.Generator().manual_seed(0))
    shown = torch.stack([picture.flatten(1).any(1) for picture in seen.values()], 1)
    assert (shown.sum(1) == 1).all()
    assert shown.any(0).all()


def test_the_same_generator_gives_the_same_frames() -> None:
    frames = images(8, 16, 16)
    first, second = (augmented(AugmentationSettings(), frames, (14, 14)) for _ in range(2))
    assert torch.equal(first, second)


def test_crop_sizes_are_a_fraction() -> None:
    assert crop_sizes({"front": (64, 64), "wrist": (48, 96)}) == {"front": (48, 48), "wrist": (36, 72)}
    assert crop_sizes({"front": (64, 64)}, 0.875) == {"front": (56, 56)}


def test_the_centre_crop_is_the_middle() -> None:
    assert torch.equal(centre_crop(images(2, 10, 12), (8, 8)), images(2, 10, 12)[:, 1:9, 2:10])


def test_a_crop_larger_than_the_image_is_refused() -> None:
    with pytest.raises(ValueError, match="camera 'front': a crop of"):
        Augmentation({"front": (32, 32)}, {"front": (32, 33)})
