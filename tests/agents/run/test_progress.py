import io

import pytest
from rich.console import Console

from trailkit.agents.run.progress import Progress, make_console


class Clock:
    """Stands still until it is told."""

    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def console(terminal):
    return Console(file=io.StringIO(), force_terminal=terminal, width=200, color_system=None)


def test_a_log_file_gets_a_line_now_and_then(clock):
    log = console(terminal=False)
    with Progress(1000, log, every=10, clock=clock) as progress:
        for second in range(26):
            clock.now = 100.0 + second
            progress.update(20 * second, 50 * second, {})
        assert log.file.getvalue().count("\n") == 2
    lines = log.file.getvalue().splitlines()
    assert lines[0] == "train 200/1000 (20%), 20.0 steps/s, 0:00:40 left, actor 50.0 steps/s"
    assert lines[-1].startswith("train 500/1000 (50%)")
    assert len(lines) == 3


def test_a_training_that_ends_by_the_clock_says_so(clock):
    log = console(terminal=False)
    with Progress(1_000_000, log, every=10, clock=clock, minutes=60) as progress:
        for second in range(26):
            clock.now = 100.0 + second
            progress.update(20 * second, 50 * second, {}, seconds=900.0 + second)
    assert log.file.getvalue().splitlines()[-1].startswith("train 500/1000000 (26%), 20.0 steps/s, 0:44:35 left")


def test_metrics_that_people_wait_for_are_shown(clock):
    log = console(terminal=False)
    with Progress(10, log, clock=clock) as progress:
        progress.update(1, 5, {"samples_per_insert": 16.04, "eval_success": 0.96, "critic_loss": 3.0})
    assert log.file.getvalue() == "train 1/10 (10%), 16.0 samples/insert, evaluated 96%\n"


def test_a_terminal_gets_a_bar(clock):
    screen = console(terminal=True)
    with Progress(1000, screen, clock=clock) as progress:
        progress.update(0, 0, {})
        clock.now += 10
        progress.update(250, 1000, {"episode_success": 0.5})
    shown = screen.file.getvalue()
    assert "250/1000" in shown
    assert "25.0 steps/s, 0:00:30 left, actor 100.0 steps/s, playing 50%" in shown
    assert "━" in shown


def test_rates_are_of_the_last_half_minute(clock):
    log = console(terminal=False)
    with Progress(10_000, log, every=1000, clock=clock) as progress:
        for second in range(101):
            clock.now = 100.0 + second
            progress.update(second if second < 50 else 50 + 10 * (second - 50), 0, {})
    assert "10.0 steps/s" in log.file.getvalue()


@pytest.mark.parametrize("terminal", [True, False])
def test_notes_stay_as_they_are_written(clock, terminal):
    screen = console(terminal)
    with Progress(10, screen, clock=clock) as progress:
        progress.note("48/50 = 96% [87, 99] solved")
    assert "48/50 = 96% [87, 99] solved\n" in screen.file.getvalue()


def test_an_evaluation_is_not_taken_for_slow_learning(clock):
    log = console(terminal=False)
    with Progress(1000, log, every=10, clock=clock) as progress:
        progress.update(100, 0, {})
        progress.note("48/50 = 96% [87, 99] solved")
        clock.now += 60.0
        progress.update(100, 0, {})
        clock.now += 10.0
        progress.update(300, 500, {})
    assert log.file.getvalue().splitlines()[1:] == [
        "train 100/1000 (10%)",
        "train 300/1000 (30%), 20.0 steps/s, 0:00:35 left, actor 50.0 steps/s",
    ]


def test_a_learner_that_goes_back_to_a_checkpoint_has_no_negative_rate(clock):
    log = console(terminal=False)
    with Progress(100, log, every=10, clock=clock) as progress:
        progress.update(50, 500, {})
        for step in (10, 20):
            clock.now += 5.0
            progress.update(step, 500, {})
    assert log.file.getvalue().splitlines()[-1].startswith("train 20/100 (20%), 2.0 steps/s")


def test_a_notebook_gets_lines_as_a_log_file_does(monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)  # as ipykernel has it
    assert make_console().is_terminal
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    assert not make_console().is_jupyter
    assert not make_console().is_terminal
