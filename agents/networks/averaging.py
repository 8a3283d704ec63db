"""Polyak averaging: copies of networks that slowly follow the original, as target networks or averaged policy."""

import copy
from typing import TypeVar

import torch
from torch import nn

Network = TypeVar("Network", bound=nn.Module)


def follower(network: Network) -> Network:
    """Returns a copy without gradients."""
    # deepcopy keeps requires_grad; a copy that had it would be trained by mistake.
    return copy.deepcopy(network).requires_grad_(False)


@torch.no_grad()
def follow(target: nn.Module, online: nn.Module, tau: float) -> None:
    """Moves each weight of `target` towards that of `online` by the fraction `tau`; 1 copies it."""
    torch._foreach_lerp_(list(target.parameters()), list(online.parameters()), tau)
