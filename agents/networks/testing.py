"""The contract of an encoder's stack as a test: for trailkit's own stacks and for users'."""

from collections.abc import Callable

import torch
from torch import nn

_BATCH = 3


def check_stack(stack: Callable[[], nn.Module], height: int = 64, width: int = 64, channels: int = 3) -> None:
    """Checks everything that trailkit relies on in the stack that `encoder.stack` names.

    Each call makes a new module, whose weights are determined by torch's seed. The module maps images
    [B, H, W, channels], uint8 or equivalently float32 in [0, 1], to float32 [B, C, h, w]; its output for an image
    depends on that image alone, since a policy sees one at a time and learns from batches; and all its weights receive
    gradients.

    Args:
        stack: A stack as `trailkit.agents.networks.encoders.Encoder` takes it.
        height: The height of the test images.
        width: The width of the test images.
        channels: The channels of the test images: three for each stacked frame.

    Raises:
        AssertionError: Names what is violated.
    """
    with torch.random.fork_rng(devices=[]):
        one = _seeded(stack)
        generator = torch.Generator().manual_seed(0)
        images = torch.randint(0, 256, (_BATCH, height, width, channels), dtype=torch.uint8, generator=generator)
        maps = one(images)
        assert isinstance(maps, torch.Tensor), f"it gives a {type(maps).__name__}: one tensor [B, C, h, w] is expected"
        assert maps.ndim == 4 and len(maps) == _BATCH and maps.numel(), f"{list(maps.shape)} is not [{_BATCH}, C, h, w]"
        assert maps.dtype == torch.float32, f"its output is {maps.dtype}: float32 is expected"
        assert maps.isfinite().all(), "its output is not finite"
        _check_same(one(images), maps, "the same images give other maps the second time")
        # Made only now: lazy layers draw their weights when they see the first images.
        _check_same(_seeded(stack)(images), maps, "its weights do not follow from torch's seed")
        _check_same(one(images[:1]), maps[:1], "what an image gives depends on the others")
        _check_same(one(images.float() / 255), maps, "floats in [0, 1] mean something else than uint8")
        _check_gradients(one, maps)


def _seeded(stack: Callable[[], nn.Module]) -> nn.Module:
    torch.manual_seed(0)
    made = stack()
    assert isinstance(made, nn.Module), f"it makes a {type(made).__name__}: a torch.nn.Module is expected"
    assert stack() is not made, "it gives one module twice: each camera's is to have weights of its own"
    return made


def _check_same(found: torch.Tensor, expected: torch.Tensor, message: str) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4, msg=message)


def _check_gradients(made: nn.Module, maps: torch.Tensor) -> None:
    (maps * torch.randn(maps.shape)).sum().backward()  # type: ignore[no-untyped-call]
    for name, parameter in made.named_parameters():
        assert parameter.grad is not None, f"{name} has no gradient: it is not trained"
        assert parameter.grad.isfinite().all(), f"the gradient of {name} is not finite"
