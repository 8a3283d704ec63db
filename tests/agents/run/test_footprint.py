"""What a run is said to take, against what its parts take."""

from pathlib import Path

import psutil
import pytest

from trailkit.agents.run import footprint as module
from trailkit.agents.run.cli import main
from trailkit.agents.run.configuration import configure
from trailkit.agents.run.footprint import footprint, played_steps, refuse_what_cannot_fit
from trailkit.configs.schema import TrainConfig
from trailkit.demos.store import DemoStore
from trailkit.envs.errors import UserError
from trailkit.replay.memory import MemoryReplay
from trailkit.replay.reverb import ReverbReplay

_ENV = ["env=reach", "env.height=36", "env.width=36", "env.episode_steps=20"]


@pytest.fixture(scope="module")
def demos(tmp_path_factory: pytest.TempPathFactory) -> DemoStore:
    folder = str(tmp_path_factory.mktemp("demos") / "scripted")
    main(["record", *_ENV, "episodes=2", "keep_failures=true", f"out={folder}"])
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


@pytest.mark.reverb
def test_the_replay_of_reverb_takes_what_is_said(demos: DemoStore) -> None:
    steps = 10_000
    said = footprint(config("replay=reverb", f"replay.capacity={steps}"), demos).memory["replay"]
    replay = ReverbReplay(steps, 3, 10)
    episodes = [demos.read(0), demos.read(1)]
    replay.add(episodes[0])
    before = psutil.Process().memory_info().rss
    for number in range(steps // episodes[0].length):
        replay.add(episodes[number % 2])
    assert psutil.Process().memory_info().rss - before == pytest.approx(said, rel=0.25)
    replay.close()


def test_what_cannot_fit_is_refused_with_the_numbers(
    demos: DemoStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_what_cannot_fit(config(), demos, tmp_path / "run")
    monkeypatch.setattr(module, "free_memory", lambda: 0.3e9)
    with pytest.raises(UserError, match=r"the run needs \d\.\d GB of memory \(.*\) and 0\.3 GB are free: lower replay"):
        refuse_what_cannot_fit(config(), demos, tmp_path / "run")
    refuse_what_cannot_fit(config("launch.address=auto"), demos, tmp_path / "run")  # there it is not known
    monkeypatch.undo()
    monkeypatch.setattr(module, "free_disk", lambda _: 1e6)
    with pytest.raises(UserError, match="of disk"):
        refuse_what_cannot_fit(config(), demos, tmp_path / "run")
