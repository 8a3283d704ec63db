"""Statistics against scipy, statsmodels and rliable, and against simulation."""

import math
import warnings
from collections.abc import Iterator

import numpy as np
import pytest
from scipy import stats

from trailkit.agents.run.statistics import (
    Verdict,
    adjusted,
    compare_methods,
    compare_policies,
    interquartile_interval,
    interquartile_mean,
    probability_of_improvement,
    wilson,
)

CASES = range(100)
COVERED = (0.935, 0.965)  # 95% +- 1.5


@pytest.fixture(params=CASES)
def random(request: pytest.FixtureRequest) -> np.random.Generator:
    return np.random.default_rng(request.param)


def outcomes(random: np.random.Generator, share: float, count: int) -> dict[int, bool]:
    return dict(enumerate((random.random(count) < share).tolist()))


def test_shares_agree_with_statsmodels(random: np.random.Generator) -> None:
    proportion = pytest.importorskip("statsmodels.stats.proportion")
    played = list(outcomes(random, random.random(), int(random.integers(1, 200))).values())
    expected = proportion.proportion_confint(sum(played), len(played), method="wilson")
    found = wilson(played)
    assert found.share == sum(played) / len(played)
    assert (found.low, found.high) == pytest.approx(expected, abs=1e-12)


def test_pairs_agree_with_statsmodels(random: np.random.Generator) -> None:
    tables = pytest.importorskip("statsmodels.stats.contingency_tables")
    ours, others = (outcomes(random, random.random(), 60) for _ in range(2))
    table = np.zeros((2, 2))
    for key in ours:
        table[int(ours[key]), int(others[key])] += 1
    found = compare_policies(ours, others)
    assert found.p_value == pytest.approx(tables.mcnemar(table, exact=True).pvalue)
    assert found.difference == pytest.approx(np.mean(list(ours.values())) - np.mean(list(others.values())))


def test_means_and_improvement_agree_with_rliable(random: np.random.Generator) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        metrics = pytest.importorskip("rliable.metrics")
    ours, others = (random.normal(size=int(random.integers(2, 12))).round(1) for _ in range(2))
    assert interquartile_mean(ours.tolist()) == pytest.approx(metrics.aggregate_iqm(ours[:, None]))
    expected = metrics.probability_of_improvement(ours[:, None], others[:, None])
    assert probability_of_improvement(ours.tolist(), others.tolist()) == pytest.approx(expected)


def test_the_bootstrap_agrees_with_rliable() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        library, metrics = pytest.importorskip("rliable.library"), pytest.importorskip("rliable.metrics")
    scores = np.random.default_rng(0).normal([0.0, 5.0], [1.0, 0.2], (10, 2))
    _, intervals = library.get_interval_estimates(
        {"run": scores}, lambda each: np.array([metrics.aggregate_iqm(each)]), reps=2000
    )
    found = interquartile_interval(list(scores.T))
    assert found.share == pytest.approx(metrics.aggregate_iqm(scores))
    assert (found.low, found.high) == pytest.approx(tuple(intervals["run"][:, 0]), abs=0.06)


def test_scores_are_drawn_within_their_task() -> None:
    assert interquartile_interval([[1.0, 1.0], [3.0, 3.0]]) == (2.0, 2.0, 2.0)
    assert interquartile_interval([[1.0], [3.0]]) == (2.0, 2.0, 2.0)


def test_intervals_of_shares_cover_what_they_should() -> None:
    random = np.random.default_rng(0)
    covered = 0
    for share in random.uniform(0.02, 0.98, 2000):
        found = wilson((random.random(50) < share).tolist())
        covered += found.low <= share <= found.high
    assert COVERED[0] <= covered / 2000 <= COVERED[1]


def test_intervals_of_bootstraps_cover_what_they_should() -> None:
    random = np.random.default_rng(0)
    covered = 0
    for seed in range(2000):
        found = interquartile_interval([random.normal(size=100)], seed)
        covered += found.low <= 0.0 <= found.high
    assert COVERED[0] <= covered / 2000 <= COVERED[1]


def _told(seeds: Iterator[int], shares: tuple[float, float], count: int) -> float:
    words = []
    for seed in seeds:
        random = np.random.default_rng(seed)
        words.append(compare_policies(*(outcomes(random, share, count) for share in shares)).word)
    return sum(word != "cannot tell" for word in words) / len(words)


def test_two_policies_that_are_as_good_are_seldom_told_apart() -> None:
    assert _told(iter(range(50)), (0.9, 0.9), 50) <= 0.1
    assert _told(iter(range(2000)), (0.7, 0.7), 50) <= 0.05


@pytest.mark.parametrize("paired", [True, False])
def test_the_number_of_episodes_that_would_do_does(paired: bool) -> None:
    known = np.random.default_rng(1)
    shift = 0 if paired else 10**6
    ours, others = outcomes(known, 0.6, 20_000), outcomes(known, 0.85, 20_000)
    needed = compare_policies(ours, {key + shift: solved for key, solved in others.items()}).needed
    assert needed is not None
    assert 40 <= needed <= 60
    told = 0
    for seed in range(400):
        random = np.random.default_rng(seed)
        few, more = outcomes(random, 0.6, needed), outcomes(random, 0.85, needed)
        found = compare_policies(few, {key + shift: solved for key, solved in more.items()})
        assert found.word != "better"
        told += found.word == "worse"
    assert told / 400 == pytest.approx(0.8, abs=0.1)


