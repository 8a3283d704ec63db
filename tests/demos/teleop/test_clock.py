import time

import pytest

from trailkit.demos.teleop.clock import Clock


def test_ticks_are_equally_far_apart_whatever_the_work_between_them_takes():
    clock, ticks = Clock(0.02), []
    for work in (0.0, 0.012, 0.003, 0.015, 0.0, 0.008):
        clock.wait()
        ticks.append(time.perf_counter())
        time.sleep(work)
    assert ticks[-1] - ticks[0] == pytest.approx(0.1, abs=0.015)


def test_a_long_interruption_is_not_made_up_for():
    clock = Clock(0.02)
    clock.wait()
    time.sleep(0.1)
    began = time.perf_counter()
    for _ in range(3):
        clock.wait()
    assert time.perf_counter() - began >= 0.038  # at once, then two whole periods


def test_lateness_is_measured():
    clock = Clock(0.01)
    assert clock.lateness(99) == 0
    clock.wait()
    time.sleep(0.015)
    clock.wait()
    assert clock.lateness(100) == pytest.approx(0.005, abs=0.004)
