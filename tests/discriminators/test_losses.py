"""Discriminator losses: TRAIL's golden numbers, the constraint's switch and gradient, the regularisers."""

import pytest
import torch
import torch.nn.functional as F
from jaxtyping import TypeCheckError
from torch import Tensor

from trailkit.discriminators.base import DiscriminatorLoss, Judgement, Logits
from trailkit.discriminators.losses import (
    balanced_accuracy,
    binary_cross_entropy,
    cross_entropy,
    positive_unlabelled,
    smoothed_cross_entropy,
    with_accuracy_constraint,
    with_gradient_penalty,
)
from trailkit.replay.transition import Observation

TRAIL = with_accuracy_constraint(binary_cross_entropy)
TRAIN = ([2, 0.5, -1, 3], [-1, 0.2, -2, 0])
GAIL_OBJECTIVE = -0.973582


def sum_of_pixels(observation: Observation) -> Tensor:
    pixels: Tensor = observation["front"]
    return pixels.flatten(1).sum(1)


def judgement(
    train: tuple[list[float], list[float]], constraint: tuple[list[float], list[float]] | None = None
) -> Judgement:
    def logits(pair: tuple[list[float], list[float]]) -> Logits:
        return Logits(*(torch.tensor(part, dtype=torch.float32, requires_grad=True) for part in pair))

    return Judgement(
        train=logits(train),
        constraint=logits(constraint) if constraint else None,
        expert_frames={"front": torch.zeros(len(train[0]), 2, 2, 3)},
        agent_frames={"front": torch.ones(len(train[1]), 2, 2, 3)},
        discriminator=sum_of_pixels,
        generator=torch.Generator().manual_seed(0),
    )


def test_gail_objective() -> None:
    given = judgement(TRAIN)
    assert -binary_cross_entropy(given).item() == pytest.approx(GAIL_OBJECTIVE, abs=1e-6)
    assert -4 * binary_cross_entropy(given).item() == pytest.approx(-3.894330, abs=1e-5)
    assert balanced_accuracy(*given.train).item() == 0.625


@pytest.mark.parametrize("count", [1, 3, 10, 41, 47, 55, 128, 300])
def test_a_constant_discriminator_is_right_on_exactly_half(count: int) -> None:
    for value in (-1.0, 0.0, 1.0):
        constant = torch.full((count,), value)
        assert balanced_accuracy(constant, constant).item() == 0.5


@pytest.mark.parametrize(
    ("constraint", "accuracy", "constraint_objective", "objective"),
    [
        (([1, 1, -1, 2], [-1, -0.5, -3, 0.5]), 0.75, -0.969179, -0.004403),
        (([1, 1, -1, -2], [-1, 0.5, 3, -0.5]), 0.5, -2.219179, 1.245597),
        (([1, -1, -1, -2], [-1, 0.5, 3, -0.5]), 0.375, None, GAIL_OBJECTIVE),
        (([0, 0, 0, 0], [0, 0, 0, 0]), 0.5, -1.386294, 0.412712),
    ],
    ids=["A: on", "B: on at exactly half", "C: off", "D: a constant discriminator is on"],
)
def test_trail_objective(
    constraint: tuple[list[float], list[float]], accuracy: float, constraint_objective: float | None, objective: float
) -> None:
    given = judgement(TRAIN, constraint)
    assert given.constraint is not None
    assert balanced_accuracy(*given.constraint).item() == accuracy
    if constraint_objective is not None:
        assert -cross_entropy(*given.constraint).item() == pytest.approx(constraint_objective, abs=1e-6)
    assert -TRAIL(given).item() == pytest.approx(objective, abs=2e-6)


@pytest.mark.parametrize("level", [-3.0, 0.0, 3.0])
def test_any_constant_discriminator_fires_the_constraint(level: float) -> None:
    given = judgement(TRAIN, ([level] * 4, [level] * 4))
    assert TRAIL(given).item() < binary_cross_entropy(given).item() - 1


def test_below_half_the_loss_and_its_gradient_are_gails() -> None:
    given = judgement(TRAIN, ([-1.0, -1, -1, 1], [1.0, 1, 1, -1]))
    assert given.constraint is not None
    loss = TRAIL(given)
    assert loss.item() == binary_cross_entropy(given).item()
    loss.backward()  # type: ignore[no-untyped-call]
    assert given.constraint.expert.grad is not None
    assert not given.constraint.expert.grad.any()


def constraint_gradient(loss: DiscriminatorLoss, logits: tuple[list[float], list[float]]) -> Tensor:
    given = judgement(TRAIN, logits)
    assert given.constraint is not None
    return torch.cat(torch.autograd.grad(loss(given), list(given.constraint)))


def test_the_constraints_gradient_is_the_negated_gail_gradient() -> None:
    logits: tuple[list[float], list[float]] = ([1, 1, -1, 2], [-1, -0.5, -3, 0.5])
    given = judgement(logits)
    gail = torch.cat(torch.autograd.grad(binary_cross_entropy(given), list(given.train)))
    torch.testing.assert_close(constraint_gradient(TRAIL, logits), -gail)


