"""The replay's role in this process, without Ray."""

import os
from pathlib import Path

import pytest
from replay_episodes import random_episode

from trailkit.agents.run.configuration import configure
from trailkit.configs.schema import TrainConfig
from trailkit.replay.base import ReplayTimeout
from trailkit.replay.episode import Episode
from trailkit.replay.memory import MemoryReplay

pytest.importorskip("ray")
from trailkit.agents.run.distributed.replay import ReplayRole


class _Deaf(MemoryReplay):
    """A replay whose server does not answer any more."""

    def add(self, episode: Episode) -> None:
        raise ReplayTimeout("Reverb did not answer within 30 s when inserting")


@pytest.fixture
def role(tmp_path: Path) -> ReplayRole:
    config = configure("train", TrainConfig, ["method=trail", "demos=none", f"out={tmp_path}"])
    return ReplayRole(config, str(tmp_path), "replay")


class _Ended(BaseException):
    """The process would have ended."""


def test_a_replay_that_does_not_take_an_episode_ends_its_process_and_blames_no_actor(
    role: ReplayRole, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def end(code: int) -> None:
        raise _Ended(code)

    monkeypatch.setattr(os, "_exit", end)
    episode = random_episode(10, seed=0)
    episode = episode._replace(metadata={**episode.metadata, "actor": 0, "index": 0})
    role._fill(lambda _: _Deaf(1000, 1, 2, seed=0), 0)
    with pytest.raises(_Ended, match="1"):
        role.insert(episode, {})
    assert "Reverb did not answer" in (tmp_path / "logs" / "replay.log").read_text()

    role._fill(lambda _: MemoryReplay(1000, 1, 2, seed=0), 0)  # as the next process does
    assert role.episodes_of(0) == (1, 10)
    assert role.insert(episode, {"return": 1.0}) == 10  # the actor sends again what was not acknowledged
    reported, total, state = role.report()
    assert (reported, total, state["replay_size"]) == ([{"return": 1.0}], 10, 10)
