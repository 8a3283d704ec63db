"""Encoders: sizes, cameras, kinds of input, and the paper's numbers."""

import pytest
import torch
from torch import nn

from trailkit.agents.networks.encoders import CompactEncoder, Encoder, NatureEncoder, ResidualEncoder, in_bfloat16
from trailkit.discriminators.augmentation import Augmentation

KINDS = [CompactEncoder, NatureEncoder, ResidualEncoder]
Kind = type[CompactEncoder] | type[NatureEncoder] | type[ResidualEncoder]


def images(batch: int, height: int, width: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (batch, height, width, 3), dtype=torch.uint8, generator=generator)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(24, 24), (28, 28), (32, 32), (33, 47), (48, 48), (64, 64), (84, 84)])
def test_any_image_size_is_embedded(kind: Kind, size: tuple[int, int]) -> None:
    embedded = kind({"front": size}, embedding=16)({"front": images(2, *size)})
    assert embedded.shape == (2, 16)
    assert embedded.dtype == torch.float32
    assert embedded.abs().max() <= 1


@pytest.mark.parametrize("kind", KINDS)
def test_cameras_of_different_sizes_all_count(kind: Kind) -> None:
    encoder: Encoder = kind({"front": (32, 32), "wrist": (40, 48)}, embedding=16)
    seen = {"front": images(2, 32, 32), "wrist": images(2, 40, 48), "proprio": torch.zeros(2, 3)}
    embedded = encoder(seen)
    for camera, (height, width) in encoder.image_sizes.items():
        other = encoder({**seen, camera: images(2, height, width, seed=1)})
        assert not torch.allclose(embedded, other)


@pytest.mark.parametrize("kind", KINDS)
def test_all_frames_of_a_stack_count(kind: Kind) -> None:
    encoder: Encoder = kind({"front": (32, 32)}, embedding=16, frame_stack=3)
    frames = [images(2, 32, 32, seed) for seed in range(3)]
    embedded = encoder({"front": torch.cat(frames, 3)})
    for changed in range(3):
        others = [images(2, 32, 32, 9) if index == changed else frame for index, frame in enumerate(frames)]
        assert not torch.allclose(embedded, encoder({"front": torch.cat(others, 3)}))


@pytest.mark.parametrize("kind", KINDS)
def test_floats_from_0_to_1_mean_the_same_as_bytes(kind: Kind) -> None:
    torch.manual_seed(0)  # the two ways round differently, by up to the tolerance with some weights
    encoder: Encoder = kind({"front": (32, 32)}, embedding=16)
    pixels = images(2, 32, 32)
    torch.testing.assert_close(encoder({"front": pixels}), encoder({"front": pixels.float() / 255}), atol=1e-5, rtol=0)


def test_the_compact_stem_sees_pixels_from_minus_to_plus_a_half() -> None:
    encoder = CompactEncoder({"front": (32, 32)})
    stem = encoder.stacks["front"].layers[0]  # type: ignore[index, union-attr]
    convolution = stem.convolution
    pixels = images(2, 32, 32)
    scaled = pixels.permute(0, 3, 1, 2) / 255 - 0.5
    torch.testing.assert_close(stem(pixels), convolution(scaled), atol=1e-5, rtol=1e-5)


def test_cameras_may_be_called_what_parts_of_modules_may_not() -> None:
    names = ["cam.left", "cam_left", "train", "forward", "type", "arm/eye", "front"]
    encoder = CompactEncoder(dict.fromkeys(names, (32, 32)), embedding=16)
    assert len(encoder.stacks) == len(names)
    observation = {name: images(1, 32, 32, seed) for seed, name in enumerate(names)}
    before = encoder(observation)
    for name in names:
        assert not torch.equal(encoder({**observation, name: images(1, 32, 32, 99)}), before)
    assert {"stacks.front.layers.0.convolution.weight", "stacks.arm/eye.layers.0.convolution.weight"} <= set(
        encoder.state_dict()
    )
    sizes = dict.fromkeys(names, (32, 32))
    crops = Augmentation(sizes, dict.fromkeys(names, (24, 24)))(observation, torch.Generator())
    assert {name: crop.shape for name, crop in crops.items()} == dict.fromkeys(names, (1, 24, 24, 3))


@pytest.mark.parametrize("kind", KINDS)
def test_every_weight_gets_a_gradient(kind: Kind) -> None:
    encoder: Encoder = kind({"front": (32, 32)}, embedding=16)
    (encoder({"front": images(4, 32, 32)}) * torch.randn(4, 16)).sum().backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_the_residual_encoder_is_the_papers() -> None:
    encoder = ResidualEncoder({"front": (64, 64)})
    convolutions = [module for module in encoder.modules() if isinstance(module, nn.Conv2d)]
    assert len(convolutions) == 15
    assert sum(convolution.weight.numel() for convolution in convolutions) + sum(
        convolution.bias.numel() for convolution in convolutions if convolution.bias is not None
    ) == pytest.approx(97_600, abs=600)
    assert encoder.project.in_features == 2048
    assert ResidualEncoder({"front": (48, 48)}).project.in_features == 1152


def test_an_encoder_of_no_camera_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one camera"):
        CompactEncoder({})


@pytest.mark.parametrize("kind", KINDS)
def test_in_bfloat16_the_features_are_nearly_the_same_and_all_weights_have_gradients(kind: Kind) -> None:
    torch.manual_seed(0)
    stack = kind({"front": (64, 64)}).stacks["front"]
    seen = images(2, 64, 64)
    exact, rounded = stack(seen), in_bfloat16(stack, seen)
    assert rounded.dtype == torch.float32
    assert torch.nn.functional.cosine_similarity(exact.flatten(), rounded.flatten(), 0) > 0.99
    rounded.square().sum().backward()
    for name, weight in stack.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.dtype == torch.float32
