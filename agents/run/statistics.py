"""Certainty of results: intervals, tests of two policies or methods, and how many more samples would suffice.

Sources: Wilson (1927) for shares; McNemar (1947), exact, for two policies on the same episodes; Welch (1947) for two
methods over seeds; Agarwal et al. (2021, "Deep RL at the Edge of the Statistical Precipice") for the interquartile
mean, the stratified bootstrap and the probability of improvement.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

CONFIDENCE = 0.95
# The normal quantiles of a test with 5% false positives and 80% power.
_ALPHA, _BETA = float(stats.norm.ppf((1 + CONFIDENCE) / 2)), float(stats.norm.ppf(0.8))
_MOST = 100_000  # maximum number of episodes or seeds to report
_FEWEST = 6  # McNemar's test is never significant with fewer pairs of episodes


class Interval(NamedTuple):
    """A share and its 95% confidence interval."""

    share: float
    low: float
    high: float


def wilson(outcomes: Sequence[bool]) -> Interval:
    """The share of successes, with Wilson's interval."""
    test = stats.binomtest(sum(outcomes), len(outcomes))
    low, high = test.proportion_ci(CONFIDENCE, method="wilson")
    return Interval(sum(outcomes) / len(outcomes), float(low), float(high))


def interquartile_mean(scores: ArrayLike) -> float:
    """The mean of the middle half of the scores, which is robust to outliers."""
    return float(stats.trim_mean(np.ravel(scores), 0.25))


