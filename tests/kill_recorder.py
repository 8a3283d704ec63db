"""Kills a recorder at random moments, lets another go on, and looks for what was lost.

`PYTHONPATH=tests python -m kill_recorder 200` does it as often as one likes, and `… kill_recorder 200 0 command` to
`trailkit record` with pictures, which takes four seconds a kill.
"""

import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

from demonstrations import assert_same

from trailkit.demos.record import record
from trailkit.demos.repair import repair
from trailkit.demos.scripted import ScriptedExpert
from trailkit.demos.store import DemoStore
from trailkit.demos.verify import verify
from trailkit.envs.settings import EnvSettings, ObservationSettings
from trailkit.envs.tasks.environment import TaskEnvironment

# Short episodes: the more of the time goes into writing, the more kills fall into it.
STEPS = 10
SOURCE = {"device": "scripted", "seed": 0, "noise": 0.2}
ROUND = 10  # kills in one folder, before its episodes are compared with those of a recording left in peace
LONGEST = 1.0  # seconds from the start of the recording to the kill
READY = 60.0  # seconds that a command has for its first episode


@dataclass
class Report:
    """What the kills did."""

    kills: int = 0
    episodes: int = 0  # recorded in all
    unreported: int = 0  # how often an episode was whole on the disk but not yet reported
    partial: int = 0  # how often half an episode or manifest was left aside
    wrong: list[str] = field(default_factory=list)


class Way(NamedTuple):
    """How to record."""

    settings: EnvSettings
    record: Callable[[Path, float], int]  # into a folder, is killed after some seconds: the episodes said to be kept


def record_in_a_process(folder: Path, seconds: float) -> int:
    """Records by the library."""
    ours, theirs = multiprocessing.Pipe(duplex=False)
    recorder = context().Process(target=record_for_ever, args=(folder, theirs))
    recorder.start()
    theirs.close()
    ours.recv_bytes()  # ready
    time.sleep(seconds)
    assert recorder.pid is not None
    os.kill(recorder.pid, signal.SIGKILL)
    recorder.join()
    reported = 0
    with suppress(EOFError):
        while ours.recv_bytes():
            reported += 1
    ours.close()
    return reported


def record_for_ever(folder: Path, reports: Connection) -> None:
    """Records, and sends a byte after each episode that is said to be kept."""
    settings = WAYS["library"].settings
    with TaskEnvironment(settings) as env:
        reports.send_bytes(b"ready")
        store = DemoStore.create(folder, settings, SOURCE)
        for _ in record(env, ScriptedExpert(env, SOURCE["noise"]), store, 1_000_000, seed=0, keep_failures=True):
            reports.send_bytes(b"kept")


def record_by_command(folder: Path, seconds: float) -> int:
    """Records by `trailkit record`; an episode counts as kept as soon as its file can be seen."""
    words = "env=reach", "device=scripted", "episodes=1000000", "keep_failures=true", f"env.episode_steps={STEPS}"
    command = [sys.executable, "-m", "trailkit.agents.run.cli", "record", *words, f"out={folder}"]
    before = files(folder)
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as recorder:
        deadline = time.monotonic() + READY
        while files(folder) == before:
            assert recorder.poll() is None and time.monotonic() < deadline, "the command records nothing"
            time.sleep(0.01)
        time.sleep(seconds)
        seen = files(folder)
        recorder.kill()
    return seen - before


def files(folder: Path) -> int:
    """How many files of episodes a folder has."""
    return len(list(folder.glob("episode*")))


WAYS = {
    "library": Way(
        EnvSettings("reach", observation=ObservationSettings(cameras=()), episode_steps=STEPS), record_in_a_process
    ),
    "command": Way(EnvSettings("reach", episode_steps=STEPS), record_by_command),
}


def kill_once(way: Way, folder: Path, report: Report, moments: random.Random) -> None:
    """Starts a recorder, kills it at a random moment, and checks the folder."""
    before = count(way, folder)
    reported = way.record(folder, moments.uniform(0, LONGEST))
    report.kills += 1
    now = count(way, folder)
    if not before + reported <= now <= before + reported + 1:
        report.wrong.append(f"{before} + {reported} episodes were reported, there are {now}")
    report.unreported += now - before - reported
    report.partial += any(folder.glob(".*.partial"))
    for fault in repair(folder):
        if fault.file.startswith("episode"):
            report.wrong.append(f"{fault.file} {fault.reason}")
    report.wrong += [f"after repair: {fault.file} {fault.reason}" for fault in verify(folder)]
    if count(way, folder) != now:
        report.wrong.append(f"repair left {count(way, folder)} of {now} episodes")


def count(way: Way, folder: Path) -> int:
    """How many episodes a folder holds when it is opened."""
    return DemoStore.create(folder, way.settings, SOURCE).count()


def compare(way: Way, folder: Path, peaceful: Path) -> None:
    """Fails unless a folder's episodes are, to the last bit, those of a recording that was left in peace."""
    killed = DemoStore.create(folder, way.settings, SOURCE)
    with TaskEnvironment(way.settings) as env:
        whole = DemoStore.create(peaceful, way.settings, SOURCE)
        expert, missing = ScriptedExpert(env, SOURCE["noise"]), max(0, len(killed) - len(whole))
        for _ in record(env, expert, whole, missing, 0, keep_failures=True):
            pass
    for episode, other in zip(killed.episodes(), whole.episodes(0, len(killed)), strict=True):
        assert_same(episode, other)


def kill_recorders(kills: int, folder: Path, seed: int = 0, way: str = "library") -> Report:
    """Kills as many recorders, and reports."""
    report, moments = Report(), random.Random(seed)
    while report.kills < kills:
        killed = folder / f"round_{report.kills}"
        for _ in range(min(ROUND, kills - report.kills)):
            kill_once(WAYS[way], killed, report, moments)
        report.episodes += count(WAYS[way], killed)
        compare(WAYS[way], killed, folder / "peaceful")
        shutil.rmtree(killed)
    return report


def context() -> multiprocessing.context.ForkServerContext:
    """Processes that begin with all imported, so that a kill takes a second."""
    made = multiprocessing.get_context("forkserver")
    made.set_forkserver_preload(["kill_recorder"])
    return made


def main() -> None:
    """Kills as many recorders as the command line says, and reports."""
    kills, seed, way = (*sys.argv[1:], *("200", "0", "library")[len(sys.argv) - 1 :])
    with tempfile.TemporaryDirectory() as folder:
        report = kill_recorders(int(kills), Path(folder), int(seed), way)
    print("\n".join(report.wrong))
    print(
        f"{report.kills} kills, {report.episodes} episodes, none lost or damaged; {report.partial} times something was "
        f"half written, {report.unreported} times an episode was whole but not yet reported"
        if not report.wrong
        else f"{len(report.wrong)} faults after {report.kills} kills"
    )
    sys.exit(bool(report.wrong))


if __name__ == "__main__":
    main()
