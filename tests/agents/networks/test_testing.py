"""The contract of a stack: kept by trailkit's own, and not by stacks with what users may get wrong."""

from collections.abc import Callable

import pytest
import torch
from own_parts import Flat, Stack, WithBatchNorm
from torch import Tensor, nn

from trailkit.agents.networks.encoders import CompactStack, NatureStack, ResidualStack
from trailkit.agents.networks.testing import check_stack


@pytest.mark.parametrize("stack", [CompactStack, NatureStack, ResidualStack, Stack])
@pytest.mark.parametrize("size", [(32, 32), (64, 48)])
def test_a_good_stack_passes(stack: Callable[[], nn.Module], size: tuple[int, int]) -> None:
    check_stack(stack, *size)


class Lazy(Stack):
    def __init__(self) -> None:
        super().__init__()
        self.layers[0] = nn.LazyConv2d(4, 5, 4)


def test_a_lazy_stack_takes_as_many_channels_as_there_are() -> None:
    for channels in (3, 9):
        check_stack(Lazy, channels=channels)


class WithDropout(Stack):
    def forward(self, images: Tensor) -> Tensor:
        return torch.dropout(super().forward(images), 0.5, True)


class Unscaled(Stack):
    def forward(self, images: Tensor) -> Tensor:
        maps: Tensor = self.layers(images.permute(0, 3, 1, 2).float())
        return maps


class Frozen(Stack):
    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Linear(2, 2)


class Double(Stack):
    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images).double()


class Unseeded(Stack):
    made = 0

    def __init__(self) -> None:
        super().__init__()
        Unseeded.made += 1
        nn.init.constant_(self.layers[2].weight, Unseeded.made)  # type: ignore[arg-type]


ONE = Stack()


@pytest.mark.parametrize(
    ("stack", "message"),
    [
        (Flat, r"\[3, \d+\] is not \[3, C, h, w\]"),
        (WithDropout, "other maps the second time"),
        (WithBatchNorm, "depends on the others"),
        (Unscaled, "something else than uint8"),
        (Frozen, "unused.weight has no gradient"),
        (Double, "float32 is expected"),
        (Unseeded, "do not follow from torch's seed"),
        (lambda: ONE, "one module twice"),
        (lambda: 5, "makes a int"),
    ],
)
def test_what_is_broken_is_named(stack: Callable[[], nn.Module], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_stack(stack)


def test_torch_s_own_chance_is_left_as_it_was() -> None:
    before = torch.random.get_rng_state()
    check_stack(Stack)
    assert torch.equal(torch.random.get_rng_state(), before)
