"""What goes wrong in a training, in words, with one rule and threshold per sentence.

The metrics are averages over the last quarter of a run, which represent its result.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from scipy import stats

from trailkit.agents.run.metrics import read_rows
from trailkit.configs.choices import EarlyStop, EnvKind, Features, LearnerKind
from trailkit.configs.schema import TrainConfig

MEMORISED = 0.3  # D on demonstrations learned from, minus D on held-out ones
UNHELD = 0.65  # accuracy on the constraining sets; the constraint aims at 1/2
SEPARATE = 0.97  # accuracy on agent and expert
END_MASS = 0.6  # of the critic's targets, at one end of its support; when TRAIL works well, it is at most half
CLONED = 3.0  # behaviour cloning loss on held-out demonstrations, relative to that on those learned from
SATURATED = 0.9  # of the actions' entries, at their limits
SAME = 0.05  # entropy of the actions; 1 means that all values are equally frequent
GIVEN_UP = 0.95  # of the episodes
FELL = 0.2  # of success, since the best evaluation, if significant
_WEAK = 0.5  # success below which causes are searched

Metrics = Mapping[str, float]


def late_metrics(folder: Path) -> Metrics:
    """Each metric's mean over the last quarter of a run's rows; metrics that never occurred are missing."""
    rows = [row for row in read_rows(folder / "metrics.csv") if not row.get("eval_success")]
    late = rows[-max(1, len(rows) // 4) :]
    found = {}
    for name in late[0] if late else {}:
        values = [float(row[name]) for row in late if row[name]]
        if values:
            found[name] = float(np.mean(values))
    return found


def findings(
    metrics: Metrics, config: TrainConfig, shares: Sequence[float], episodes: Sequence[int] | None = None
) -> list[str]:
    """Lists what goes wrong; for a run that has diverged, nothing else.

    Args:
        metrics: The metrics at the end of the run.
        config: The configuration of the run.
        shares: The success of its evaluations, in [0, 1], in order. Before the first evaluation, no causes of missing
            success are searched.
        episodes: The number of episodes of each evaluation; by default that of the training's evaluations.
    """
    known = _Known(metrics)
    if sentence := diverged(known):
        return [sentence]
    rules = (
        _memorises,
        _clones,
        _unheld,
        _separate,
        _support,
        _saturated,
        _same,
        _given_up,
        _never,
    )
    found = [rule(known, config, shares) for rule in rules]
    found.append(_fell(shares, episodes or [config.evaluation.episodes] * len(shares)))
    return [sentence for sentence in found if sentence is not None]


class _Known(dict[str, float]):
    """Metrics that are NaN if missing, so that comparisons with them are false."""

    def __missing__(self, name: str) -> float:
        return math.nan


def diverged(metrics: Metrics) -> str | None:
    """Says that a run has diverged, if a metric at its end is not finite."""
    broken = sorted(name for name, value in metrics.items() if not math.isfinite(value))
    if not broken:
        return None
    return (
        f"the run has diverged, {', '.join(broken)} not finite: start anew with a lower agent.learning_rate or "
        "discriminator.learning_rate"
    )


def _memorises(metrics: Metrics, config: TrainConfig, shares: Sequence[float]) -> str | None:
    known, kept, crop = metrics["disc_score_known"], metrics["disc_score_holdout"], config.discriminator.crop
    if not known - kept > MEMORISED:
        return None
    return (
        f"the discriminator separates the demonstrations kept back ({kept:.2f}) from those it trains on ({known:.2f}): "
        "it memorises; record more of them"
        + (f", or lower discriminator.crop={crop:g}" if config.discriminator.features is not Features.critic else "")
    )


def _clones(metrics: Metrics, config: TrainConfig, shares: Sequence[float]) -> str | None:
    known, kept = metrics["policy_loss_known"], metrics["policy_loss_holdout"]
    if not kept > CLONED * known or not _fails(shares):
        return None
    return (
        f"the policy errs {kept / known:.1f} times as much on the demonstrations kept back as on those it trains on: "
        "it memorises; record more of them"
    )


def _unheld(metrics: Metrics, config: TrainConfig, shares: Sequence[float]) -> str | None:
    accuracy = metrics["disc_acc_constraint"]
    if not accuracy > UNHELD:
        return None
    return (
        f"the constraint does not hold: the discriminator tells {accuracy:.0%} of the constraining frames, where half "
        "would be chance: "
        + (
            "lower discriminator.learning_rate"
            if config.discriminator.flip_labels
            else "set discriminator.flip_labels=true discriminator.constraint_ceiling=null, since the paper's reversed "
            "gradient fades where it is confident (but it then knows its demonstrations by heart sooner)"
        )
    )


def _separate(metrics: Metrics, config: TrainConfig, shares: Sequence[float]) -> str | None:
    accuracy = metrics["disc_acc"]
    if not accuracy > SEPARATE or not _fails(shares):
        return None
    audited = config.env.kind is EnvKind.trailkit
    return (
        f"the discriminator tells agent from expert in {accuracy:.0%} of frames, and pays nothing that the agent does: "
        + ("trailkit demos audit says whether" if audited else "trailkit render overlay=true shows whether")
        + " something else than the task betrays them; if colours do, set agent.random_colours=true "
        "discriminator.random_colours=true"
    )


def _support(metrics: Metrics, config: TrainConfig, shares: Sequence[float]) -> str | None:
    top, bottom = metrics["top_atom_mass"], metrics["bottom_atom_mass"]
    if not _fails(shares):
        return None
    if top > END_MASS:
        return (
            f"{top:.0%} of the critic's targets lie at the end of its support: it cannot tell good from better; raise "
            f"agent.v_max={config.agent.v_max:g}"
            + (", or lower discriminator.max_reward" if config.learner is LearnerKind.adversarial else "")
        )
    if bottom > END_MASS:
        return (
            f"{bottom:.0%} of the critic's targets lie at the beginning of its support: it cannot tell bad from worse; "
            f"lower agent.v_min={config.agent.v_min:g}"
        )
    return None


def _saturated(metrics: Metrics, config: TrainConfig, shares: Sequence[float]) -> str | None:
    share = metrics["action_saturation"]
    if not share > SATURATED or not _fails(shares):
        return None
    return (
        f"{share:.0%} of the policy's actions are at their limits, where it has hardly a gradient to leave them: "
        "start anew with a lower agent.learning_rate"
    )


def _same(metrics: Metrics, config: TrainConfig, shares: Sequence[float]) -> str | None:
    entropy, saturation = metrics["action_entropy"], metrics["action_saturation"]
    if not entropy < SAME or saturation > SATURATED or not _fails(shares):
        return None
    return (
        f"the policy does the same whatever it sees (entropy of its actions {entropy:.2f} of 1): raise "
        "agent.learning_rate, or train for longer"
    )


def _given_up(metrics: Metrics, config: TrainConfig, shares: Sequence[float]) -> str | None:
    if config.actor.early_stop is not EarlyStop.adaptive:
        return None
    share, length = metrics["early_stopped"], metrics["episode_length"]
    if (
        not share > GIVEN_UP
        or not length < 1.2 * max(config.actor.min_steps or 0, config.actor.patience)
        or not _fails(shares)
    ):
        return None
    return (
        f"{share:.0%} of episodes are given up after {length:.0f} steps, as soon as they may be: raise actor.min_steps "
        "to what one try at the task takes"
    )


def _fell(shares: Sequence[float], episodes: Sequence[int]) -> str | None:
    if not shares or max(shares) - shares[-1] < FELL - 1e-9:
        return None
    best = shares.index(max(shares))
    played = np.array([episodes[best], episodes[-1]])
    solved = np.round(played * [shares[best], shares[-1]])
    # The best was chosen among all, some of which are good by chance (Bonferroni).
    if stats.fisher_exact(np.stack([solved, played - solved], 1), alternative="greater").pvalue > 0.05 / (
        len(shares) - 1
    ):
        return None
    return (
        f"success fell from {max(shares):.0%} to {shares[-1]:.0%}: checkpoint=best is the one that was evaluated best"
    )


def _never(metrics: Metrics, config: TrainConfig, shares: Sequence[float]) -> str | None:
    if not shares or max(shares) > 0:
        return None
    return f"none of {len(shares)} evaluations solved an episode"


def _fails(shares: Sequence[float]) -> bool:
    return bool(shares) and shares[-1] < _WEAK
