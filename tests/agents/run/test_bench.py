import pytest
from rich.console import Console

from trailkit.agents.run.bench import bench_env, bench_render, main
from trailkit.agents.run.bench_learning import bench_learner, bench_replay
from trailkit.agents.run.comparison import Comparison, Side, print_comparisons
from trailkit.envs.errors import UserError


@pytest.mark.render
@pytest.mark.benchmark
@pytest.mark.parametrize("bench", [lambda: bench_render(1, 2), lambda: bench_env(1, 4)])
def test_a_ratio_is_that_of_its_two_sides(bench: object) -> None:
    measured = bench()  # type: ignore[operator]
    assert measured.ours.value > 0 and measured.other.value > 0
    assert measured.ratio == pytest.approx(measured.ours.value / measured.other.value)


@pytest.mark.render
@pytest.mark.benchmark
@pytest.mark.slow
def test_the_learner_and_the_replay_are_measured_against_their_claims() -> None:
    update, *others = bench_learner(rounds=1)
    stored, items = bench_replay(rounds=1)
    assert update.target == 3.0
    assert [each.target for each in others] == [None, None]
    assert stored.ratio == pytest.approx(stored.ours.value / (64 * 64 * 3))
    assert items.ratio == pytest.approx(items.ours.value / items.other.value)


@pytest.mark.parametrize(
    ("ratio", "at_least", "met"), [(3.0, True, True), (2.9, True, False), (3.0, False, True), (3.1, False, False)]
)
def test_a_target_bounds_the_ratio_from_its_own_side(ratio: float, at_least: bool, met: bool) -> None:
    assert _comparison(ratio, at_least).met is met


def test_the_table_names_both_sides_and_the_ratio() -> None:
    console = Console(width=150)
    with console.capture() as captured:
        print_comparisons([_comparison(2.5, at_least=False)], console)
    for part in ("a step", "fast: 5 ms", "slow: 2 ms", "2.50x", "≤ 3x"):
        assert part in captured.get()


def test_an_unknown_benchmark_is_refused_before_any_runs() -> None:
    with pytest.raises(UserError, match="unknown benchmark 'rendr': did you mean 'render'"):
        main(["env", "rendr"])


def _comparison(ratio: float, at_least: bool) -> Comparison:
    return Comparison("a step", "ms", Side("fast", 5.0), Side("slow", 2.0), ratio, 3.0, at_least)
