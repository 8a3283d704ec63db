"""Tests of `trailkit demos`, on a folder that a script recorded."""

import os
import pty
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from trailkit.agents.run.cli import main

pytestmark = pytest.mark.render


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recorded") / "demos"
    small = ["env=reach", "env.height=24", "env.width=24", "env.episode_steps=6"]
    main(["record", "device=scripted", *small, "keep_failures=true", "episodes=3", f"out={folder}"])
    return folder


@pytest.fixture
def demos(recorded: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(recorded, tmp_path / "demos"))


def fails(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as exit_:
        main(["demos", *words])
    assert exit_.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_damage_is_named_and_mended(demos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["demos", "verify", str(demos)])
    assert "demos is whole: 3 episodes" in capsys.readouterr().out
    damaged = demos / "episode_000001.hdf5"
    damaged.write_bytes(damaged.read_bytes()[:-1])
    with pytest.raises(SystemExit) as exit_:
        main(["demos", "verify", str(demos)])
    said = capsys.readouterr()
    assert exit_.value.code == 1
    assert f"{damaged} is cut short" in said.out and "trailkit demos repair" in said.err
    main(["demos", "repair", str(demos)])
    assert f"what was damaged is in {demos}/damaged" in capsys.readouterr().out
    main(["demos", "verify", str(demos)])
    main(["demos", "repair", str(demos)])
    said = capsys.readouterr()
    assert "2 episodes" in said.out and "demos was whole" in said.out
    for each in demos.glob("episode*"):
        each.unlink()
    main(["demos", "repair", str(demos)])
    main(["demos", "verify", str(demos)])
    assert "demos is whole: 0 episodes" in capsys.readouterr().out


def test_a_terminal_shows_how_far_a_verb_is_and_is_left_as_it_was(demos: Path, tmp_path: Path) -> None:
    damaged = bytearray((demos / "episode_000001.hdf5").read_bytes())
    damaged[600] ^= 4
    (demos / "episode_000001.hdf5").write_bytes(damaged)
    broken = ["convert", str(demos), "to=robomimic", f"out={tmp_path / 'out.hdf5'}"]
    for words in (["verify", str(demos)], broken):
        ours, theirs = pty.openpty()
        command = [sys.executable, "-m", "trailkit.agents.run.cli", "demos", *words]
        # TERM: a bar is for terminals that can draw one.
        with subprocess.Popen(command, stdout=theirs, stderr=theirs, env={**os.environ, "TERM": "xterm"}) as process:
            os.close(theirs)
            shown = b""
            with suppress(OSError):  # what a terminal says when the other side is gone
                while part := os.read(ours, 4096):
                    shown += part
        os.close(ours)
        assert process.returncode == (1 if words[0] == "verify" else 2)
        assert words[0].encode() in shown and "━".encode() in shown
        assert shown.count(b"\x1b[?25l") == shown.count(b"\x1b[?25h") == 1  # the cursor is hidden, and shown again


def test_folders_are_split_and_merged(demos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["demos", "split", str(demos), "holdout=1", "seed=2"])
    assert capsys.readouterr().out.splitlines() == [
        f"{demos}_train holds 2 episodes",
        f"{demos}_holdout holds 1 episode",
    ]
    main(["demos", "merge", f"{demos}_train", f"{demos}_holdout", "--out", str(tmp_path / "both")])
    assert "both holds 3 episodes" in capsys.readouterr().out


def test_demonstrations_are_drawn_anew(demos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["render", str(demos), f"out={tmp_path / 'drawn'}", "cameras=[front,wrist]", "height=32", "width=40"]
    main(["demos", *words])
    assert "drawn holds 3 episodes" in capsys.readouterr().out
    main(["demos", "info", str(tmp_path / "drawn")])
    assert "front 32x40, wrist 32x40" in capsys.readouterr().out


def test_chosen_episodes_are_played(demos: Path, tmp_path: Path) -> None:
    main(["demos", "play", str(demos), f"out={tmp_path / 'videos'}/", "episodes=0,2"])
    videos = sorted(path.name for path in (tmp_path / "videos").iterdir())
    assert videos == ["episode_000000.mp4", "episode_000002.mp4"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["verify", "nowhere"], "nowhere is no folder"),
        (["repair", "nowhere"], "nowhere is no folder"),
        (["verify", "DEMOS", "fix=true"], "'fix=true' is no option of trailkit demos verify"),
        (["merge", "DEMOS", "DEMOS"], "trailkit demos merge needs out="),
        (["merge", "DEMOS", "out=x"], "merge joins two or more folders"),
        (["split", "DEMOS"], "trailkit demos split needs holdout="),
        (["split", "DEMOS", "holdout=some"], "holdout=some: expected a whole number"),
        (["split", "DEMOS", "holdout=3"], "holdout is 3 of the 3 demonstrations"),
        (["render", "DEMOS"], "trailkit demos render needs out="),
        (["render", "DEMOS", "out=x", "cameras=frnt"], "unknown camera 'frnt'"),
        (["render", "DEMOS", "out=x", "width=-3"], "width=-3: expected a whole number"),
        (["play", "DEMOS", "episodes=1,x"], "episodes=x: expected a whole number"),
        (["play", "DEMOS", "episodes=7"], "there is no episode 7"),
    ],
)
def test_a_mistake_is_one_line(
    demos: Path, words: list[str], message: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(demos.parent)
    assert message in fails(["demos" if word == "DEMOS" else word for word in words], capsys)
    assert [path.name for path in demos.parent.iterdir()] == ["demos"]
