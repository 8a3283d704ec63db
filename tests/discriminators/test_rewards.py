"""Rewards from logits."""

import pytest
import torch

from trailkit.discriminators.rewards import (
    clipped,
    log_d,
    log_d_minus_log_one_minus_d,
    minus_log_one_minus_d,
)

LOGITS = torch.tensor([-2.0, 0, 2, 10])


def test_trails_reward_is_softplus() -> None:
    expected = torch.tensor([0.126928, 0.693147, 2.126928, 10.000045])
    torch.testing.assert_close(minus_log_one_minus_d(LOGITS), expected, atol=1e-6, rtol=1e-6)


def test_the_forms_follow_their_formulas() -> None:
    d = LOGITS.double().sigmoid()
    torch.testing.assert_close(minus_log_one_minus_d(LOGITS.double()), -torch.log(1 - d))
    torch.testing.assert_close(log_d_minus_log_one_minus_d(LOGITS.double()), d.log() - torch.log(1 - d))
    torch.testing.assert_close(log_d(LOGITS.double()), d.log())


def test_a_clip_limits_from_above() -> None:
    assert clipped(minus_log_one_minus_d, 2.0)(LOGITS).max().item() == 2.0
    assert clipped(log_d, 2.0)(LOGITS)[0].item() == pytest.approx(-2.126928)
