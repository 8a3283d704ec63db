"""Heads: with and without proprioception, and quiet at the beginning."""

import pytest
import torch

from trailkit.agents.networks.encoders import CompactEncoder
from trailkit.agents.networks.heads import CriticHead, PolicyHead, PolicyNetwork


@pytest.mark.parametrize("proprio_size", [0, 6])
def test_heads_work_with_and_without_proprioception(proprio_size: int) -> None:
    features, proprio = torch.randn(3, 16), torch.randn(3, proprio_size)
    action = PolicyHead(16, proprio_size, 4)(features, proprio)
    logits = CriticHead(16, proprio_size, 4)(features, proprio, action)
    assert action.shape == (3, 4)
    assert logits.shape == (3, 21)


def test_first_outputs_are_nearly_zero_for_all_inputs() -> None:
    features, proprio = torch.randn(50, 16), 10 * torch.randn(50, 6)
    action = PolicyHead(16, 6, 4)(features, proprio)
    assert action.abs().max() < 0.1
    assert CriticHead(16, 6, 4)(features, proprio, action).abs().max() < 0.1


def test_an_observation_without_proprioception_needs_no_entry_for_it() -> None:
    encoder = CompactEncoder({"front": (32, 32)}, embedding=16)
    network = PolicyNetwork(encoder, PolicyHead(16, 0, 4))
    assert network({"front": torch.zeros(2, 32, 32, 3, dtype=torch.uint8)}).shape == (2, 4)


@pytest.mark.parametrize("part", ["features", "proprio"])
def test_the_policy_looks_at_all_its_inputs(part: str) -> None:
    head = PolicyHead(16, 6, 4)
    inputs = {"features": torch.randn(3, 16), "proprio": torch.randn(3, 6)}
    changed = {**inputs, part: inputs[part] + 1}
    assert not torch.equal(head(**inputs), head(**changed))
