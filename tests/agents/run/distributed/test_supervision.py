from trailkit.agents.run.distributed.supervision import Patience, Restarts


def test_each_failure_makes_the_next_start_wait_twice_as_long_until_it_is_no_use() -> None:
    restarts = Restarts(Patience(first_delay=1, largest_delay=5, healthy_after=10, tries=6))
    assert [restarts.failed(lasted=1) for _ in range(6)] == [1, 2, 4, 5, 5, None]


def test_a_healthy_run_makes_up_for_failures() -> None:
    restarts = Restarts(Patience(first_delay=1, largest_delay=5, healthy_after=10, tries=3))
    assert [restarts.failed(lasted) for lasted in (1, 1, 10, 1, 10, 1, 1)] == [1, 2, 1, 2, 1, 2, None]
    assert restarts.count == 7
