"""What a user brings beside an environment: a stack, a loss and an expert for the arm; and some that are wrong."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from trailkit.discriminators.base import Judgement
from trailkit.envs.external.environment import ExternalEnvironment

NUMBER = 3


class Stack(nn.Module):
    """Two convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 4, 5, stride=4), nn.ReLU(), nn.Conv2d(4, 8, 3, stride=2), nn.ReLU())

    def forward(self, images: Tensor) -> Tensor:
        scale = 1.0 if images.is_floating_point() else 1 / 255
        maps: Tensor = self.layers(images.permute(0, 3, 1, 2).float() * scale)
        return maps


class Flat(Stack):
    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images).flatten(1)


class ChannelsFirst(Stack):
    def forward(self, images: Tensor) -> Tensor:
        maps: Tensor = self.layers(images)
        return maps


class BytesAlone(Stack):
    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images.bitwise_and(255))


class WithBatchNorm(Stack):
    def __init__(self) -> None:
        super().__init__()
        self.layers.append(nn.BatchNorm2d(8))


def function() -> int:
    return 5


def hinge(judgement: Judgement) -> Tensor:
    """The hinge loss."""
    expert, agent = judgement.train
    return torch.relu(1 - expert).mean() + torch.relu(1 + agent).mean()


def unreduced(judgement: Judgement) -> Tensor:
    return torch.relu(1 - judgement.train.expert)


def number(judgement: Judgement) -> float:
    return hinge(judgement).item()


def detached(judgement: Judgement) -> Tensor:
    return hinge(judgement).detach()


def upside_down(judgement: Judgement) -> Tensor:
    return hinge(
        judgement._replace(train=judgement.train._replace(expert=judgement.train.agent, agent=judgement.train.expert))
    )


def mistaken(judgement: Judgement) -> Tensor:
    return judgement.logits  # type: ignore[attr-defined, no-any-return]


def turn_to_the_ball(env: ExternalEnvironment) -> Iterator[list[float]]:
    """Solves `arm:Arm-v0`."""
    while True:
        angle, _, x, y = env.told["observation"]
        yield [4 * (np.arctan2(y, x) - angle)]


def two_steps(env: ExternalEnvironment) -> Iterator[list[float]]:
    yield from ([0.0], [0.0])


def two_numbers(env: ExternalEnvironment) -> Iterator[list[float]]:
    while True:
        yield [0.0, 0.0]


def returns(env: ExternalEnvironment) -> list[float]:
    return [0.0]