def test_flipping_labels_differs_most_where_the_discriminator_is_sure() -> None:
    flipped = with_accuracy_constraint(binary_cross_entropy, flip_labels=True)
    sure: tuple[list[float], list[float]] = ([8.0], [-8.0])
    torch.testing.assert_close(
        constraint_gradient(TRAIL, sure), torch.sigmoid(torch.tensor([-8.0, -8.0])) * torch.tensor([1, -1])
    )
    torch.testing.assert_close(
        constraint_gradient(flipped, sure), torch.sigmoid(torch.tensor([8.0, 8.0])) * torch.tensor([1, -1])
    )


def test_a_ceiling_ends_what_the_constraint_asks_for() -> None:
    bounded = with_accuracy_constraint(binary_cross_entropy, ceiling=4.0)
    below: tuple[list[float], list[float]] = ([1, 1, -1, 2], [-1, -0.5, -3, 0.5])
    torch.testing.assert_close(constraint_gradient(bounded, below), constraint_gradient(TRAIL, below))
    beyond: tuple[list[float], list[float]] = ([-5.0] * 4, [-5.0] * 4)
    assert not constraint_gradient(bounded, beyond).any()
    given = judgement(TRAIN, beyond)
    assert bounded(given).item() == pytest.approx(binary_cross_entropy(given).item() - 4.0)


def test_gradient_penalty_wants_a_norm_of_one() -> None:
    given = judgement(TRAIN)
    penalty = with_gradient_penalty(binary_cross_entropy, 10.0)(given) - binary_cross_entropy(given)
    assert penalty.item() == pytest.approx(10 * (12**0.5 - 1) ** 2, rel=1e-5)


def test_gradient_penalty_moves_the_discriminator_where_it_was_measured() -> None:
    weight = torch.tensor(2.0, requires_grad=True)
    given = judgement(TRAIN)._replace(
        discriminator=lambda frames: weight / 2 * frames["front"].square().flatten(1).sum(1)
    )
    penalty = with_gradient_penalty(lambda _: torch.zeros(()), 10.0)(given)
    between = 1 - torch.rand(4, generator=torch.Generator().manual_seed(0))  # of the agent's ones; the expert's are 0
    norm = 12**0.5 * between  # of the gradient, for a weight of 1
    torch.testing.assert_close(penalty, 10 * (2 * norm - 1).square().mean())
    penalty.backward()  # type: ignore[no-untyped-call]
    torch.testing.assert_close(weight.grad, 10 * (2 * (2 * norm - 1) * norm).mean())


def test_smoothed_labels_cost_their_share_of_the_logits() -> None:
    assert smoothed_cross_entropy(0.1)(judgement(TRAIN)).item() == pytest.approx(1.086082, abs=1e-6)
    assert smoothed_cross_entropy(0.0)(judgement(TRAIN)).item() == pytest.approx(-GAIL_OBJECTIVE, abs=1e-6)


def test_smoothed_labels_are_a_cross_entropy_of_torch_s() -> None:
    given = judgement(TRAIN)
    labels = torch.full((4,), 0.7), torch.zeros(4)
    expected = sum(F.binary_cross_entropy_with_logits(*pair) for pair in zip(given.train, labels, strict=True))
    torch.testing.assert_close(smoothed_cross_entropy(0.3)(given), expected)


def test_smoothed_labels_let_the_expert_s_frames_settle() -> None:
    at_rest = torch.logit(torch.tensor(0.9)).item()
    given = judgement(([at_rest], [-1.0]))
    smoothed_cross_entropy(0.1)(given).backward()  # type: ignore[no-untyped-call]
    assert given.train.expert.grad is not None
    assert given.train.expert.grad.item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(("prior", "loss"), [(0.2, 0.257869), (0.5, 0.245357)], ids=["above 0", "held at 0"])
def test_positive_unlabelled_losses(prior: float, loss: float) -> None:
    given = judgement(TRAIN)
    assert positive_unlabelled(prior)(given).item() == pytest.approx(loss, abs=1e-6)
    d_expert, d_agent = (logits.double().sigmoid() for logits in given.train)
    on_bad = -torch.log(1 - d_agent).mean() + prior * torch.log(1 - d_expert).mean()
    expected = -prior * d_expert.log().mean() + max(0, on_bad.item())
    assert positive_unlabelled(prior)(given).item() == pytest.approx(expected.item(), abs=1e-6)


def test_an_estimate_that_is_held_moves_no_frame_of_the_agent_s() -> None:
    given = judgement(TRAIN)
    positive_unlabelled(0.5)(given).backward()  # type: ignore[no-untyped-call]
    assert given.train.agent.grad is not None and given.train.expert.grad is not None
    assert not given.train.agent.grad.any()
    torch.testing.assert_close(given.train.expert.grad, -0.5 * torch.sigmoid(-given.train.expert.detach()) / 4)


def test_the_constraint_is_added_to_any_loss() -> None:
    given = judgement(TRAIN, ([0, 0, 0, 0], [0, 0, 0, 0]))
    for loss in (smoothed_cross_entropy(0.1), positive_unlabelled(0.5)):
        assert with_accuracy_constraint(loss)(given).item() == pytest.approx(loss(given).item() - 1.386294, abs=1e-6)


def test_logits_as_a_column_are_refused() -> None:
    with pytest.raises(TypeCheckError, match=r"f32\[4,1\]"):
        cross_entropy(torch.zeros(4), torch.zeros(4, 1))
