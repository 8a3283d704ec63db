"""docs/your-own-robot.md: its files and its commands, as they stand there, with fewer steps."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

DOC = Path(__file__).parents[1] / "docs" / "your-own-robot.md"
_FENCE = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)
_FILES = {"xml": ["planar.xml"], "python": ["planar.py", "robot.py"], "yaml": ["planar.yaml"]}
_FEWER = {"episodes": "2", "steps": "100"}  # a row of metrics comes of as many steps
_MORE = ["threads=1", "agent.batch_size=4", "actor.random_steps=60"]  # of trainings


def fences(*languages: str) -> list[tuple[str, str]]:
    return [found for found in _FENCE.findall(DOC.read_text()) if found[0] in languages]


def commands() -> list[list[str]]:
    """Those of trailkit, with few episodes and steps."""
    found = []
    for line in "".join(text for _, text in fences("sh")).splitlines():
        words = [
            re.sub(r"^(episodes|steps)=\d+$", lambda m: f"{m[1]}={_FEWER[m[1]]}", word) for word in shlex.split(line)
        ]
        if words[0] == "trailkit":
            more = _MORE if words[1] == "train" else []
            found.append([sys.executable, "-m", "trailkit.agents.run.cli", *words[1:], *more])
    return found


@pytest.mark.render
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_it_can_be_followed_as_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = {language: iter(files) for language, files in _FILES.items()}
    for language, text in fences(*_FILES):
        (tmp_path / next(names[language])).write_text(text)
    assert not any(next(rest, None) for rest in names.values())
    monkeypatch.setenv("PYTHONPATH", ".")
    for words in commands():
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
    assert {path.name for path in tmp_path.glob("*.mp4")} == {"random.mp4", "demos.mp4"}
    assert {path.name for path in tmp_path.glob("*.gif")} == {"bc.gif", "trail.gif"}
    assert {path.name for path in (tmp_path / "runs").iterdir()} >= {"bc", "trail"}
    monkeypatch.chdir(tmp_path)
    robot = (tmp_path / "robot.py").read_text().replace('"best"', '"last"')  # so short a training evaluates nothing
    said = {"picture": np.zeros((64, 64, 3), np.uint8), "joints": np.zeros(4)}
    exec(robot, said)
    assert np.abs(said["command"]).max() <= 3.0  # rad/s
