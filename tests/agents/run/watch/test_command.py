"""Watching a run: behaviour cloning, whose checkpoints come, are replaced and break while somebody looks on."""

import fcntl
import io
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from trailkit.agents.run.checkpoint import Checkpoints
from trailkit.agents.run.cli import main
from trailkit.agents.run.watch.screen import Scene, Screen
from trailkit.agents.run.watch.status import Record

_ENV = ["env=reach", "env.height=36", "env.width=36", "env.episode_steps=10", "env.trial_steps=5"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("watched")
    main(["record", "device=scripted", *_ENV, "keep_failures=true", "episodes=2", f"out={folder / 'demos'}"])
    words = ["method=bc", f"demos={folder / 'demos'}", "steps=100", "evaluation.every=50", "evaluation.episodes=1"]
    main(["train", *_ENV, *words, "agent.batch_size=4", "threads=1", f"out={folder / 'run'}"])
    return folder / "run"


class Terminal:
    """A terminal of 100 by 30 characters that a command runs in."""

    def __init__(self, process: subprocess.Popen[bytes], screen: int) -> None:
        self.process, self._screen, self.seen = process, screen, ""

    def wait_for(self, pattern: str, within_s: float = 90.0) -> str:
        """Reads until a pattern comes up that was not read before; returns what matched."""
        begin, deadline = len(self.seen), time.monotonic() + within_s
        while (found := re.search(pattern, self.seen[begin:])) is None:
            assert time.monotonic() < deadline, f"no {pattern!r} in {self.seen[begin:]!r}"
            assert self.read(), f"ended without {pattern!r}: {self.seen[begin:]!r}"
        return found[0]

    def read(self) -> bool:
        """Takes what there is; False once the command has ended."""
        if not select.select([self._screen], [], [], 1.0)[0]:
            return True
        try:
            self.seen += os.read(self._screen, 1 << 16).decode(errors="replace")
        except OSError:  # the other side is closed
            return False
        return True

    def end(self) -> int:
        """Reads to the end, and returns the exit code."""
        while self.read():
            pass
        return self.process.wait(30)


@contextmanager
def watching(folder: Path, **variables: str) -> Iterator[Terminal]:
    screen, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", **variables}
    command = [sys.executable, "-m", "trailkit.agents.run.cli", "watch", f"run={folder}"]
    # Where the tests run in the background Ctrl-C is ignored, and who is started takes that over.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    signal.signal(signal.SIGINT, before)
    os.close(theirs)
    try:
        yield Terminal(process, screen)
    finally:
        process.kill()
        process.wait()
        os.close(screen)


def damage(folder: Path) -> None:
    for path in folder.glob("checkpoints/[0-9]*/state.safetensors"):
        path.write_bytes(path.read_bytes()[:-1])


def shown(screen: Screen, width: int = 100, height: int = 30, colours: str | None = "truecolor") -> list[str]:
    console = Console(
        file=io.StringIO(), force_terminal=True, color_system=colours, width=width, height=height, record=True
    )
    console.print(screen)
    return console.export_text().splitlines()


def scene(solved: list[bool]) -> Scene:
    return Scene(np.zeros((64, 64, 3), np.uint8), checkpoint=3000, episode=2, solved=solved, length=200)


def test_the_newest_policy_plays_whatever_becomes_of_its_checkpoint(run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(run, folder, symlinks=True)
    aside = (folder / "checkpoints").rename(tmp_path / "aside")
    kept = Checkpoints(folder / "checkpoints", keep=1)
    with watching(folder) as terminal:
        terminal.wait_for("waiting for the first checkpoint")
        terminal.wait_for("policy_loss")
        _, state = Checkpoints.load(aside / "last")
        kept.save(200, state)
        terminal.wait_for("▀{2}")
        terminal.wait_for(r"episode \d+, policy of step 200")
        kept.save(300, state)  # and that of step 200 is gone
        terminal.wait_for(r"episode \d+, policy of step 300")
        damage(folder)
        (folder / "checkpoints" / "last").unlink()
        episode = int(re.findall(r"episode (\d+)", terminal.seen)[-1])
        now = episode
        while now < episode + 2:  # not each of these short episodes is shown
            now = int(terminal.wait_for(r"episode \d+, policy of step 300").split(",")[0].split()[1])
        terminal.process.send_signal(signal.SIGINT)
        assert terminal.end() == 0
    assert "Traceback" not in terminal.seen and "damaged" not in terminal.seen
    shutil.rmtree(folder / "checkpoints")
    assert sorted(path.name for path in folder.rglob("*")) == sorted(
        path.name for path in run.rglob("*") if "checkpoints" not in str(path)
    )


def test_a_mistake_leaves_the_terminal_as_it_was(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "run", symlinks=True)
    damage(tmp_path / "run")
    with watching(tmp_path / "run") as terminal:
        assert terminal.end() == 2
    assert terminal.seen.startswith("trailkit: ") and "holds no valid checkpoint" in terminal.seen
    assert terminal.seen.count("\n") == 1


@pytest.mark.parametrize("terminal", ["dumb", "no"])
def test_without_a_terminal_it_says_once_how_the_run_stands(
    run: Path, terminal: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if terminal == "dumb":
        with watching(run, TERM="dumb") as screen:
            assert screen.end() == 0
        said = screen.seen
    else:
        main(["watch", f"run={run}"])
        said = capsys.readouterr().out
    title, clocks, *rows = said.splitlines()
    assert title == f"{run}: bc on reach, seed 0"
    assert re.fullmatch(r"100 of 100 learner steps, \d+\.\d minutes, metrics \d+ (s|minutes) old", clocks)
    assert [row.split()[0] for row in rows[:3]] == ["eval_success", "policy_loss", "learner_steps_per_second"]
    assert rows[0].split()[1:] in (["0", "at", "step", "100"], ["1", "at", "step", "100"])


def test_a_run_without_metrics_has_none(run: Path, tmp_path: Path) -> None:
    shutil.copy(run / "config.yaml", tmp_path)
    record = Record(tmp_path)
    assert "0 of 100 learner steps, 0.0 minutes, no metrics yet" in str(record.standing())
    assert any("no metrics yet" in line for line in shown(Screen(record.standing(), None)))
    (tmp_path / "metrics.csv").write_text("step,actor_steps,seconds,policy_loss\n50,0,6.0,2.5\n100,0,12.0,1.")
    newest = record.standing()
    assert newest.newest("policy_loss") == (50, 2.5)  # and not what is still being written
    assert newest.clocks == (50, 0, 0.1)
    assert newest.share == 0.5


def test_what_goes_wrong_is_said(run: Path, tmp_path: Path) -> None:
    config = (run / "config.yaml").read_text()
    (tmp_path / "config.yaml").write_text(re.sub(r"\bepisodes: 1\b", "episodes: 50", config))
    rows = "".join(f"{step},0,{step},{0.9 - step / 500},\n" for step in (100, 200, 300, 400))
    (tmp_path / "metrics.csv").write_text("step,actor_steps,seconds,eval_success,policy_loss\n" + rows)
    standing = Record(tmp_path).standing()
    (sentence,) = standing.findings
    assert sentence.startswith("success fell from 70% to 10%")
    assert str(standing).endswith(sentence)
    assert any("● success fell" in line for line in shown(Screen(standing, None)))


@pytest.mark.parametrize(("width", "height"), [(200, 60), (100, 30), (80, 24), (60, 16), (30, 8)])
def test_it_fits_the_terminal(run: Path, width: int, height: int) -> None:
    lines = shown(Screen(Record(run).standing(), scene([False])), width, height)
    assert max(map(len, lines)) <= width
    if height > 8:
        assert len(lines) <= height
        assert any("step 1 of 200" in line for line in lines)
        assert any("eval_success" in line for line in lines)


@pytest.mark.parametrize(
    ("solved", "caption"),
    [
        ([False, False], "step 2 of 200"),
        ([False, True], "step 2 of 200   solved"),
        ([False, True, False], "step 3 of 200   was solved"),
    ],
)
def test_the_caption_says_how_the_episode_goes(run: Path, solved: list[bool], caption: str) -> None:
    lines = shown(Screen(Record(run).standing(), scene(solved)))
    assert any(line[:30].rstrip() == caption for line in lines)
    assert any("episode 2, policy of step 3,000" in line for line in lines)


@pytest.mark.parametrize("colours", [None, "standard"])
def test_few_colours_make_no_picture(run: Path, colours: str | None) -> None:
    lines = shown(Screen(Record(run).standing(), scene([False])), colours=colours)
    assert "no picture: this terminal has too few colours" in "\n".join(lines)
    assert "▀" not in "\n".join(lines)
    assert any("eval_success" in line for line in lines)
