"""Runs trailkit commands in separate processes, several at a time."""

import subprocess
import sys
import threading
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from trailkit.agents.run.interruption import interruptible
from trailkit.replay.atomic import writing

_LOOK_S = 0.2


def side_by_side(commands: Mapping[Path, Sequence[str]], at_once: int) -> Generator[tuple[Path, int]]:
    """Runs commands, and yields each one's log and exit code when it ends; if closed early, it terminates the others.

    Args:
        commands: The words after `trailkit`, keyed by the file for the command's output.
        at_once: How many may run at a time.

    Raises:
        SystemExit: With code 0, after an interruption, which is passed on to the commands.
        UserError: If the output of a command cannot be written.
    """
    waiting, running = list(commands.items()), dict[Path, subprocess.Popen[bytes]]()
    interrupted = threading.Event()
    with ExitStack() as at_end, interruptible(interrupted):
        at_end.callback(_end, running)
        while waiting or running:
            while waiting and len(running) < at_once:
                log, words = waiting.pop(0)
                running[log] = _begin(log, words)
            if interrupted.wait(_LOOK_S):
                sys.exit(0)
            for log in [log for log, process in running.items() if process.poll() is not None]:
                yield log, running.pop(log).returncode


def _begin(log: Path, words: Sequence[str]) -> subprocess.Popen[bytes]:
    with writing(log):
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as said:
            command = [sys.executable, "-m", "trailkit.agents.run.cli", *words]
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT)


def _end(running: Mapping[Path, subprocess.Popen[bytes]]) -> None:
    for process in running.values():
        process.terminate()
    for process in running.values():
        process.wait()
