"""How well two sets of values can be told apart: small classifiers, evaluated on held-out episodes."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Score = Callable[[Floats], Floats]  # features [N, F] to logits [N]
Fit = Callable[[Floats, Floats], Score]  # the expert's features and the agent's

FOLDS = 5  # each probe learns from four fifths of the episodes
_SHRINKAGE = 0.1  # of covariances towards their diagonal: there are only as many episodes as a person can record
_ADDED = 2.0  # extra episodes that were right, and as many that were wrong: the interval of Agresti and Coull (1998)
_Z = 1.96  # for 95%
_PERMUTATIONS = 4999


class Samples(NamedTuple):
    """Features of the frames of one side."""

    features: Floats  # [N, F]
    episode: NDArray[np.int64]  # [N]


class Accuracy(NamedTuple):
    """The balanced accuracy on held-out episodes, with its 95% interval over episodes."""

    mean: float
    low: float
    high: float


def fold_of(episodes: int, seed: int) -> NDArray[np.int64]:
    """The fold of each episode, [episodes], with folds of equal size as far as possible."""
    return np.random.default_rng(seed).permutation(episodes) % FOLDS


def linear(expert: Floats, agent: Floats) -> Score:
    """Fits a linear discriminant: two classes with a shared covariance."""
    scale = np.sqrt((expert.var(0) + agent.var(0)) / 2) + 1e-6
    difference = (expert.mean(0) - agent.mean(0)) / scale
    middle = (expert.mean(0) + agent.mean(0)) / 2
    covariance = (np.cov(expert / scale, rowvar=False) + np.cov(agent / scale, rowvar=False)) / 2
    covariance = np.atleast_2d(covariance) + _SHRINKAGE * np.eye(len(scale))
    weights = np.linalg.solve(covariance, difference)
    return lambda features: ((features - middle) / scale) @ weights


def quadratic(tolerance: float) -> Fit:
    """Fits a Gaussian to each class, which detects a thing that always lies in one place.

    Args:
        tolerance: The minimum standard deviation of every feature: smaller differences are invisible.
    """

    def fit(expert: Floats, agent: Floats) -> Score:
        for_expert, for_agent = (_gaussian(side, tolerance) for side in (expert, agent))
        return lambda features: for_expert(features) - for_agent(features)

    return fit


def held_out(fit: Fit, expert: Samples, agent: Samples, seed: int) -> Accuracy:
    """Evaluates each fold's episodes with a classifier that was fitted to the others.

    Episodes of the two sides with the same number are held out together.
    """
    fold = fold_of(1 + max(side.episode.max() for side in (expert, agent)), seed)
    logits = [np.zeros(len(side.episode)) for side in (expert, agent)]
    for each in range(FOLDS):
        score = fit(*(side.features[fold[side.episode] != each] for side in (expert, agent)))
        for side, found in zip((expert, agent), logits, strict=True):
            held = fold[side.episode] == each
            found[held] = score(side.features[held])
    return accuracy(logits[0], expert.episode, logits[1], agent.episode)


def chance_alike(expert: Floats, agent: Floats, tolerance: float, seed: int) -> float:
    """How often two identically distributed sides differ this much: a permutation test of the energy distance.

    It detects a difference with far fewer episodes than a classifier's accuracy, but says nothing about its size.
    See "Energy statistics", Székely and Rizzo 2013 (https://doi.org/10.1016/j.jspi.2013.03.018), sec. 6.

    Args:
        expert: One row per episode, [N, F].
        agent: The other side's, [M, F]; features are scaled by their standard deviation there.
        tolerance: The minimum standard deviation of every feature: smaller differences are invisible.
        seed: Seeds the permutations.
    """
    both = np.concatenate([expert, agent]) / np.maximum(agent.std(0), tolerance)
    apart = np.linalg.norm(both[:, None] - both[None], axis=-1)
    random = np.random.default_rng(seed)
    # Each row says who counts as the expert; the first row is the actual assignment.
    first = np.arange(len(both)) < len(expert)
    chosen = np.stack([first, *(random.permutation(first) for _ in range(_PERMUTATIONS))]).astype(float)
    of_chosen = chosen @ apart
    inside = (of_chosen * chosen).sum(1)
    across = of_chosen.sum(1) - inside
    outside = apart.sum() - 2 * across - inside
    n, m = len(expert), len(agent)
    energy = 2 * across / (n * m) - inside / n**2 - outside / m**2
    return float((energy >= energy[0] * (1 - 1e-9)).mean())  # permutations that change nothing may round differently


def accuracy(
    expert: Floats, expert_episode: NDArray[np.int64], agent: Floats, agent_episode: NDArray[np.int64]
) -> Accuracy:
    """The balanced accuracy of logits; each episode counts once, since its frames are similar."""
    sides = (expert >= 0, expert_episode), (agent < 0, agent_episode)
    means, centres, variances = [], [], []
    for right, episode in sides:
        rates = np.array([right[episode == each].mean() for each in np.unique(episode)])
        padded = np.concatenate([rates, np.repeat([0.0, 1.0], int(_ADDED))])
        means.append(rates.mean())
        centres.append(padded.mean())
        variances.append(padded.var() / len(padded))
    centre, margin = float(np.mean(centres)), _Z * float(np.sqrt(sum(variances))) / 2
    return Accuracy(float(np.mean(means)), max(0.0, centre - margin), min(1.0, centre + margin))


def _gaussian(features: Floats, tolerance: float) -> Score:
    mean = features.mean(0)
    covariance = np.atleast_2d(np.cov(features, rowvar=False))
    covariance = (1 - _SHRINKAGE) * covariance + _SHRINKAGE * np.diag(np.diag(covariance))
    covariance += tolerance**2 * np.eye(len(mean))
    inverse, (_, determinant) = np.linalg.inv(covariance), np.linalg.slogdet(covariance)

    def log_density(at: Floats) -> Floats:
        offsets = at - mean
        density: Floats = -(((offsets @ inverse) * offsets).sum(1) + determinant) / 2
        return density

    return log_density
