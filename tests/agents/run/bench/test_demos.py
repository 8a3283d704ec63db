import pytest

from trailkit.agents.run.bench.demos import bench_demos


@pytest.mark.render
@pytest.mark.benchmark
def test_what_demonstrations_cost_is_measured_against_the_claims() -> None:
    recording, seconds, memory = bench_demos(episodes=2, rounds=1)
    assert recording.ratio == pytest.approx(recording.ours.value / recording.other.value) and recording.ratio > 1
    assert seconds.name == "loading 2 episodes of 100 steps" and seconds.met
    assert memory.other.value == pytest.approx(2 * 101 * 64 * 64 * 3 / 1e6) and memory.met
    assert [each.target for each in (recording, seconds, memory)] == [1.1, 1.0, 1.2]
