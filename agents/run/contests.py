"""Which of several methods or policies is better."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from trailkit.agents.run.runs import Run, by_method
from trailkit.agents.run.statistics import Verdict, compare_methods, compare_policies


@dataclass(frozen=True)
class Contest:
    """Two contenders of one task, and which is better."""

    task: str
    first: str
    second: str
    verdict: Verdict

    def __str__(self) -> str:
        return f"{self.task}: {self.first} against {self.second}: {self.verdict}"


def contests(runs: Sequence[Run]) -> Iterator[Contest]:
    """Compares each method with the best one of its task, or the runs with the best one where there is one method.

    Runs that differ in their seeds alone are of one method. Methods are compared over seeds where both have several
    runs, which says something of the method; else only the policies at hand are.
    """
    for task in sorted({run.row.task for run in runs}):
        methods = by_method([run for run in runs if run.row.task == task])
        contenders = methods if len(methods) > 1 else {run.row.run: [run] for run in next(iter(methods.values()))}
        best = max(
            contenders, key=lambda name: sum(run.row.success for run in contenders[name]) / len(contenders[name])
        )
        for other in contenders:
            if other != best:
                yield Contest(task, best, other, _verdict(contenders[best], contenders[other]))


def _verdict(ours: Sequence[Run], others: Sequence[Run]) -> Verdict:
    if len(ours) > 1 and len(others) > 1:
        one, other = ([list(run.outcomes.values()) for run in runs] for runs in (ours, others))
        return compare_methods(one, other)
    if len(ours) == len(others) == 1:
        return compare_policies(ours[0].outcomes, others[0].outcomes)
    return compare_policies(_pooled(ours, 0), _pooled(others, 1))


def _pooled(runs: Sequence[Run], side: int) -> dict[tuple[int, ...], bool]:
    """The episodes of several runs, which make no pairs with those of one."""
    return {(side, number, seed): solved for number, run in enumerate(runs) for seed, solved in run.outcomes.items()}
