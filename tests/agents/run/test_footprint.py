"""What a run is said to take, against what its parts take."""

import subprocess
import sys
from pathlib import Path

import pytest

from trailkit.agents.run import footprint as module
from trailkit.agents.run.cli import main
from trailkit.agents.run.configuration import configure
from trailkit.agents.run.footprint import footprint, played_steps, refuse_what_cannot_fit
from trailkit.configs.schema import TrainConfig
from trailkit.demos.store import DemoStore
from trailkit.envs.errors import UserError
from trailkit.replay.memory import MemoryReplay

_ENV = ["env=reach", "env.height=36", "env.width=36", "env.episode_steps=20", "env.trial_steps=5"]


@pytest.fixture(scope="module")
def demos(tmp_path_factory: pytest.TempPathFactory) -> DemoStore:
    folder = str(tmp_path_factory.mktemp("demos") / "scripted")
    main(["record", "device=scripted", *_ENV, "episodes=2", "keep_failures=true", f"out={folder}"])
    return DemoStore.open(folder)


def config(*words: str) -> TrainConfig:
    return configure("train", TrainConfig, [*_ENV, *words])


def test_actors_play_what_the_ratio_allows() -> None:
    words = ("actor.random_steps=500", "steps=1000", "agent.batch_size=16", "replay.samples_per_insert=4")
    assert played_steps(config(*words)) == 500 + 4000
    assert played_steps(config("method=bc")) == 0


def test_the_replay_in_memory_takes_what_is_said(demos: DemoStore) -> None:
    said = footprint(config("replay=memory", "replay.capacity=3000"), demos).memory["replay"]
    replay = MemoryReplay(3000, 3, 10, seed=0)
    episode = demos.read(0)
    for _ in range(200):
        replay.add(episode)
    assert replay.nbytes == pytest.approx(said, rel=0.1)


def test_demonstrations_that_are_not_learned_from_take_nothing(demos: DemoStore) -> None:
    taken = {
        words: footprint(config(*words), demos).memory["demonstrations"]
        for words in ((), ("demo_limit=1", "holdout=0"), ("demo_limit=1",))
    }
    assert taken[()] == taken["demo_limit=1",] == 2 * taken["demo_limit=1", "holdout=0"]


_REVERB = """
import sys, psutil
from trailkit.demos.store import DemoStore
from trailkit.replay.reverb import ReverbReplay
folder, steps = sys.argv[1], int(sys.argv[2])
episodes = list(DemoStore.open(folder).episodes())
replay = ReverbReplay(steps, 3, 10)
replay.add(episodes[0])
before = psutil.Process().memory_info().rss
for number in range(steps // episodes[0].length):
    replay.add(episodes[number % 2])
print(psutil.Process().memory_info().rss - before)
replay.close()
"""


@pytest.mark.reverb
def test_the_replay_of_reverb_takes_what_is_said(demos: DemoStore) -> None:
    said = footprint(config("replay=reverb", "replay.capacity=10000"), demos).memory["replay"]
    command = [sys.executable, "-c", _REVERB, str(demos.path), "10000"]  # a process whose memory has no holes yet
    taken = subprocess.run(command, capture_output=True, text=True, check=True, timeout=100).stdout
    assert float(taken) == pytest.approx(said, rel=0.25)


def test_what_cannot_fit_is_refused_with_the_numbers(
    demos: DemoStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_what_cannot_fit(config(), demos, tmp_path / "run")
    monkeypatch.setattr(module, "free_memory", lambda: 0.3e9)
    with pytest.raises(UserError, match=r"the run needs \d\.\d GB of memory \(.*\) and 0\.3 GB are free: lower replay"):
        refuse_what_cannot_fit(config(), demos, tmp_path / "run")
    refuse_what_cannot_fit(
        config("launch=ray", "launch.address=auto"), demos, tmp_path / "run"
    )  # there it is not known
    monkeypatch.undo()
    monkeypatch.setattr(module, "free_disk", lambda _: 1e6)
    with pytest.raises(UserError, match="of disk"):
        refuse_what_cannot_fit(config(), demos, tmp_path / "run")
    (tmp_path / "run").mkdir()
    with (tmp_path / "run" / "episodes").open("wb") as file:
        file.truncate(10**12)  # as if the run had been going on for long
    refuse_what_cannot_fit(config(), demos, tmp_path / "run")
