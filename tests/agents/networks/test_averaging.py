"""Followers."""

import torch
from torch import nn

from trailkit.agents.networks.averaging import follow, follower


def test_a_follower_takes_no_gradient_and_moves_by_its_rate() -> None:
    online = nn.Linear(1, 1)
    nn.init.zeros_(online.weight)
    target = follower(online)
    assert not any(parameter.requires_grad for parameter in target.parameters())
    nn.init.ones_(online.weight)
    follow(target, online, 0.25)
    assert target.weight.item() == 0.25
    follow(target, online, 1.0)
    assert torch.equal(target.weight, online.weight)
