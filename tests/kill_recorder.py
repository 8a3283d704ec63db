"""Kills a recorder at random moments, lets another go on, and looks for what was lost.

`PYTHONPATH=tests python -m kill_recorder 200` does it as often as one likes.
"""

import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

from demonstrations import assert_same

from trailkit.demos.record import record
from trailkit.demos.repair import repair
from trailkit.demos.scripted import ScriptedExpert
from trailkit.demos.store import DemoStore
from trailkit.demos.verify import verify
from trailkit.envs.environment import Environment
from trailkit.envs.settings import EnvSettings, ObservationSettings

# Short episodes without pictures: the more of the time goes into writing, the more kills fall into it.
SETTINGS = EnvSettings("reach", observation=ObservationSettings(cameras=()), episode_steps=10)
SOURCE = {"device": "scripted", "noise": 0.2}
ROUND = 10  # kills in one folder, before its episodes are compared with those of a recording left in peace
LONGEST = 1.0  # seconds from the start of the recording to the kill


@dataclass
class Report:
    """What the kills did."""

    kills: int = 0
    episodes: int = 0  # recorded in all
    unreported: int = 0  # how often an episode was whole on the disk but not yet reported
    partial: int = 0  # how often half an episode or manifest was left aside
    wrong: list[str] = field(default_factory=list)


def record_for_ever(folder: Path, reports: Connection) -> None:
    """Records, and sends a byte after each episode that is said to be kept."""
    with Environment(SETTINGS) as env:
        reports.send_bytes(b"ready")
        store = DemoStore.create(folder, SETTINGS, SOURCE)
        for _ in record(env, ScriptedExpert(env), store, 1_000_000, seed=0, keep_failures=True):
            reports.send_bytes(b"kept")


def kill_once(folder: Path, report: Report, moments: random.Random) -> None:
    """Starts a recorder, kills it at a random moment, and checks the folder."""
    before = count(folder)
    ours, theirs = multiprocessing.Pipe(duplex=False)
    recorder = context().Process(target=record_for_ever, args=(folder, theirs))
    recorder.start()
    theirs.close()
    ours.recv_bytes()  # ready
    time.sleep(moments.uniform(0, LONGEST))
    assert recorder.pid is not None
    os.kill(recorder.pid, signal.SIGKILL)
    recorder.join()
    reported = 0
    with suppress(EOFError):
        while ours.recv_bytes():
            reported += 1
    ours.close()
    report.kills += 1
    now = count(folder)
    if not before + reported <= now <= before + reported + 1:
        report.wrong.append(f"{before} + {reported} episodes were reported, there are {now}")
    report.unreported += now - before - reported
    report.partial += any(folder.glob(".*.partial"))
    for fault in repair(folder):
        if fault.file.startswith("episode"):
            report.wrong.append(f"{fault.file} {fault.reason}")
    report.wrong += [f"after repair: {fault.file} {fault.reason}" for fault in verify(folder)]
    if count(folder) != now:
        report.wrong.append(f"repair left {count(folder)} of {now} episodes")


def count(folder: Path) -> int:
    """How many episodes a folder holds when it is opened."""
    return DemoStore.create(folder, SETTINGS, SOURCE).count()


def compare(folder: Path, peaceful: Path) -> None:
    """Fails unless a folder's episodes are, to the last bit, those of a recording that was left in peace."""
    killed = DemoStore.create(folder, SETTINGS, SOURCE)
    with Environment(SETTINGS) as env:
        whole = DemoStore.create(peaceful, SETTINGS, SOURCE)
        for _ in record(env, ScriptedExpert(env), whole, max(0, len(killed) - len(whole)), 0, keep_failures=True):
            pass
    for episode, other in zip(killed.episodes(), whole.episodes(0, len(killed)), strict=True):
        assert_same(episode, other)


def kill_recorders(kills: int, folder: Path, seed: int = 0) -> Report:
    """Kills as many recorders, and reports."""
    report, moments = Report(), random.Random(seed)
    while report.kills < kills:
        killed = folder / f"round_{report.kills}"
        for _ in range(min(ROUND, kills - report.kills)):
            kill_once(killed, report, moments)
        report.episodes += count(killed)
        compare(killed, folder / "peaceful")
        shutil.rmtree(killed)
    return report


def context() -> multiprocessing.context.ForkServerContext:
    """Processes that begin with all imported, so that a kill takes a second."""
    made = multiprocessing.get_context("forkserver")
    made.set_forkserver_preload(["kill_recorder"])
    return made


def main() -> None:
    """Kills as many recorders as the command line says, and reports."""
    kills, seed = (int(word) for word in (*sys.argv[1:], *("200", "0")[len(sys.argv) - 1 :]))
    with tempfile.TemporaryDirectory() as folder:
        report = kill_recorders(kills, Path(folder), seed)
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
