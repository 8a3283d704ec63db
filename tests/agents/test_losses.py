"""Losses: published vectors, TRAIL's own settings, rlax on random cases, and shapes that must be refused."""

import functools
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from jaxtyping import TypeCheckError
from torch import Tensor

from trailkit.agents import losses

ATOMS = torch.linspace(-50, 150, 21)


def test_categorical_td_gives_rlaxs_published_losses() -> None:
    logits_tm1 = torch.tensor([[0.0, 9, 0], [9, 0, 9], [0, 9, 0], [9, 9, 0], [9, 0, 9]])
    logits_t = torch.tensor([[0.0, 0, 9], [1, 1, 1], [0, 0, 9], [1, 1, 1], [0, 9, 9]])
    reward, discount = torch.tensor([0.5, 0, 0.5, 0.8, -0.1]), torch.tensor([0.8, 1, 0.8, 0, 1])
    loss = losses.categorical_td(logits_tm1, torch.tensor([0.5, 1, 1.5]), reward, discount, logits_t)
    expected = torch.tensor([8.998915, 3.693209, 8.998915, 0.693209, 5.192931])
    torch.testing.assert_close(loss, expected, atol=2e-6, rtol=0)


def test_categorical_target_gives_trfls_published_distributions() -> None:
    logits_t = torch.tensor([[0.0, 0, 9], [1, 1, 1], [0, 0, 9], [1, 1, 1], [0, 9, 9]])
    reward, discount = torch.tensor([0.5, 0, 0.5, 0.8, -0.1]), torch.tensor([0.8, 1, 0.8, 0, 1])
    target = losses.categorical_target(torch.tensor([0.5, 1, 1.5]), reward, discount, logits_t)
    expected = torch.tensor([[0, 0, 1], [1 / 3, 1 / 3, 1 / 3], [0, 0, 1], [0.4, 0.6, 0], [0.1, 0.5, 0.4]])
    torch.testing.assert_close(target, expected, atol=1e-3, rtol=0)


def test_projection_gives_rlaxs_published_weights() -> None:
    supports = torch.stack([torch.arange(-1, 1, 0.25), torch.arange(-1, 1, 0.25) + 1])
    weights = supports.clone()
    weights[0, ::2] = 0
    weights[1, 1::2] = 0
    first = losses.categorical_l2_project(supports[:1], weights[:1], torch.arange(-1, 1, 0.5))
    second = losses.categorical_l2_project(supports[1:], weights[1:], torch.arange(-1, 1, 0.5) + 1)
    torch.testing.assert_close(first, torch.tensor([[-0.375, -0.5, 0, 0.875]]))
    torch.testing.assert_close(second, torch.tensor([[0, 0.5, 1, 1.5]]))


def test_projection_gives_acmes_published_distribution() -> None:
    projected = losses.categorical_l2_project(
        torch.tensor([[0.0, 1, 2, 3]]), torch.tensor([[0.0, 1, 0, 0]]), torch.tensor([0.25, 1.25, 2.25, 3.25])
    )
    torch.testing.assert_close(projected, torch.tensor([[0.25, 0.75, 0, 0]]))


@pytest.mark.parametrize(
    ("reward", "discount", "loss", "mean"),
    [
        (0.7, 0.99, 3.279704, 47.88623),
        (3.2, 0.99, 3.369745, 50.23283),
        (0.7, 0.0, 3.016873, 0.7),
        (200.0, 0.99, 2.939809, 150.0),
        (-200.0, 0.99, 2.347891, -50.0),
    ],
)
def test_categorical_td_on_the_papers_support(reward: float, discount: float, loss: float, mean: float) -> None:
    logits_t, logits_tm1 = torch.arange(21.0).sin()[None], torch.arange(21.0).cos()[None]
    reward_t, discount_t = torch.tensor([reward]), torch.tensor([discount])
    target = losses.categorical_target(ATOMS, reward_t, discount_t, logits_t)
    assert losses.categorical_td(logits_tm1, ATOMS, reward_t, discount_t, logits_t).item() == pytest.approx(
        loss, abs=2e-6
    )
    assert (target @ ATOMS).item() == pytest.approx(mean, abs=2e-4)


def test_a_certain_return_is_shared_by_its_two_neighbours() -> None:
    certain = torch.full((1, 21), -1e9)
    certain[0, 8] = 0.0  # z = 30
    target = losses.categorical_target(ATOMS, torch.tensor([4.0]), torch.tensor([0.5]), certain)
    expected = torch.zeros(1, 21)
    expected[0, 6], expected[0, 7] = 0.1, 0.9  # z = 10 and 20
    torch.testing.assert_close(target, expected)


def test_projection_conserves_mass_and_an_unclipped_mean() -> None:
    generator = torch.Generator().manual_seed(0)
    probs = torch.rand(100, 21, generator=generator).softmax(-1)
    inside = 0.5 * ATOMS + 60 * torch.rand(100, 1, generator=generator)
    projected = losses.categorical_l2_project(inside, probs, ATOMS)
    torch.testing.assert_close(projected.sum(-1), torch.ones(100))
    torch.testing.assert_close(projected @ ATOMS, (probs * inside).sum(-1), rtol=1e-5, atol=1e-4)


