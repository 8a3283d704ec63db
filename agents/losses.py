"""Losses of the learners, as pure functions on batches; `_tm1` means before the action, `_t` after it."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor


def categorical_l2_project(
    atoms_p: Float[Tensor, "batch atoms_p"], probs: Float[Tensor, "batch atoms_p"], atoms_q: Float[Tensor, " atoms_q"]
) -> Float[Tensor, "batch atoms_q"]:
    """Projects a categorical distribution on `atoms_p` onto the ascending support `atoms_q`.

    Each atom's mass is split between its two neighbours in the support, in proportion to proximity; mass beyond an end
    goes to that end. Mass is conserved, and so is the mean unless mass lies beyond the ends. See "A Distributional
    Perspective on Reinforcement Learning", Bellemare et al. 2017, eq. 7 (https://arxiv.org/abs/1707.06887).
    """
    gap = atoms_q.diff()
    above = torch.cat([gap, gap[-1:]])[:, None]  # to the next atom; the value at the end is never used
    below = torch.cat([gap[:1], gap])[:, None]
    clipped = atoms_p.minimum(atoms_q[-1]).maximum(atoms_q[0])
    offset = clipped[:, None, :] - atoms_q[None, :, None]
    nearness = 1 - torch.where(offset >= 0, offset / above, -offset / below)
    return (nearness.clamp(0, 1) * probs[:, None, :]).sum(-1)


def categorical_target(
    atoms: Float[Tensor, " atoms"],
    reward_t: Float[Tensor, " batch"],
    discount_t: Float[Tensor, " batch"],
    logits_t: Float[Tensor, "batch atoms"],
) -> Float[Tensor, "batch atoms"]:
    """Returns the distribution of `reward_t + discount_t * Z_t` on the support `atoms`, without gradient."""
    atoms_t = reward_t[:, None] + discount_t[:, None] * atoms
    return categorical_l2_project(atoms_t, logits_t.softmax(-1), atoms).detach()


def cross_entropy(
    logits: Float[Tensor, "batch atoms"], target: Float[Tensor, "batch atoms"]
) -> Float[Tensor, " batch"]:
    """Returns the cross entropy of each row's predicted distribution against its target."""
    return -(target * F.log_softmax(logits, -1)).sum(-1)


def categorical_td(
    logits_tm1: Float[Tensor, "batch atoms"],
    atoms: Float[Tensor, " atoms"],
    reward_t: Float[Tensor, " batch"],
    discount_t: Float[Tensor, " batch"],
    logits_t: Float[Tensor, "batch atoms"],
) -> Float[Tensor, " batch"]:
    """Returns the distributional temporal difference loss, with no gradient through `logits_t`.

    See "Distributed Distributional Deterministic Policy Gradients", Barth-Maron et al. 2018
    (https://arxiv.org/abs/1804.08617).
    """
    return cross_entropy(logits_tm1, categorical_target(atoms, reward_t, discount_t, logits_t))


def n_step_return(
    reward: Float[Tensor, "batch n"], discount: Float[Tensor, "batch n"], steps: Int[Tensor, " batch"], gamma: float
) -> tuple[Float[Tensor, " batch"], Float[Tensor, " batch"]]:
    """Sums the rewards of n-step windows, and computes the discount of the value after each window.

    Args:
        reward: The rewards of the steps t+1 .. t+n.
        discount: The environment's discounts of the same steps.
        steps: How many of the n steps are real; the rest is padding and ignored.
        gamma: The discount factor.

    Returns:
        The discounted sums of the rewards, and the discounts of the value after the last real step.
    """
    real = torch.arange(reward.shape[1], device=reward.device) < steps[:, None]
    factor = torch.where(real, gamma * discount, 1.0)
    after = factor.cumprod(1)
    before = torch.cat([torch.ones_like(after[:, :1]), after[:, :-1]], 1)
    return torch.where(real, reward * before, 0.0).sum(1), after[:, -1]


def dpg(
    action: Float[Tensor, "batch action"], dqda: Float[Tensor, "batch action"], max_norm: float | None = None
) -> Float[Tensor, "batch action"]:
    """Returns the deterministic policy gradient loss of each action entry: its gradient is `-dqda`.

    Args:
        action: The policy's actions, through which the gradient flows.
        dqda: The gradient of the value with respect to the actions, treated as a constant.
        max_norm: Longer rows of `dqda` are scaled to this norm.

    See "Deterministic Policy Gradient Algorithms", Silver et al. 2014; the clipping is as in rlax and acme.
    """
    dqda = dqda.detach()
    if max_norm is not None:
        norm = dqda.norm(dim=-1, keepdim=True)
        dqda = dqda * (max_norm / norm.clamp_min(max_norm))
    return 0.5 * (action - (action.detach() + dqda)).square()


def behaviour_cloning(
    action: Float[Tensor, "batch action"], expert_action: Float[Tensor, "batch action"]
) -> Float[Tensor, " batch"]:
    """Returns the squared error of each row's action, averaged over its entries."""
    return (action - expert_action).square().mean(-1)
