"""How the spread of a policy's actions is told."""

import math

import pytest
import torch

from trailkit.agents.diagnostics import BINS, spread


def test_entropy_goes_from_always_the_same_to_all_values_alike() -> None:
    near_zero = 0.01 * torch.randn(64, 4, generator=torch.Generator().manual_seed(0))
    assert spread(near_zero)["action_entropy"].item() == 0
    uniform = torch.linspace(-1, 1, BINS * 100)[:, None].expand(-1, 2)
    assert spread(uniform)["action_entropy"].item() == pytest.approx(1, abs=1e-4)
    halves = torch.tensor([[-1.0, 0.3], [1.0, 0.3]])  # one bit, and nothing
    assert spread(halves)["action_entropy"].item() == pytest.approx(math.log(2) / math.log(BINS) / 2)


def test_saturation_counts_entries_at_either_limit() -> None:
    assert spread(torch.tensor([[1.0, -0.98], [0.96, -0.5]]))["action_saturation"].item() == 0.5
