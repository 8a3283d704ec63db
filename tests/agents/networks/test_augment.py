"""Random shifts and colours."""

import torch

from trailkit.agents.networks.augment import RandomColours, RandomShift


def test_a_shift_moves_whole_images_by_at_most_its_reach() -> None:
    generator = torch.Generator().manual_seed(0)
    images = torch.arange(12 * 10, dtype=torch.uint8).view(1, 12, 10, 1).expand(200, 12, 10, 3).contiguous()
    shifted = RandomShift(2)({"front": images}, generator)["front"]
    padded = torch.nn.functional.pad(images[0].permute(2, 0, 1).float()[None], (2, 2, 2, 2), mode="replicate")[
        0
    ].permute(1, 2, 0)
    seen = set()
    for image in shifted:
        found = [
            (dy, dx)
            for dy in range(5)
            for dx in range(5)
            if torch.equal(image.float(), padded[dy : dy + 12, dx : dx + 10])
        ]
        assert len(found) == 1
        seen.update(found)
    assert len(seen) == 25


def test_what_is_no_image_is_left_alone() -> None:
    observation = {"front": torch.zeros(2, 8, 8, 3, dtype=torch.uint8), "proprio": torch.randn(2, 3)}
    shifted = RandomShift(2)(observation, torch.Generator())
    assert shifted["proprio"] is observation["proprio"]


def test_no_reach_is_no_shift() -> None:
    observation = {"front": torch.randint(0, 256, (2, 8, 8, 3), dtype=torch.uint8)}
    assert RandomShift(0)(observation, torch.Generator())["front"] is observation["front"]


def test_frames_that_are_stacked_are_shifted_together() -> None:
    images = torch.randint(0, 256, (50, 12, 10, 3), dtype=torch.uint8)
    stacked = RandomShift(2)({"front": torch.cat([images] * 3, 3)}, torch.Generator().manual_seed(1))["front"]
    alone = RandomShift(2)({"front": images}, torch.Generator().manual_seed(1))["front"]
    assert torch.equal(stacked, torch.cat([alone] * 3, 3))


def test_random_colours_are_of_images_alone_and_equal_colours_stay_equal() -> None:
    images = torch.randint(0, 256, (8, 6, 5, 6), dtype=torch.uint8)
    images[:, 0] = images[:, 1]
    proprio = torch.randn(8, 3)
    shown = RandomColours()({"front": images, "proprio": proprio}, torch.Generator().manual_seed(0))
    assert shown["proprio"] is proprio
    assert shown["front"].shape == images.shape
    assert 0 <= shown["front"].min() and shown["front"].max() <= 1
    torch.testing.assert_close(shown["front"][:, 0], shown["front"][:, 1])
    alike = RandomColours()({"front": images[:1].repeat(2, 1, 1, 1)}, torch.Generator().manual_seed(0))["front"]
    assert not torch.allclose(alike[0], alike[1], atol=0.1)
