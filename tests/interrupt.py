"""Interrupts a distributed training again and again, and looks whether one run comes of it.

`PYTHONPATH=tests python -m interrupt 10 env=reach demos=… steps=… out=…` sends SIGTERM ten times, each a while after
the training has got on, goes on with it, and prints a report as JSON.
"""

import json
import random
import subprocess
import sys
import time
from pathlib import Path

from chaos import learner_steps, newest_checkpoint, rows

_WITHIN = 30.0  # seconds of SIGTERM
_LOG_EVERY = 100  # learner steps between two rows of the metrics


def run(words: list[str], folder: Path, interrupted: bool) -> tuple[int, float]:
    """Trains, to the end or until SIGTERM; returns the exit code and how many seconds the end took."""
    before = learner_steps(folder)
    program = subprocess.Popen([sys.executable, "-m", "trailkit.agents.run.cli", "train", *words])
    while program.poll() is None and (not interrupted or learner_steps(folder) <= before):
        time.sleep(0.2)
    if program.poll() is None:
        time.sleep(random.uniform(0, 10))
        program.terminate()
    began = time.monotonic()
    return program.wait(), time.monotonic() - began


def main(words: list[str]) -> None:
    """Interrupts as often as the first word says, and prints a report."""
    times, *words = words
    folder = Path(next(word.removeprefix("out=") for word in words if word.startswith("out=")))
    faults, ends = [], []
    for turn in range(int(times) + 1):
        last = turn == int(times)
        code, seconds = run(["launch=ray", *words] if turn == 0 else [f"resume={folder}"], folder, interrupted=not last)
        ends.append({"exit code": code, "seconds": round(seconds, 1), "checkpoint": newest_checkpoint(folder)})
        if code:
            faults.append(f"run {turn} ended with {code}")
        if seconds > _WITHIN and not last:
            faults.append(f"run {turn} took {seconds:.0f} s to end")
        if newest_checkpoint(folder) < learner_steps(folder):
            faults.append(f"run {turn} left no checkpoint of its last steps")
    steps = [int(row["step"]) for row in rows(folder) if row["learner_steps_per_second"]]
    if steps != list(range(_LOG_EVERY, steps[-1] + 1, _LOG_EVERY)):
        faults.append(f"the metrics lack steps or have them twice: {steps}")
    print(json.dumps({"ends": ends, "rows of metrics": len(steps), "faults": faults}, indent=1))
    sys.exit(bool(faults))


if __name__ == "__main__":
    main(sys.argv[1:])
