import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from rich.console import Console

from trailkit.agents.run.bench import command as bench
from trailkit.agents.run.bench.command import bench_bare_render, bench_env, bench_render, bench_reset, main
from trailkit.agents.run.bench.comparison import Comparison, Side, markdown, print_comparisons
from trailkit.agents.run.bench.kernels import kernels_of
from trailkit.agents.run.bench.learning import bench_learner, bench_replay
from trailkit.envs.errors import UserError

KERNELS = {"aten::convolution", "aten::convolution_backward", "aten::mm", "aten::addmm"}


@pytest.mark.render
@pytest.mark.benchmark
@pytest.mark.parametrize(
    ("measure", "bound"),
    [
        (lambda: bench_render(1, 3), 10.0),
        (lambda: bench_bare_render(1, 20), 1.6),
        (lambda: bench_env(1, 20), 6.0),
        (lambda: bench_reset(1, 4), 10.0),
    ],
    ids=["picture", "bare picture", "step", "reset"],
)
def test_a_ratio_is_that_of_its_two_sides_and_not_far_from_what_it_was(
    measure: Callable[[], Comparison], bound: float
) -> None:
    measured = measure()
    assert measured.ours.value > 0 and measured.other.value > 0
    assert measured.ratio == pytest.approx(measured.ours.value / measured.other.value)
    assert measured.ratio > bound if measured.at_least else measured.ratio < bound


@pytest.mark.render
@pytest.mark.benchmark
@pytest.mark.slow
def test_the_learner_and_the_replay_are_measured_against_their_claims() -> None:
    update, *others = bench_learner(rounds=1)
    floors = [each for each in others if each.other.name == "its convolutions and products alone"]
    others = [each for each in others if each not in floors]
    assert [each.target for each in floors] == [1.5, None, None] and all(each.ratio > 1 for each in floors)
    assert update.ratio > 1.6 and floors[0].ratio < 3  # 2.6 and 2.0 on the machine of docs/performance.md
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


@pytest.mark.render
@pytest.mark.benchmark
@pytest.mark.slow
def test_what_is_measured_is_printed_and_written_with_what_it_was_measured_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new" / "bench.md"
    main(["env", f"out={out}"])
    numbers = json.loads(out.with_suffix(".json").read_text())
    measured = [
        Comparison(**{**each, "ours": Side(**each["ours"]), "other": Side(**each["other"])})
        for each in numbers["measured"]
    ]
    assert [each.name for each in measured] == ["environment step of lift", "environment of lift"]
    assert out.read_text() == markdown(measured)
    assert numbers["command"] == "trailkit bench env" and {"commit", "processor", "cores", "seconds"} <= set(numbers)
    assert "state only" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "name what to measure: trailkit bench all|render|env"),
        (["env", "rounds=3"], "name what to measure"),
        (["env", "out=bench.txt"], "out=bench.txt: name a table"),
    ],
)
def test_a_mistake_in_the_words_is_refused_before_anything_is_measured(words: list[str], message: str) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        main(words)


def test_all_means_every_benchmark(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    class Here:
        def __init__(self, *_: object, **__: object) -> None: ...

        def __enter__(self) -> "Here":
            return self

        def __exit__(self, *_: object) -> None: ...

        def map(self, _: object, names: list[str]) -> list[list[Comparison]]:
            asked.extend(names)
            return []

    monkeypatch.setattr(bench, "ProcessPoolExecutor", Here)
    main(["all"])
    assert asked == list(bench.BENCHES)


def test_without_ray_all_is_what_can_be_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench.importlib.util, "find_spec", lambda name: None)  # type: ignore[attr-defined]
    assert bench._read(["all"])[0] == [name for name in bench.BENCHES if name != "launch"]
    with pytest.raises(UserError, match="trailkit bench launch needs Ray"):
        main(["env", "launch"])


def test_the_kernels_of_an_update_are_its_convolutions_and_products_forwards_and_backwards() -> None:
    layers = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.Flatten(), torch.nn.Linear(16, 2), torch.nn.Tanh())
    images = torch.ones(5, 3, 4, 4)
    alone = kernels_of(lambda: layers(images).sum().backward())
    with torch.profiler.profile() as profile:
        alone()
    made = {event.key: event.count for event in profile.key_averages() if event.key in KERNELS}
    # Forwards once each; backwards the product's two sides are one for the weight and one for what came before.
    assert made == {"aten::convolution": 1, "aten::convolution_backward": 1, "aten::addmm": 1, "aten::mm": 2}


def test_an_unknown_benchmark_is_refused_before_any_runs() -> None:
    with pytest.raises(UserError, match="unknown benchmark 'rendr': did you mean 'render'"):
        main(["env", "rendr"])


def _comparison(ratio: float, at_least: bool) -> Comparison:
    return Comparison("a step", "ms", Side("fast", 5.0), Side("slow", 2.0), ratio, 3.0, at_least)
