import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from trailkit.agents.run import record
from trailkit.agents.run.cli import main
from trailkit.envs.errors import UserError

_ENV = ["env=reach", "env.height=36", "env.width=36", "env.episode_steps=12", "env.trial_steps=5"]


def fails(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Runs a command that a user got wrong, and returns the one line it says."""
    with pytest.raises(SystemExit) as exit_:
        main(words)
    assert exit_.value.code == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("trailkit: ")]
    assert len(lines) == 1
    return lines[0]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["trian"], "unknown verb 'trian': did you mean 'train'?"),
        (["train", "method=gial", "demos=x"], "unknown method 'gial': did you mean 'gail'"),
        (["train", "demos=nowhere"], "nowhere"),
        (["train", "resume=nowhere"], "nowhere holds no run"),
        (["evaluate", "run=nowhere"], "nowhere holds no run"),
        (["watch", "run=nowhere"], "nowhere holds no run"),
        (["evaluate"], "run"),
        (["render", "run=nowhere", "camera=front"], "unknown key 'camera': did you mean 'cameras'"),
        (["record", "env.cameras=[frnt]"], "unknown camera 'frnt': did you mean 'front'"),
        (["record", "episodes=0"], "episodes is 0"),
        (["demos"], "trailkit demos info|play|"),
        (["demos", "inform", "x"], "unknown demos verb 'inform'"),
        (["demos", "info", "nowhere"], "nowhere"),
        (["demos", "info", "x", "out=y"], "'out=y' is no option of trailkit demos info"),
        (["train", "-m", "seed=1,2", "demos=x", "out=y"], "2 runs would write to y: tell them apart"),
        (["train", "-m", "seed=1,2", "demos=x", "method=trail,gial"], "unknown method 'gial'"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert message in fails(words, capsys)


def test_help_needs_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--help"])
    assert "trailkit train method=trail" in capsys.readouterr().out
    main(["evaluate", "--help"])
    assert "episodes=50" in capsys.readouterr().out
    main(["watch", "--help"])
    assert "seed=0" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("verb", "words"),
    [
        ("experiment", ("appearance|demonstrations|", "jobs=N")),
        ("compare", ("out=NAME.html",)),
        ("demos", ("convert PATH from=FORMAT", "audit DIR")),
        ("doctor", ("the words of the training",)),
        ("bench", ("out=NAME.md",)),
    ],
)
def test_help_says_what_can_be_said(verb: str, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    main([verb, "--help"])
    said = capsys.readouterr().out
    assert all(word in said for word in words)
    assert max(map(len, said.splitlines())) <= 120


def test_damaged_demonstrations_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["record", "device=scripted", *_ENV, "keep_failures=true", "episodes=2", f"out={tmp_path / 'demos'}"])
    broken = sorted((tmp_path / "demos").glob("*.hdf5"))[1]
    broken.write_bytes(broken.read_bytes()[:1000])
    words = ["train", *_ENV, f"demos={tmp_path / 'demos'}", f"out={tmp_path / 'run'}"]
    assert broken.name in fails(words, capsys)
    broken.write_bytes(b"")
    empty = fails(words, capsys)
    assert f"{broken.name} is empty" in empty
    assert empty.count(broken.name) == 1


def test_a_recording_that_cannot_begin_leaves_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def no_picture(_settings: object) -> None:
        raise UserError("no GL library")

    monkeypatch.setattr(record, "make_environment", no_picture)
    assert "no GL library" in fails(["record", *_ENV, f"out={tmp_path / 'demos'}"], capsys)
    assert not (tmp_path / "demos").exists()


def test_a_port_in_use_is_named_and_leaves_no_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        words = ["record", *_ENV, "device=browser", f"teleop.port={port}", f"out={tmp_path / 'demos'}"]
        assert f"teleop.port={port} cannot be listened on" in fails(words, capsys)
    assert not (tmp_path / "demos").exists()


def test_a_policy_is_recorded_for_trained_evaluated_and_rendered(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    demos, run = tmp_path / "demos", tmp_path / "run"
    main(["record", "device=scripted", *_ENV, "keep_failures=true", "episodes=2", f"out={demos}"])
    main(["record", "device=scripted", *_ENV, "keep_failures=true", "episodes=2", f"out={demos}"])
    assert "already holds 2 episodes" in capsys.readouterr().out
    main(["demos", "info", str(demos)])
    assert "reach" in capsys.readouterr().out
    main(["demos", "play", str(demos), f"out={tmp_path / 'demos.mp4'}"])
    assert (tmp_path / "demos.mp4").stat().st_size > 1000
    assert "name a video (.mp4) or a contact sheet (.png)" in fails(["demos", "play", str(demos), "out=x.gif"], capsys)
    main(["train", *_ENV, "method=bc", f"demos={demos}", f"out={run}", "steps=4", "evaluation.every=2", "threads=1"])
    main(["evaluate", f"run={run}", "episodes=3", "workers=1"])
    assert re.fullmatch(r"000000004: \d/3 = .*", capsys.readouterr().out.splitlines()[-1])
    assert (run / "evaluations" / "000000004" / "eval_info.json").is_file()
    main(["evaluate", f"run={run}", "episodes=1", "checkpoint=untrained", "workers=1"])
    main(["render", f"run={run}", "episodes=1", "height=64", "width=64"])
    assert Path(capsys.readouterr().out.splitlines()[-1]).suffix == ".mp4"
    assert "000000004" in fails(["evaluate", f"run={run}", "checkpoint=7"], capsys)


def test_a_reader_that_has_had_enough_is_no_mistake() -> None:
    command = f"{sys.executable} -m trailkit.agents.run.cli train --help | head -1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("train") and done.stderr == ""


@pytest.mark.parametrize(
    ("set_before", "spins"), [({}, "3000"), ({"GOMP_SPINCOUNT": "9"}, "9"), ({"OMP_WAIT_POLICY": "active"}, "None")]
)
def test_threads_that_wait_give_their_core_away_before_torch_is_loaded(set_before: dict[str, str], spins: str) -> None:
    code = "import os, sys, trailkit.agents.run.cli; print(os.environ.get('GOMP_SPINCOUNT'), 'torch' in sys.modules)"
    kept = {name: value for name, value in os.environ.items() if name not in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")}
    said = subprocess.run(
        [sys.executable, "-c", code], env=kept | set_before, capture_output=True, text=True, check=True
    )
    assert said.stdout.split() == [spins, "False"]