def test_no_gradient_reaches_the_bootstrapped_logits() -> None:
    logits_t = torch.zeros(1, 21, requires_grad=True)
    logits_tm1 = torch.zeros(1, 21, requires_grad=True)
    losses.categorical_td(logits_tm1, ATOMS, torch.ones(1), torch.ones(1), logits_t).sum().backward()
    assert logits_t.grad is None
    assert logits_tm1.grad is not None


def _rlax() -> tuple[Any, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the libraries that it imports
        return pytest.importorskip("rlax"), pytest.importorskip("jax")


def test_categorical_td_is_rlaxs_on_a_thousand_random_cases() -> None:
    rlax, jax = _rlax()
    rng = np.random.default_rng(0)
    for atoms in (np.linspace(-50, 150, 21), np.linspace(-1, 1, 11)):
        support = atoms.astype(np.float32)
        count = 1000
        logits_tm1, logits_t = rng.normal(0, 3, (2, count, len(atoms))).astype(np.float32)
        reward = rng.normal(0, np.ptp(support) / 3, count).astype(np.float32)
        discount = rng.choice([0.0, 0.5, 0.99, 1.0], count).astype(np.float32)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = jax.vmap(rlax.categorical_td_learning, in_axes=(None, 0, 0, 0, None, 0))(
                support, logits_tm1, reward, discount, support, logits_t
            )
        loss = losses.categorical_td(
            *map(torch.from_numpy, (logits_tm1, support, reward, discount, logits_t))  # type: ignore[arg-type]
        )
        np.testing.assert_allclose(loss.numpy(), np.asarray(expected), rtol=1e-5, atol=1e-5)


def test_dpg_is_rlaxs_on_a_thousand_random_cases() -> None:
    rlax, jax = _rlax()
    rng = np.random.default_rng(1)
    action, dqda = rng.normal(0, 1, (2, 1000, 4)).astype(np.float32)
    dqda[0] = 0
    for max_norm in (None, 1.0):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = jax.vmap(functools.partial(rlax.dpg_loss, dqda_clipping=max_norm))(action, dqda)
        loss = losses.dpg(torch.from_numpy(action), torch.from_numpy(dqda), max_norm)
        np.testing.assert_allclose(loss.numpy(), np.asarray(expected), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("max_norm", "loss", "gradient"), [(1.0, [0.18, 0.32], [-0.6, -0.8]), (None, [4.5, 8.0], [-3.0, -4.0])]
)
def test_dpg_descends_along_the_clipped_gradient(
    max_norm: float | None, loss: list[float], gradient: list[float]
) -> None:
    action = torch.tensor([[0.2, -0.4]], requires_grad=True)
    value = losses.dpg(action, torch.tensor([[3.0, 4.0]]), max_norm)
    value.sum().backward()
    torch.testing.assert_close(value.detach(), torch.tensor([loss]))
    torch.testing.assert_close(action.grad, torch.tensor([gradient]))


def test_dpg_leaves_a_zero_gradient_zero() -> None:
    assert losses.dpg(torch.ones(1, 2), torch.zeros(1, 2), 1.0).tolist() == [[0.0, 0.0]]


def test_n_step_return_sums_discounted_rewards_and_bootstraps_after_them() -> None:
    reward, discount = torch.tensor([[1.0, 2, 4]]), torch.ones(1, 3)
    total, after = losses.n_step_return(reward, discount, torch.tensor([3]), 0.5)
    assert (total.item(), after.item()) == (1 + 1 + 1, 0.125)


def test_n_step_return_ignores_whatever_the_padding_holds() -> None:
    reward, discount = torch.tensor([[1.0, 2, 99]]), torch.tensor([[1.0, 1, 0]])
    total, after = losses.n_step_return(reward, discount, torch.tensor([2]), 0.5)
    assert (total.item(), after.item()) == (2.0, 0.25)


def test_n_step_return_ends_at_a_termination_but_counts_its_reward() -> None:
    reward, discount = torch.tensor([[1.0, 2, 4]]), torch.tensor([[1.0, 0, 1]])
    total, after = losses.n_step_return(reward, discount, torch.tensor([3]), 0.5)
    assert (total.item(), after.item()) == (2.0, 0.0)


def test_a_truncated_window_still_bootstraps() -> None:
    """Early stopping must not punish good states: its discount is 1."""
    _, after = losses.n_step_return(torch.ones(1, 3), torch.ones(1, 3), torch.tensor([1]), 0.9)
    assert after.item() == pytest.approx(0.9)


def test_behaviour_cloning_is_the_mean_squared_error_of_each_row() -> None:
    loss = losses.behaviour_cloning(torch.tensor([[1.0, 0], [0, 0]]), torch.tensor([[0.0, 0], [1, 2]]))
    assert loss.tolist() == [0.5, 2.5]


@pytest.mark.parametrize("column", [0, 1])
def test_a_column_where_a_vector_is_meant_is_refused(column: int) -> None:
    """[B, 1] for [B] would broadcast to [B, B] without a word."""
    vectors: list[Tensor] = [torch.zeros(5), torch.ones(5)]
    vectors[column] = vectors[column][:, None]
    with pytest.raises(TypeCheckError, match=r"f32\[5,1\]"):
        losses.categorical_target(ATOMS, vectors[0], vectors[1], torch.zeros(5, 21))


def test_unequal_batches_are_refused() -> None:
    with pytest.raises(TypeCheckError, match="expert_action"):
        losses.behaviour_cloning(torch.zeros(5, 2), torch.zeros(1, 2))
