"""Losses of the discriminator, to be minimised; logits are high for the expert.

`with_…` functions take a loss and return one, so that methods are compositions: TRAIL is
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
    """Half the rate of experts with D >= 1/2 and half that of agents with D < 1/2 (TRAIL, eq. 2).

    The tie goes to the expert, so that a constant discriminator has an accuracy of exactly 1/2.
    """
    return 0.5 * (expert >= 0).float().mean() + 0.5 * (agent < 0).float().mean()


def binary_cross_entropy(judgement: Judgement) -> Tensor:
    """GAIL's loss (TRAIL, eq. 1)."""
    return cross_entropy(*judgement.train)


def with_accuracy_constraint(loss: DiscriminatorLoss, flip_labels: bool = False) -> DiscriminatorLoss:
    """Adds TRAIL's constraint: no better than chance on frames that say nothing about the task (TRAIL, eq. 3).

    While the accuracy on the constraining batch is at least 1/2, the cross entropy on that batch is *subtracted*: it
    is maximised. No gradient passes through the condition, and the term has no weight.

    Args:
        loss: the loss on the training frames.
        flip_labels: instead of the sign, flips the labels in the constraint's term. Its gradient is largest where
            the discriminator is confident, the paper's vanishes there.
    """

    def constrained(judgement: Judgement) -> Tensor:
        if judgement.constraint is None:
            raise ValueError("the accuracy constraint needs constraining frames: got a batch without `constraint`")
        expert, agent = judgement.constraint
        term = cross_entropy(agent, expert) if flip_labels else -cross_entropy(expert, agent)
        return loss(judgement) + (balanced_accuracy(expert, agent) >= 0.5).detach() * term

    return constrained


def with_gradient_penalty(loss: DiscriminatorLoss, weight: float = 10.0) -> DiscriminatorLoss:
    """Adds DAC's penalty on the gradient at frames between expert's and agent's: weight * mean (norm - 1)^2.

    See "Improved Training of Wasserstein GANs", Gulrajani et al. 2017 (https://arxiv.org/abs/1704.00028), and
    "Discriminator-Actor-Critic", Kostrikov et al. 2019 (https://arxiv.org/abs/1809.02925).
    """

    def penalised(judgement: Judgement) -> Tensor:
        expert, agent = judgement.expert_frames, judgement.agent_frames
        count = len(judgement.train.expert)
        share = torch.rand(count, 1, 1, 1, generator=judgement.generator).to(judgement.train.expert.device)
        between = {camera: torch.lerp(agent[camera], expert[camera], share).requires_grad_() for camera in expert}
        gradients = torch.autograd.grad(
            judgement.discriminator(between).sum(), list(between.values()), create_graph=True
        )
        norm = torch.cat([gradient.flatten(1) for gradient in gradients], 1).norm(dim=1)
        penalty: Tensor = (norm - 1).square().mean()
        return loss(judgement) + weight * penalty

    return penalised
