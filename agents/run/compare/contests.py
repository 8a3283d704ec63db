"""Compares several methods or policies to find the better one."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import comb

from trailkit.agents.run.compare.runs import Row, Run, by_method
from trailkit.agents.run.statistics import (
    Verdict,
    adjusted,
    compare_methods,
    compare_policies,
    interquartile_interval,
    probability_of_improvement,
)

_LEARNED = 0.8  # share of episodes solved
_ALIKE = 0.9  # of the learner steps of another run: trainings with a time limit never get equally far


@dataclass(frozen=True)
class Contest:
    """Two contenders on one task, and which is better."""

    task: str
    first: str
    second: str
    verdict: Verdict
    improvement: float | None  # probability that a run of the first is better than one of the second, if several

    def __str__(self) -> str:
        likely = (
            ""
            if self.improvement is None
            else f"; a run of the first is better in {self.improvement:.0%} of pairs, a tie counting half"
        )
        return f"{self.task}: {self.first} against {self.second}: {self.verdict}{likely}"


def summaries(runs: Sequence[Run]) -> Iterator[str]:
    """Describes the result of each method with several runs (interquartile mean, interval), and what it took."""
    for task in sorted({run.row.task for run in runs}):
        for method, group in by_method([run for run in runs if run.row.task == task]).items():
            if len(group) > 1:
                middle, low, high = interquartile_interval([[run.row.success for run in group]])
                interval = f"{middle:.0%} [{100 * low:.0f}, {100 * high:.0f}]"
                shared = len(group) - len({run.row.seed for run in group})
                yield (
                    f"{task}: {method}: {interval} of success, the interquartile mean of {len(group)} runs"
                    f"{f', {shared} of them with the seed of another' if shared else ''}{_ages(group)}; "
                    f"{_cost([run.row for run in group])}"
                )


def _ages(runs: Sequence[Run]) -> str:
    """Tells the learner steps of a method's runs if they differ, for instance because one is still training."""
    steps = [run.row.learner_steps for run in runs]
    return f", after {min(steps):,} to {max(steps):,} learner steps" if min(steps) < _ALIKE * max(steps) else ""


def _cost(rows: Sequence[Row]) -> str:
    """What it took each of a method's runs to first reach the success that counts as learned."""
    plays = any(row.actor_steps for row in rows)
    found = [row.first_with(_LEARNED) for row in rows]
    reached = sorted(at.actor_steps if plays else at.learner_steps for at in found if at is not None)
    if not reached:
        return f"{_LEARNED:.0%} in no evaluation"
    missing = len(rows) - len(reached)
    clock = "actor steps" if plays else "learner steps"
    after = f"{_LEARNED:.0%} first after {', '.join(f'{steps:,}' for steps in reached)} {clock}"
    return f"{after}, and not in {missing} of the runs" if missing else after


def contests(runs: Sequence[Run]) -> Iterator[Contest]:
    """Compares each method with the best one of its task, or the runs with the best one if there is only one method.

    Runs that differ only in their seeds belong to one method. Methods are compared over seeds if both have several
    runs, which says something about the method; otherwise only the policies at hand are. The p-values hold for all
    comparisons of a task together, and account for the fact that the best was chosen by the same results.
    """
    for task in sorted({run.row.task for run in runs}):
        methods = by_method([run for run in runs if run.row.task == task])
        contenders = methods if len(methods) > 1 else {run.row.run: [run] for run in next(iter(methods.values()))}
        best = max(
            contenders, key=lambda name: sum(run.row.success for run in contenders[name]) / len(contenders[name])
        )
        found = [
            _contest(task, (best, contenders[best]), (other, contenders[other]))
            for other in contenders
            if other != best
        ]
        together = adjusted([each.verdict for each in found], comb(len(contenders), 2))
        yield from (replace(each, verdict=verdict) for each, verdict in zip(found, together, strict=True))


def _contest(task: str, ours: tuple[str, Sequence[Run]], others: tuple[str, Sequence[Run]]) -> Contest:
    (first, one), (second, other) = ours, others
    if len(one) == 1 or len(other) == 1:
        return Contest(task, first, second, _verdict(one, other), None)
    outcomes = ([list(run.outcomes.values()) for run in runs] for runs in (one, other))
    successes = ([run.row.success for run in runs] for runs in (one, other))
    return Contest(task, first, second, compare_methods(*outcomes), probability_of_improvement(*successes))


def _verdict(ours: Sequence[Run], others: Sequence[Run]) -> Verdict:
    if len(ours) == len(others) == 1:
        return compare_policies(ours[0].outcomes, others[0].outcomes)
    return compare_policies(_pooled(ours, 0), _pooled(others, 1))


def _pooled(runs: Sequence[Run], side: int) -> dict[tuple[int, ...], bool]:
    """The episodes of several runs, keyed so that they are not paired with the other side's."""
    return {(side, number, seed): solved for number, run in enumerate(runs) for seed, solved in run.outcomes.items()}