def test_what_cannot_be_told_says_how_many_would_do() -> None:
    ours = {key: key < 12 for key in range(20)}
    others = {key: key < 17 for key in range(20)}
    found = compare_policies(ours, others)
    assert str(found) == (
        "cannot tell: -25 points of success, p = 0.062, by 20 episodes that both played; if that is what they differ "
        "by, some 29 episodes each would tell"
    )
    assert str(compare_policies(ours, ours)) == (
        "cannot tell: +0 points of success, p = 1, by 20 episodes that both played; if that is what they differ by, no "
        "number of episodes would be likely to tell"
    )


@pytest.mark.parametrize("shift", [0, 100], ids=["paired", "unpaired"])
def test_how_many_would_do_is_never_what_did_not(shift: int) -> None:
    for played in range(1, 7):
        ours = {key: True for key in range(played)}
        found = compare_policies(ours, {key + shift: False for key in range(played)})
        if found.word == "cannot tell":
            assert found.needed is not None
            assert found.needed > played
            assert shift or found.needed >= 6
    few = compare_methods([[True] * 9 + [False], [True] * 10], [[False] * 7 + [True] * 3, [True, False] * 5])
    assert (few.word, few.needed) == ("cannot tell", 3)


def test_p_values_of_several_comparisons_agree_with_statsmodels(random: np.random.Generator) -> None:
    multitest = pytest.importorskip("statsmodels.stats.multitest")
    values = random.uniform(0, 0.2, random.integers(1, 8))
    verdicts = [Verdict(0.1, value, None, "seeds", "", 3) for value in values]
    found = [verdict.p_value for verdict in adjusted(verdicts, len(values))]
    np.testing.assert_allclose(found, multitest.multipletests(values, method="holm")[1])


def test_what_no_longer_tells_when_others_are_looked_at_too_needs_more() -> None:
    verdict = Verdict(0.2, 0.03, 3, "seeds", "3 and 3 seeds", 3)
    (together,) = adjusted([verdict], 3)
    assert str(together).startswith("cannot tell: +20 points of success, p = 0.09")
    assert str(together).endswith("some 5 seeds each would tell")
    assert adjusted([verdict], 1) == [verdict]


@pytest.mark.parametrize("comparisons", [1, 3, 10])
def test_so_many_seeds_do_tell_where_others_are_looked_at_too(comparisons: int) -> None:
    random, difference, deviation = np.random.default_rng(0), 0.25, 0.2
    count = 2 * deviation**2 * (1.96 + 0.8416) ** 2 / difference**2
    verdict = Verdict(difference, 0.5, math.ceil(count), "seeds", "", 3)
    needed = adjusted([verdict], comparisons)[0].needed
    assert needed is not None
    drawn = random.normal([[[0.0]], [[difference]]], deviation, (2, 4000, needed))
    deviates = (drawn[1].mean(1) - drawn[0].mean(1)) / (deviation * math.sqrt(2 / needed))
    told = (2 * stats.norm.sf(np.abs(deviates)) * comparisons < 0.05).mean()
    assert 0.78 <= told <= 0.88  # rounded up from 0.8


def test_policies_that_share_no_episode_are_compared_by_fishers_test() -> None:
    ours, others = {key: True for key in range(10)}, {key: False for key in range(10, 20)}
    found = compare_policies(ours, others)
    assert found.p_value == pytest.approx(2 / math.comb(20, 10))
    assert found.word == "better"
    assert str(found) == "better: +100 points of success, p = 1.1e-05, by 10 and 10 episodes"


def runs(random: np.random.Generator, shares: list[float]) -> list[list[bool]]:
    return [(random.random(50) < share).tolist() for share in shares]


def test_methods_whose_seeds_vary_are_told_apart_by_more_seeds_alone() -> None:
    random = np.random.default_rng(0)
    few = compare_methods(runs(random, [0.9, 0.5, 0.8]), runs(random, [0.6, 0.4, 0.7]))
    assert few.word == "cannot tell"
    assert few.needed is not None
    assert few.needed > 3
    many = compare_methods(runs(random, 10 * [0.9, 0.5, 0.8]), runs(random, 10 * [0.6, 0.4, 0.7]))
    assert many.word == "better"


def test_methods_that_are_as_good_are_seldom_told_apart() -> None:
    random = np.random.default_rng(0)
    words = []
    for _ in range(1000):
        both = [runs(random, random.uniform(0.7, 1.0, 3).tolist()) for _ in range(2)]
        words.append(compare_methods(*both).word)
    assert sum(word != "cannot tell" for word in words) / len(words) <= 0.06


def test_seeds_that_agree_by_chance_do_not_make_certain() -> None:
    found = compare_methods([[True] * 50] * 3, [[True] * 49 + [False]] * 3)
    assert found.word == "cannot tell"
    assert found.p_value > 0.1
