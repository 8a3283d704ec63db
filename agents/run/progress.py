"""The progress of a training: a bar on a terminal, occasional lines elsewhere."""

import time
from collections import deque
from collections.abc import Callable
from datetime import timedelta
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as Bar

from trailkit.agents.base import Metrics

_WINDOW = 30.0  # seconds over which rates are averaged
_REFRESH = 0.2  # seconds between display updates: learner updates are far more frequent
_SHOWN = {
    "samples_per_insert": "{:.1f} samples/insert",
    "replay_size": "replay {:.0f} steps",
    "replay_process_mb": "{:.0f} MB",
    "weights_age": "weights {:.0f} steps old",
    "restarts": "{:.0f} restarts",
    "episode_success": "playing {:.0%}",
    "eval_success": "evaluated {:.0%}",
}


def make_console() -> Console:
    """The standard error stream; not a terminal in a notebook, which would store everything that a bar ever showed."""
    return Console(stderr=True, force_jupyter=False, force_terminal=False if Console().is_jupyter else None)


class Progress:
    """Shows steps, rates, the time left and, from the metrics, samples per insert and success. A context manager."""

    def __init__(
        self,
        total: int,
        console: Console | None = None,
        every: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
        minutes: float | None = None,
    ) -> None:
        """Prepares the display.

        Args:
            total: Learner steps of the whole training.
            console: Where to show it; the standard error stream by default.
            every: Seconds between lines, if the console is not a terminal.
            clock: Returns seconds.
            minutes: The time limit of the training, if any.
        """
        self._console = console or make_console()
        self._total = total
        self._seconds = None if minutes is None else 60 * minutes
        self._every = every
        self._clock = clock
        self._marks: deque[tuple[float, int, int]] = deque()  # time, learner steps, actor steps
        self._shown = clock()
        self._line = ""
        self._bar = Bar(
            TextColumn("train"),
            BarColumn(),
            TextColumn("{task.fields[steps]}"),
            TextColumn("{task.fields[status]}"),
            console=self._console,
            refresh_per_second=4,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task("train", total=1.0, steps=f"0/{total}", status="")

    def update(self, step: int, actor_steps: int, metrics: Metrics, seconds: float = 0.0) -> None:
        """Updates the display.

        Args:
            step: The learner step.
            actor_steps: The total steps of all actors.
            metrics: The latest metrics; those in `_SHOWN` are displayed.
            seconds: The total training time.
        """
        now = self._clock()
        if self._marks and now - self._marks[-1][0] < _REFRESH and step < self._total:
            return
        if self._marks and step < self._marks[-1][1]:
            self._marks.clear()  # the learner was reset to a checkpoint
        self._marks.append((now, step, actor_steps))
        while self._marks[0][0] < now - _WINDOW and len(self._marks) > 2:
            self._marks.popleft()
        status = self._status(step, metrics, seconds)
        share = step / max(self._total, 1)
        if self._seconds is not None:
            share = min(1.0, max(share, seconds / max(self._seconds, 1.0)))
        self._bar.update(self._task, completed=share, steps=f"{step}/{self._total}", status=status)
        self._line = ", ".join(filter(None, [f"train {step}/{self._total} ({share:.0%})", status]))
        if not self._console.is_terminal and (now - self._shown >= self._every):
            self._print_line(now)

    def note(self, text: str) -> None:
        """Prints a permanent line, such as an evaluation's result; the training may have paused for it."""
        self._marks.clear()  # rates should only include learning time
        self._print(text)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._bar.stop()
        if not self._console.is_terminal and self._line:
            self._print_line(self._clock())

    def _print_line(self, now: float) -> None:
        self._print(self._line)
        self._shown, self._line = now, ""

    def _print(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def _status(self, step: int, metrics: Metrics, seconds: float) -> str:
        (begin, first, first_actor), (end, last, last_actor) = self._marks[0], self._marks[-1]
        parts = []
        if end > begin:
            rate = (last - first) / (end - begin)
            parts.append(f"{rate:.1f} steps/s")
            ends = [(self._total - step) / rate] if rate > 0 else []
            if self._seconds is not None:
                ends.append(max(0.0, self._seconds - seconds))
            if ends:
                parts.append(f"{timedelta(seconds=round(min(ends)))} left")
            parts.append(f"actor {(last_actor - first_actor) / (end - begin):.1f} steps/s")
        return ", ".join(parts + [text.format(metrics[name]) for name, text in _SHOWN.items() if name in metrics])
