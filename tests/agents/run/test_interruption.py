import signal
import threading

import pytest

from trailkit.agents.run.interruption import interruptible


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_is_heard_and_its_handler_put_back(number: signal.Signals) -> None:
    before, interrupted = signal.signal(number, signal.SIG_DFL), threading.Event()
    try:
        with interruptible(interrupted):
            signal.raise_signal(number)
        assert interrupted.is_set()
        assert signal.getsignal(number) is signal.SIG_DFL
    finally:
        signal.signal(number, before)


def test_a_signal_that_is_ignored_stays_so() -> None:
    before, interrupted = signal.signal(signal.SIGHUP, signal.SIG_IGN), threading.Event()
    try:
        with interruptible(interrupted):
            signal.raise_signal(signal.SIGHUP)
        assert not interrupted.is_set()
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_thread_that_is_not_the_main_one_hears_no_signals_and_may_go_on() -> None:
    before, entered = signal.getsignal(signal.SIGTERM), threading.Event()

    def enter() -> None:
        with interruptible(threading.Event()):
            entered.set()

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert entered.is_set()
    assert signal.getsignal(signal.SIGTERM) is before
