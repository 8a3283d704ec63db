"""Tests of the sums that prioritised sampling is made on."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trailkit.replay.sumtree import SumTree


@pytest.mark.parametrize("size", [1, 64, 65, 5000, 300_000])
def test_sampling_finds_the_weight_under_each_fraction(size: int) -> None:
    rng = np.random.default_rng(size)
    weights = np.where(rng.random(size) < 0.5, 0.0, rng.random(size))
    weights[-1] = 1.0
    tree = SumTree(size)
    tree[np.arange(size)] = weights
    edges = np.cumsum(weights)
    fractions = rng.random(200)
    expected = np.searchsorted(edges, fractions * edges[-1], side="right")
    np.testing.assert_array_equal(tree.sample(fractions), expected)
    assert tree.total == pytest.approx(edges[-1])


@given(st.lists(st.tuples(st.integers(0, 199), st.floats(0, 1e6)), max_size=50))
def test_the_total_follows_every_change(changes: list[tuple[int, float]]) -> None:
    tree, weights = SumTree(200), np.zeros(200)
    for index, weight in changes:
        tree[np.array([index])] = weight
        weights[index] = weight
    assert tree.total == pytest.approx(weights.sum())
    np.testing.assert_array_equal(tree[np.arange(200)], weights)


def test_a_weight_of_zero_is_never_sampled() -> None:
    tree = SumTree(128)
    tree[np.array([3, 70])] = np.array([0.1, 0.2])
    fractions = np.array([0.0, 1 / 3, np.nextafter(1.0, 0.0)])
    assert set(tree.sample(fractions).tolist()) <= {3, 70}
    assert tree.sample(np.array([np.nextafter(1.0, 0.0)])) == 70


def test_of_equal_indices_the_last_weight_holds() -> None:
    tree = SumTree(10)
    tree[np.array([2, 2])] = np.array([5.0, 7.0])
    assert tree.total == 7.0
