"""Watches a training: does it keep its ratio, and does its memory come to an end, and where it was foretold?

`PYTHONPATH=tests python -m steady REPORT.json launch=ray env=reach demos=… minutes=60 out=…` trains and prints what it
saw: the samples per insert, the steps that the replay held, and the memory of each role (the proportional set sizes of
its processes), at a quarter of the time, which is when a training has warmed up, and at the end. Another training of
the same installation beside it takes over half of what their libraries take.
"""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np
import psutil
from chaos import learner_steps, rows

from trailkit.agents.run import build_data
from trailkit.agents.run.configuration import configure
from trailkit.agents.run.footprint import footprint
from trailkit.configs.schema import TrainConfig

EVERY = 10.0  # seconds between two looks at the memory
WARM = 0.25  # of the time


class Look(NamedTuple):
    """The memory at a moment."""

    at: float  # seconds since the training began
    megabytes: dict[str, float]  # by role


def look(session: int, began: float) -> Look:
    """Measures the processes of a session."""
    found: Counter[str] = Counter()
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == session:
                found[role_of(process)] += process.memory_full_info().pss / 1e6
        except (OSError, psutil.Error):
            continue  # it has ended
    return Look(time.monotonic() - began, dict(found))


def role_of(process: psutil.Process) -> str:
    """The role that a process plays; those that Ray starts for itself count as one."""
    command = " ".join(process.cmdline())
    if command.startswith("ray::") and "Role" in command:
        return command.removeprefix("ray::").split(".")[0].strip()  # Ray writes over what was there before
    return "command" if "trailkit.agents.run.cli" in command else "Ray"


def train(words: list[str]) -> tuple[int, float, list[Look]]:
    """Trains, and looks at the memory meanwhile; returns the exit code, the seconds, and what was seen."""
    command = [sys.executable, "-m", "trailkit.agents.run.cli", "train", *words]
    program, began, looks = subprocess.Popen(command, start_new_session=True), time.monotonic(), []
    while program.poll() is None:
        looks.append(look(program.pid, began))
        time.sleep(EVERY)
    return program.returncode, time.monotonic() - began, looks


def growth(looks: list[Look]) -> dict[str, dict[str, float]]:
    """Each role's memory when warm and at the end: medians over a tenth of the time."""
    end = looks[-1].at
    report = {}
    for role in sorted({role for each in looks for role in each.megabytes}):
        warm, last = (
            float(np.median([each.megabytes.get(role, 0.0) for each in looks if low * end <= each.at <= high * end]))
            for low, high in ((WARM, WARM + 0.1), (0.88, 0.98))
        )
        peak = max(each.megabytes.get(role, 0.0) for each in looks)
        report[role] = {"warm MB": round(warm), "at the end MB": round(last), "most MB": round(peak)}
    return report


def main(words: list[str]) -> None:
    """Trains with the words after the first, and writes a report to the file that is the first."""
    report_path, *words = words
    folder = Path(next(word.removeprefix("out=") for word in words if word.startswith("out=")))
    config = configure("train", TrainConfig, words)
    foretold = sum(footprint(config, build_data.check_demos(config)).memory.values()) / 1e6
    code, seconds, looks = train(words)
    written = [row for row in rows(folder) if row["learner_steps_per_second"]]
    quarter = len(written) // 4
    if not quarter:
        sys.exit(f"{folder} has {len(written)} rows of metrics with learner steps, too few to tell: train for longer")
    later = [float(row["samples_per_insert"]) for row in written[quarter:]]
    inserted = [float(row["actor_steps"]) - config.actor.random_steps for row in written]
    sampled = [float(row["samples_per_insert"]) * steps for row, steps in zip(written, inserted, strict=True)]
    report = {
        "words": [word for word in words if not word.startswith(("out=", "demos="))],
        "exit code": code,
        "minutes": round(seconds / 60, 1),
        "learner steps": learner_steps(folder),
        "steps played": float(written[-1]["actor_steps"]),
        "most steps held": max(float(row["replay_size"]) for row in written),
        "samples per insert, set": config.replay.samples_per_insert,
        "at the end": later[-1],
        "in the last three quarters alone": (sampled[-1] - sampled[quarter]) / (inserted[-1] - inserted[quarter]),
        "least and most after a quarter of the steps": [min(later), max(later)],
        "memory foretold, MB": round(foretold),
        "most memory at once, MB": round(max(sum(each.megabytes.values()) for each in looks)),
        "memory": growth(looks),
    }
    Path(report_path).write_text(json.dumps(report, indent=1) + "\n")
    print(json.dumps(report, indent=1))
    sys.exit(code)


if __name__ == "__main__":
    main(sys.argv[1:])
