"""What can be told apart is told apart on episodes that were held out, and what cannot is not."""

import numpy as np
import pytest

from trailkit.agents.run.audit.scoring import (
    FOLDS,
    Samples,
    accuracy,
    chance_alike,
    fold_of,
    held_out,
    linear,
    quadratic,
)

FITS = {"linear": linear, "quadratic": quadratic(0.003)}


@pytest.fixture
def random():
    return np.random.default_rng(0)


def samples(features):
    return Samples(features, np.arange(len(features)))


@pytest.mark.parametrize("fit", FITS.values(), ids=FITS)
def test_equal_distributions_are_not_told_apart(fit, random):
    judged = [held_out(fit, *(samples(random.normal(size=(25, 3))) for _ in range(2)), seed=i) for i in range(20)]
    assert sum(each.low > 0.55 for each in judged) <= 1
    assert abs(np.mean([each.mean for each in judged]) - 0.5) < 0.07


def test_the_same_numbers_on_both_sides_are_right_half_of_the_time_exactly(random):
    features = random.normal(size=(25, 6))
    assert held_out(linear, samples(features), samples(features), 0).mean == 0.5


def test_a_shift_is_found(random):
    judged = held_out(linear, samples(random.normal(3, 1, (25, 2))), samples(random.normal(0, 1, (25, 2))), 0)
    assert judged.low > 0.7


def test_one_place_is_told_from_many_that_surround_it(random):
    fixed, anywhere = np.zeros((25, 3)), random.uniform(-0.1, 0.1, (200, 3))
    assert held_out(quadratic(0.003), samples(fixed), samples(anywhere), 0).low > 0.8


@pytest.mark.parametrize(("count", "left", "least", "most"), [(25, -0.1, 0, 0.1), (25, 0.0, 0.9, 1)])
def test_half_a_workspace_left_empty_is_no_chance_and_a_full_one_is(random, count, left, least, most):
    def placed(count, left):
        return np.column_stack([random.uniform(left, 0.1, count), random.uniform(-0.1, 0.1, count)])

    chances = [chance_alike(placed(count, left), placed(200, -0.1), 0.003, i) for i in range(20)]
    assert least <= np.mean([chance < 0.01 for chance in chances]) <= most


def test_the_chance_is_uniform_for_sides_drawn_alike(random):
    chances = [chance_alike(random.normal(size=(12, 2)), random.normal(size=(30, 2)), 0.003, i) for i in range(60)]
    assert abs(np.mean(chances) - 0.5) < 0.15  # a deviation of 0.037
    assert np.mean([chance < 0.2 for chance in chances]) < 0.35


def test_what_was_learned_by_heart_counts_for_nothing(random):
    ours, theirs = random.normal(size=(15, 40)), random.normal(size=(15, 40))
    score = linear(ours, theirs)
    assert np.mean(score(ours) >= 0) > 0.8
    assert held_out(linear, samples(ours), samples(theirs), 0).low < 0.5


def test_the_frames_of_an_episode_count_as_one():
    right, wrong = np.ones(90), -np.ones(1)
    logits, episodes = np.concatenate([right, wrong]), np.concatenate([np.zeros(90, int), [1]])
    assert accuracy(logits, episodes, -logits, episodes).mean == 0.5


def test_a_few_episodes_that_are_all_right_leave_room_for_doubt():
    few, many = (accuracy(np.ones(n), np.arange(n), -np.ones(n), np.arange(n)) for n in (5, 50))
    assert few.mean == many.mean == 1
    assert few.low < 0.75
    assert many.low > 0.9


def test_folds_are_of_equal_size_and_follow_from_the_seed():
    folds = fold_of(25, 3)
    assert np.bincount(folds).tolist() == [25 // FOLDS] * FOLDS
    assert (folds == fold_of(25, 3)).all() and (folds != fold_of(25, 4)).any()
