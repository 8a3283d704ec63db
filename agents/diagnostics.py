"""What tells whether a policy still chooses: how its actions spread, and how many are at their limits."""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

BINS = 15  # of an action's range, over which its entropy is taken; odd, so that about 0 is one bin
LIMIT = 0.97  # of an action's size, beyond which the tanh before it has hardly a gradient (less than 0.06)


def spread(action: Float[Tensor, "batch action"]) -> dict[str, Tensor]:
    """Returns scalars of a batch of actions in [-1, 1].

    `action_entropy` is that of each entry's histogram over the batch, averaged over the entries: 0 if the policy does
    the same in all observations, 1 if all values are as frequent. `action_saturation` is the share at the limits.
    """
    action = action.detach()
    bins = ((action + 1) * (BINS / 2)).long().clamp(0, BINS - 1)
    shares = F.one_hot(bins, BINS).float().mean(0)
    return {
        "action_entropy": torch.special.entr(shares).sum(1).mean() / math.log(BINS),
        "action_saturation": (action.abs() > LIMIT).float().mean(),
    }
