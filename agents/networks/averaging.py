"""Copies of networks that follow the original slowly: target networks, and the averaged policy that acts."""

import copy
from typing import TypeVar

import torch
from torch import nn

Network = TypeVar("Network", bound=nn.Module)


def follower(network: Network) -> Network:
    """Returns a copy that takes no gradient."""
    # deepcopy keeps requires_grad, and a follower that had it would quietly be trained.
    return copy.deepcopy(network).requires_grad_(False)


@torch.no_grad()
def follow(target: nn.Module, online: nn.Module, tau: float) -> None:
    """Moves each weight of `target` by `tau` of the way to that of `online`; 1 copies."""
    torch._foreach_lerp_(list(target.parameters()), list(online.parameters()), tau)
