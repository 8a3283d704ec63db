"""Rewards from a discriminator's logits (high means expert, D = sigmoid(logit)), one function per formula."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from trailkit.discriminators.base import RewardFunction


def minus_log_one_minus_d(logits: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """-log(1 - D), of GAIL and TRAIL; never negative, so that longer episodes are never penalised (TRAIL, sec. 3)."""
    return F.softplus(logits)


def log_d_minus_log_one_minus_d(logits: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Log D - log(1 - D), of AIRL and DAC (Fu et al. 2018, https://arxiv.org/abs/1710.11248)."""
    return logits


def log_d(logits: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Log D; never positive, so that ending an episode early is rewarded."""
    return F.logsigmoid(logits)


def clipped(reward: RewardFunction, maximum: float) -> RewardFunction:
    """Caps a reward, so that the critic's support can cover the returns (not in the paper)."""

    def reward_clipped(logits: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        return reward(logits).clamp_max(maximum)

    return reward_clipped
