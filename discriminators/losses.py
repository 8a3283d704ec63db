"""Losses of the discriminator, to be minimised; high logits mean expert.

`binary_cross_entropy`, `smoothed_cross_entropy` and `positive_unlabelled` are losses on the training frames; `with_…`
functions take a loss and return one, so that methods are compositions: TRAIL is
`with_accuracy_constraint(binary_cross_entropy)`, DAC `with_gradient_penalty(binary_cross_entropy)`.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from trailkit.discriminators.base import DiscriminatorLoss, Judgement


def cross_entropy(expert: Float[Tensor, " expert"], agent: Float[Tensor, " agent"]) -> Float[Tensor, ""]:
    """-mean log D(expert) - mean log(1 - D(agent)): the negative of GAIL's objective (TRAIL, eq. 1)."""
    return F.softplus(-expert).mean() + F.softplus(agent).mean()


def balanced_accuracy(expert: Float[Tensor, " expert"], agent: Float[Tensor, " agent"]) -> Float[Tensor, ""]:
    """Half the rate of expert frames with D >= 1/2 plus half that of agent frames with D < 1/2 (TRAIL, eq. 2).

    Ties go to the expert, so that a constant discriminator has an accuracy of exactly 1/2.
    """
    # Not `mean`, which on a GPU multiplies by 1/N: the accuracy on 47 equal frames would be 0.49999997.
    return 0.5 * ((expert >= 0).sum() / len(expert) + (agent < 0).sum() / len(agent))


def binary_cross_entropy(judgement: Judgement) -> Tensor:
    """GAIL's loss (TRAIL, eq. 1)."""
    return cross_entropy(*judgement.train)


def smoothed_cross_entropy(smoothing: float) -> DiscriminatorLoss:
    """GAIL's loss with the label 1 - smoothing for the expert's frames; the agent's label stays 0.

    -(1 - smoothing) mean log D(expert) - smoothing mean log(1 - D(expert)) - mean log(1 - D(agent)): frames that only
    the expert has converge to D = 1 - smoothing instead of 1. See "Improved Techniques for Training GANs", Salimans
    et al. 2016, sec. 3.4 (https://arxiv.org/abs/1606.03498).
    """

    def smoothed(judgement: Judgement) -> Tensor:
        expert, agent = judgement.train
        return cross_entropy(expert, agent) + smoothing * expert.mean()  # softplus(l) is softplus(-l) + l

    return smoothed


def positive_unlabelled(prior: float) -> DiscriminatorLoss:
    """Treats the agent's frames as unlabelled instead of bad: a share of them is as good as the expert's.

    -prior mean log D(expert) + max(0, -mean log(1 - D(agent)) + prior mean log(1 - D(expert))). The second term
    estimates the loss on the agent's bad frames alone, which cannot be negative, although its estimate can. See
    "Positive-Unlabeled Reward Learning", Xu & Denil 2019 (https://arxiv.org/abs/1911.00459).

    Args:
        prior: The share of the agent's frames that are as good as the expert's, in (0, 1).
    """

    def unlabelled(judgement: Judgement) -> Tensor:
        expert, agent = judgement.train
        negative = F.softplus(agent).mean() - prior * F.softplus(expert).mean()
        return prior * F.softplus(-expert).mean() + negative.clamp_min(0)

    return unlabelled


def with_accuracy_constraint(
    loss: DiscriminatorLoss, flip_labels: bool = False, ceiling: float | None = None
) -> DiscriminatorLoss:
    """Adds TRAIL's constraint: no better than chance on frames that are irrelevant to the task (TRAIL, eq. 3).

    While the accuracy on the constraining batch is at least 1/2, the cross entropy on that batch is *subtracted*, so
    it is maximised. The condition passes no gradient, and the term has no weight.

    Args:
        loss: The loss on the training frames.
        flip_labels: Flips the labels in the constraint's term instead of its sign. The gradient is then largest where
            the discriminator is confident, where the paper's vanishes.
        ceiling: The cross entropy on the constraining batch, in nats, above which it is not increased further; a
            constant D = 1/2 has 2 ln 2. By default there is none, as in the paper, and the loss has no lower bound. The
            term with flipped labels is bounded anyway, and has none.
    """

    def constrained(judgement: Judgement) -> Tensor:
        if judgement.constraint is None:
            raise ValueError("the accuracy constraint needs constraining frames: got a batch without `constraint`")
        expert, agent = judgement.constraint
        wrongness = cross_entropy(expert, agent)
        bounded = wrongness if ceiling is None else wrongness.clamp(max=ceiling)
        term = cross_entropy(agent, expert) if flip_labels else -bounded
        return loss(judgement) + (balanced_accuracy(expert, agent) >= 0.5).detach() * term

    return constrained


def with_gradient_penalty(loss: DiscriminatorLoss, weight: float = 10.0) -> DiscriminatorLoss:
    """Adds DAC's gradient penalty at frames interpolated between expert and agent: weight * mean (norm - 1)^2.

    See "Improved Training of Wasserstein GANs", Gulrajani et al. 2017 (https://arxiv.org/abs/1704.00028), and
    "Discriminator-Actor-Critic", Kostrikov et al. 2019 (https://arxiv.org/abs/1809.02925).
    """

    def penalised(judgement: Judgement) -> Tensor:
        expert, agent = judgement.expert_frames, judgement.agent_frames
        count = len(judgement.train.expert)
        share = torch.rand(count, 1, 1, 1, generator=judgement.generator, device=judgement.generator.device)
        between = {camera: torch.lerp(agent[camera], expert[camera], share).requires_grad_() for camera in expert}
        gradients = torch.autograd.grad(
            judgement.discriminator(between).sum(), list(between.values()), create_graph=True
        )
        norm = torch.cat([gradient.flatten(1) for gradient in gradients], 1).norm(dim=1)
        penalty: Tensor = (norm - 1).square().mean()
        return loss(judgement) + weight * penalty

    return penalised
