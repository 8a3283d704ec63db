"""Kills and stops the processes of a distributed training at random, and reports how it bore that.

`make chaos` runs it for as long as a training takes; the tests use its parts for a short one.
"""

import csv
import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from trailkit.replay.spill import Spill

ROLES = ("ActorRole", "ReplayRole", "LearnerRole", "EvaluatorRole")


@dataclass
class Strike:
    """One process that was killed or stopped. Times are seconds of the monotonic clock."""

    role: str
    signal: str
    at: float
    restarted: float  # when another process of the role was there
    checkpoint: int  # the newest before
    steps: int  # of the learner, as the metrics had it


def processes_of(role: str, program: "subprocess.Popen[bytes]") -> set[int]:
    """The processes of a role, among the descendants of the program."""
    found = set()
    for path in Path("/proc").glob("[0-9]*"):
        try:
            command = (path / "cmdline").read_bytes().decode()
            session = int((path / "stat").read_text().rsplit(")", 1)[1].split()[3])
        except (OSError, UnicodeDecodeError):
            continue
        if re.match(rf"ray::{role}\b", command) and session == program.pid:
            found.add(int(path.name))
    return found


def rows(folder: Path) -> list[dict[str, str]]:
    """The metrics of a run, but for a row that is just being written."""
    try:
        with (folder / "metrics.csv").open() as file:
            return [row for row in csv.DictReader(file) if None not in row.values()]
    except FileNotFoundError:
        return []


def newest_checkpoint(folder: Path) -> int:
    """Its step."""
    return max((int(path.name) for path in (folder / "checkpoints").glob("[0-9]*") if path.suffix == ""), default=0)


def learner_steps(folder: Path) -> int:
    """The last that the metrics have."""
    return max((int(row["step"]) for row in rows(folder)), default=0)


def strike(role: str, how: signal.Signals, program: "subprocess.Popen[bytes]", folder: Path) -> Strike | None:
    """Kills or stops a process of a role, and waits for the one that takes its place; None if the program ended."""
    there = processes_of(role, program)
    while not there:
        if program.poll() is not None:
            return None
        time.sleep(0.1)
        there = processes_of(role, program)
    victim = random.choice(sorted(there))
    before = newest_checkpoint(folder), learner_steps(folder)
    os.kill(victim, how)
    at = time.monotonic()
    while True:
        now = processes_of(role, program)
        if program.poll() is not None:
            return None
        if victim not in now and len(now) >= len(there):
            return Strike(role, how.name, at, time.monotonic(), *before)
        time.sleep(0.1)


class Watch(threading.Thread):
    """Notes when a run got on, from its start-up on: an episode, a row of metrics or a checkpoint more."""

    def __init__(self, folder: Path) -> None:
        super().__init__(daemon=True)
        self._folder, self._end = folder, threading.Event()
        self.moved: list[float] = []

    def run(self) -> None:
        seen: object = ("", 0, 0)
        while not self._end.wait(0.2):
            newest = max((path.name for path in (self._folder / "replay").glob("episode_*.hdf5")), default="")
            now = newest, learner_steps(self._folder), newest_checkpoint(self._folder)
            if now != seen:
                self.moved.append(time.monotonic())
                seen = now

    def stop(self) -> None:
        self._end.set()
        self.join()

    def stalls(self, strikes: list[Strike]) -> list[float]:
        """How long nothing moved, each time, without the time in which a process was missing."""
        found = []
        for begin, end in zip(self.moved, self.moved[1:], strict=False):
            missing = sum(max(0.0, min(end, one.restarted) - max(begin, one.at)) for one in strikes)
            found.append(end - begin - missing)
        return sorted(found, reverse=True)


def faults(folder: Path, capacity: int, strikes: list[Strike], checkpoint_every: int) -> list[str]:
    """What was lost that must not be, in words."""
    found = []
    spill = Spill(folder / "replay", capacity)
    played = [(episode.metadata["actor"], episode.metadata["index"]) for episode in spill.load()]
    if len(set(played)) != len(played):
        found.append("an episode is there twice")
    for actor in {actor for actor, _ in played}:
        numbers = sorted(index for number, index in played if number == actor)
        if numbers != list(range(numbers[0], numbers[0] + len(numbers))):
            found.append(f"an episode of actor {actor} is missing")
    log = (folder / "logs" / "learner.log").read_text()
    resumed = [int(step) for step in re.findall(r"going on from step (\d+)", log)][1:]
    kills = [one for one in strikes if one.role == "LearnerRole"]
    for kill, step in zip(kills, resumed, strict=False):
        if step < kill.checkpoint or kill.steps - step > checkpoint_every:
            found.append(
                f"the learner went back from step {kill.steps} to {step}, with a checkpoint of {kill.checkpoint}"
            )
    written = [row for row in rows(folder) if row["learner_steps_per_second"]]
    steps = [int(row["step"]) for row in written]
    if steps != sorted(set(steps)):
        found.append("the metrics have a step twice")
    if steps and steps != list(range(steps[0], steps[-1] + 1, 100)):
        found.append("the metrics lack a step")
    held, inserted = float(written[-1]["replay_size"]), float(written[-1]["actor_steps"])
    longest = max(episode.length for episode in spill.load())
    if abs(min(inserted, capacity) - held) > longest:
        found.append(f"the replay holds {held:.0f} steps of {inserted:.0f}")
    return found


def main(words: list[str]) -> None:
    """Trains with the words, kills a process every 20 to 40 s, and prints a report as JSON."""
    out = next(word.removeprefix("out=") for word in words if word.startswith("out="))
    folder, every = Path(out), 200
    capacity = next((int(word.split("=")[1]) for word in words if word.startswith("replay.capacity=")), 1_000_000)
    command = [sys.executable, "-m", "trailkit.agents.run.cli", "train", "launch=ray", *words]
    program = subprocess.Popen([*command, f"checkpoint_every={every}"], start_new_session=True)
    watch, strikes, began = Watch(folder), [], time.monotonic()
    watch.start()
    while program.poll() is None and learner_steps(folder) < every:
        time.sleep(1)
    order: list[str] = []
    while program.poll() is None:
        time.sleep(random.uniform(20, 40))
        order = order or random.sample(ROLES, len(ROLES))
        if one := strike(order.pop(), random.choice([signal.SIGKILL, signal.SIGSTOP]), program, folder):
            strikes.append(one)
    watch.stop()
    report = {
        "exit code": program.returncode,
        "learner steps": learner_steps(folder),
        "minutes": (time.monotonic() - began) / 60,
        "strikes": {role: [one.signal for one in strikes if one.role == role] for role in ROLES},
        "seconds until a process was replaced": [round(one.restarted - one.at, 1) for one in strikes],
        "longest stalls beside that, s": [round(stall, 1) for stall in watch.stalls(strikes)[:10]],
        "faults": faults(folder, capacity, strikes, every),
        "log": [asdict(one) for one in strikes],
    }
    (folder / "chaos.json").write_text(json.dumps(report, indent=1))
    print(json.dumps({name: value for name, value in report.items() if name != "log"}, indent=1))
    sys.exit(program.returncode or bool(report["faults"]))


if __name__ == "__main__":
    main(sys.argv[1:])
