"""Diagnostics of a policy's actions: how much they vary, and how many are saturated."""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

BINS = 15  # of an action's range, for its entropy; odd, so that values near 0 share one bin
LIMIT = 0.97  # of an action's magnitude, above which the preceding tanh has almost no gradient (less than 0.06)


def spread(action: Float[Tensor, "batch action"]) -> dict[str, Tensor]:
    """Returns scalar metrics of a batch of actions in [-1, 1].

    `action_entropy` is the entropy of each entry's histogram over the batch, averaged over the entries: 0 if the policy
    acts the same for all observations, 1 if all values are equally frequent. `action_saturation` is the share of
    entries at the limits.
    """
    action = action.detach()
    bins = ((action + 1) * (BINS / 2)).long().clamp(0, BINS - 1)
    shares = F.one_hot(bins, BINS).float().mean(0)
    return {
        "action_entropy": torch.special.entr(shares).sum(1).mean() / math.log(BINS),
        "action_saturation": (action.abs() > LIMIT).float().mean(),
    }