def interquartile_interval(tasks: Sequence[ArrayLike], seed: int = 0) -> Interval:
    """The interquartile mean of all scores, with the percentile interval of its stratified bootstrap.

    For few scores, such as those of five seeds, it is too narrow, like every bootstrap.

    Args:
        tasks: The scores of each task; they are resampled within their task.
        seed: Seeds the resampling.
    """

    def statistic(*drawn: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
        return np.asarray(stats.trim_mean(np.concatenate(drawn, axis), 0.25, axis))

    scores = [np.ravel(np.asarray(task, float)) for task in tasks]
    middle = interquartile_mean(np.concatenate(scores))
    if all(len(task) == 1 for task in scores):
        return Interval(middle, middle, middle)
    found = stats.bootstrap(
        scores, statistic, n_resamples=2000, confidence_level=CONFIDENCE, method="percentile", rng=seed
    ).confidence_interval
    return Interval(middle, float(found.low), float(found.high))


def probability_of_improvement(ours: Sequence[float], others: Sequence[float]) -> float:
    """How likely one of our scores is the greater; a tie counts half (the Mann-Whitney statistic over its maximum)."""
    return float(stats.mannwhitneyu(ours, others).statistic) / (len(ours) * len(others))


@dataclass(frozen=True)
class Verdict:
    """Whether the first of two contenders is better."""

    difference: float  # of success, first minus second, in [-1, 1]
    p_value: float  # of a difference at least this large if there were none
    needed: int | None  # units of each that would detect this difference with 80% power; None: too many
    unit: str  # "episodes" of a policy, or "seeds" of a method
    basis: str  # the numbers of units
    played: int  # the smaller number of units of the two, which did not suffice if undecided

    @property
    def word(self) -> str:
        """Better, worse or cannot tell."""
        if self.p_value > 1 - CONFIDENCE:
            return "cannot tell"
        return "better" if self.difference > 0 else "worse"

    def __str__(self) -> str:
        found = f"{self.word}: {100 * self.difference:+.0f} points of success, p = {self.p_value:.2g}, by {self.basis}"
        if self.word != "cannot tell":
            return found
        if self.needed is None:
            return f"{found}; if that is what they differ by, no number of {self.unit} would be likely to tell"
        return f"{found}; if that is what they differ by, some {self.needed} {self.unit} each would tell"


def compare_policies(ours: Mapping[Any, bool], others: Mapping[Any, bool]) -> Verdict:
    """Compares two policies by the success of their episodes, keyed by what determines the start of each.

    Episodes with keys that both have played are compared in pairs, by McNemar's exact test; if there are none, all
    episodes are compared by Fisher's.
    """
    both = sorted(ours.keys() & others.keys())
    if both:
        one, other = (np.array([outcomes[key] for key in both]) for outcomes in (ours, others))
        won, lost = int((one & ~other).sum()), int((other & ~one).sum())
        p_value = float(stats.binomtest(won, won + lost).pvalue) if won + lost else 1.0
        difference = (won - lost) / len(both)
        needed, played = _pairs_needed((won + lost) / len(both), difference), max(len(both), _FEWEST - 1)
        return _verdict(difference, p_value, needed, "episodes", f"{len(both)} episodes that both played", played)
    one, other = (np.array(list(outcomes.values())) for outcomes in (ours, others))
    table = np.array([[each.sum(), len(each) - each.sum()] for each in (one, other)])
    p_value = float(stats.fisher_exact(table).pvalue)
    variance = sum(len(each) * _share_variance(each.tolist()) for each in (one, other))
    difference = float(one.mean() - other.mean())
    needed, basis = _needed(variance, difference), f"{len(one)} and {len(other)} episodes"
    return _verdict(difference, p_value, needed, "episodes", basis, min(len(one), len(other)))


def compare_methods(ours: Sequence[Sequence[bool]], others: Sequence[Sequence[bool]]) -> Verdict:
    """Compares two methods by the success of their runs over seeds, by Welch's test.

    Args:
        ours: For each of at least two runs, whether its episodes succeeded.
        others: The same for the other method.
    """
    one, other = (np.array([np.mean(run) for run in runs]) for runs in (ours, others))
    difference = float(one.mean() - other.mean())
    variances = [_variance(runs) for runs in (ours, others)]
    errors = [variance / len(runs) for variance, runs in zip(variances, (ours, others), strict=True)]
    freedom = sum(errors) ** 2 / sum(e**2 / (len(r) - 1) for e, r in zip(errors, (ours, others), strict=True))
    p_value = float(2 * stats.t.sf(abs(difference) / math.sqrt(sum(errors)), freedom))
    needed, basis = _needed(sum(variances), difference), f"{len(ours)} and {len(others)} seeds"
    return _verdict(difference, p_value, needed, "seeds", basis, min(len(ours), len(others)))


def adjusted(verdicts: Sequence[Verdict], comparisons: int) -> list[Verdict]:
    """The verdicts with p-values that hold for all of them jointly (Holm 1979).

    Args:
        verdicts: The verdicts of those comparisons in a family that were made.
        comparisons: The size of the family; comparing all with the best of k means having chosen among k (k - 1) / 2.
    """
    found, least = list(verdicts), 0.0
    for rank, index in enumerate(sorted(range(len(found)), key=lambda index: found[index].p_value)):
        least = max(least, min(1.0, (comparisons - rank) * found[index].p_value))
        verdict = found[index]
        needed = None if verdict.needed is None else _among(verdict.needed, comparisons - rank)
        if least <= 1 - CONFIDENCE:
            needed = verdict.needed
        found[index] = replace(verdict, p_value=least, needed=_more(needed, least, verdict.played))
    return found


def _variance(runs: Sequence[Sequence[bool]]) -> float:
    """Of the success of a method's runs: at least what their episodes imply, since few seeds may agree by chance."""
    within = float(np.mean([_share_variance(run) for run in runs]))
    return max(float(np.var([np.mean(run) for run in runs], ddof=1)), within)


def _share_variance(outcomes: Sequence[bool]) -> float:
    """Of a share estimated from outcomes; one extra success and failure keep it above 0 (Agresti and Coull 1998)."""
    share = (sum(outcomes) + 1) / (len(outcomes) + 2)
    return share * (1 - share) / len(outcomes)


def _verdict(difference: float, p_value: float, needed: int | None, unit: str, basis: str, played: int) -> Verdict:
    return Verdict(difference, p_value, _more(needed, p_value, played), unit, basis, played)


def _more(needed: int | None, p_value: float, played: int) -> int | None:
    """How many units would suffice, which is more than those that did not: the formulas are asymptotic."""
    return needed if needed is None or p_value <= 1 - CONFIDENCE else max(needed, played + 1)


def _among(needed: int, comparisons: int) -> int | None:
    """How many units would suffice if one p-value must hold for this many comparisons."""
    alpha = float(stats.norm.isf((1 - CONFIDENCE) / 2 / comparisons))
    count = math.ceil(round(needed * ((alpha + _BETA) / (_ALPHA + _BETA)) ** 2, 6))
    return count if count <= _MOST else None


def _needed(variance: float, difference: float) -> int | None:
    """How many of each would detect a difference of means, from the sum of both variances (Guenther 1981)."""
    if not difference:
        return None
    count = math.ceil((_ALPHA + _BETA) ** 2 * variance / difference**2 + _ALPHA**2 / 4)
    return count if count <= _MOST else None


def _pairs_needed(discordant: float, difference: float) -> int | None:
    """How many pairs would suffice, from the share of discordant pairs (Connor 1987)."""
    if not difference:
        return None
    spread = _ALPHA * math.sqrt(discordant) + _BETA * math.sqrt(max(0.0, discordant - difference**2))
    count = math.ceil((spread / difference) ** 2)
    return count if count <= _MOST else None
