"""The contract of a loss: kept by trailkit's own and their compositions, and not by what users may get wrong."""

import pytest
import torch
import torch.nn.functional as F
from own_parts import detached, hinge, number, unreduced
from torch import Tensor

from trailkit.discriminators.base import DiscriminatorLoss, Judgement
from trailkit.discriminators.losses import (
    binary_cross_entropy,
    positive_unlabelled,
    smoothed_cross_entropy,
    with_accuracy_constraint,
    with_gradient_penalty,
)
from trailkit.discriminators.testing import check_loss


@pytest.mark.parametrize(
    "loss",
    [
        binary_cross_entropy,
        smoothed_cross_entropy(0.1),
        positive_unlabelled(0.3),
        with_accuracy_constraint(binary_cross_entropy),
        with_accuracy_constraint(binary_cross_entropy, flip_labels=True),
        with_accuracy_constraint(binary_cross_entropy, ceiling=2.0),
        with_gradient_penalty(binary_cross_entropy),
        hinge,
        with_gradient_penalty(with_accuracy_constraint(hinge)),
    ],
)
def test_a_good_loss_passes(loss: DiscriminatorLoss) -> None:
    check_loss(loss)


def upside_down(judgement: Judgement) -> Tensor:
    return -binary_cross_entropy(judgement)


def by_logarithm(judgement: Judgement) -> Tensor:
    expert, agent = judgement.train
    return -expert.sigmoid().log().mean() - (1 - agent.sigmoid()).log().mean()


def one_sided(judgement: Judgement) -> Tensor:
    return F.softplus(-judgement.train.expert).mean()


def drawn_elsewhere(judgement: Judgement) -> Tensor:
    return binary_cross_entropy(judgement) * torch.rand(())


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (upside_down, "does not raise the expert's logits"),
        (by_logarithm, "at logits of about 100|at logits of about -100"),
        (one_sided, "one of both sources have no effect"),
        (drawn_elsewhere, "draw from the judgement's generator alone"),
        (unreduced, r"has the shape \[6\]"),
        (number, "gives a float"),
        (detached, "has no gradient"),
    ],
)
def test_what_is_broken_is_named(loss: DiscriminatorLoss, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_loss(loss)
