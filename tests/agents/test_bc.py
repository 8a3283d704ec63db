"""Behaviour cloning."""

import pytest
import torch
from transitions import random_transition, small_networks

from trailkit.agents.bc import BC, BCSettings


def test_a_handful_of_frames_is_learned_by_heart() -> None:
    torch.manual_seed(0)
    batch = random_transition(0, batch=8)
    policy, _ = small_networks()
    learner = BC(policy, BCSettings(learning_rate=3e-3, average_tau=0.1, random_shift=0))
    first = learner.step(batch)["policy_loss"]
    for _ in range(200):
        last = learner.step(batch)["policy_loss"]
    assert first > 0.1
    assert last < 1e-3
    policy.load_state_dict(learner.parameters()["policy"])
    with torch.no_grad():
        torch.testing.assert_close(policy(batch.observation), batch.action, atol=0.1, rtol=0)
        expected = (policy(batch.observation) - batch.action).square().mean().item()
    assert learner.loss(batch.observation, batch.action) == pytest.approx(expected, rel=1e-4)
    other = random_transition(1, batch=8)
    assert learner.loss(other.observation, other.action) > 0.1
