from trailkit.agents.run.distributed.supervision import Patience, Restarts, Stint


def test_each_failure_makes_the_next_start_wait_twice_as_long_until_it_is_no_use() -> None:
    restarts = Restarts(Patience(first_delay=1, largest_delay=5, healthy_after=10, tries=6))
    assert [restarts.failed(lasted=1) for _ in range(6)] == [1, 2, 4, 5, 5, None]


def test_a_healthy_run_makes_up_for_failures() -> None:
    restarts = Restarts(Patience(first_delay=1, largest_delay=5, healthy_after=10, tries=3))
    assert [restarts.failed(lasted) for lasted in (1, 1, 10, 1, 10, 1, 1)] == [1, 2, 1, 2, 1, 2, None]
    assert restarts.count == 7


def test_a_role_that_always_gets_stuck_is_no_use_in_the_end() -> None:
    restarts, delays = Restarts(Patience(healthy_after=20, tries=3)), []
    for _ in range(3):
        stint = Stint()
        for second in range(100, 160):  # alive for a minute, at work for five seconds
            stint.seen(second, idle=max(0, second - 105))
        delays.append(restarts.failed(stint.seconds))
    assert delays == [0.5, 1, None]


def test_a_stint_lasts_until_it_last_got_on() -> None:
    stint = Stint()
    assert stint.seconds == 0
    stint.seen(100, idle=50)  # what was before the first sign of life is not known
    assert stint.seconds == 0
    for second in range(100, 131):
        stint.seen(second, idle=1)
    stint.seen(140, idle=10)
    assert stint.seconds == 30
