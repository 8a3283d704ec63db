"""Tests of calls with a deadline."""

import threading

import pytest

from trailkit.replay.deadline import DeadlineRunner


def fail() -> None:
    raise KeyError("here")


def test_a_call_returns_or_raises_what_it_would() -> None:
    run = DeadlineRunner(60.0)
    assert run(lambda: 3) == 3
    with pytest.raises(KeyError, match="here"):
        run(fail)
    assert run(lambda: 4) == 4
    run.close()
    run.close()


def test_a_call_that_hangs_is_left_behind_and_the_next_gets_its_own_answer() -> None:
    run = DeadlineRunner(1.0)
    release = threading.Event()
    with pytest.raises(TimeoutError, match="no answer"):
        run(release.wait)
    release.set()
    assert run(lambda: "new") == "new"
    run.close()


def test_a_call_that_is_waited_on_returns_when_it_does() -> None:
    run, release, asked = DeadlineRunner(0.01), threading.Event(), []

    def wait_on() -> bool:
        asked.append(1)
        if len(asked) == 3:
            release.set()
        return True

    assert run(lambda: release.wait(60), wait_on)
    assert len(asked) >= 3
    release.clear()
    with pytest.raises(TimeoutError, match="no answer"):
        run(release.wait, lambda: False)
    release.set()
    run.close()


def test_all_calls_share_one_thread_which_ends_on_close() -> None:
    run = DeadlineRunner(60.0)
    threads = {run(threading.current_thread) for _ in range(5)}
    assert len(threads) == 1
    run.close()
    (thread,) = threads
    thread.join(60)
    assert not thread.is_alive()
