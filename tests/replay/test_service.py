"""Replay for several actors: pace, order, and what a new service finds."""

import threading
import time
from pathlib import Path

import pytest
from replay_episodes import random_episode

from trailkit.replay.base import ReplayTimeout, Table
from trailkit.replay.episode import Episode
from trailkit.replay.memory import MemoryReplay
from trailkit.replay.service import ReplayService

RATIO = 4.0
FREE = 10


def open_service(folder: Path, taken: int = 0, slack: int = 40, capacity: int = 1000) -> ReplayService:
    service = ReplayService(lambda _: MemoryReplay(capacity, 1, 2, seed=0), folder, capacity, RATIO, FREE, slack, taken)
    for _ in service.fill():
        pass
    return service


def episode(number: int, actor: int = 0) -> Episode:
    played = random_episode(10, seed=number)
    return played._replace(metadata={**played.metadata, "actor": actor, "index": number})


def test_samples_wait_for_inserts(tmp_path: Path) -> None:
    service = open_service(tmp_path)
    service.insert(episode(0))
    batches = service.batches(Table.MAIN, 4, timeout_s=0.05)
    with pytest.raises(ReplayTimeout, match="nothing was inserted"):
        next(batches)  # the first ten steps allow none
    service.insert(episode(1))
    batches = service.batches(Table.MAIN, 4, timeout_s=0.05)
    for _ in range(10):
        next(batches)
    with pytest.raises(ReplayTimeout):
        next(batches)


def test_early_samples_do_not_wait(tmp_path: Path) -> None:
    service = open_service(tmp_path)
    service.insert(episode(0))
    assert len(next(service.batches(Table.EARLY, 4, timeout_s=0.05)).action) == 4


def test_inserts_wait_for_samples_and_the_ratio_is_held(tmp_path: Path) -> None:
    service = open_service(tmp_path)
    playing = threading.Thread(target=lambda: [service.insert(episode(number)) for number in range(30)])
    playing.start()
    time.sleep(0.3)
    assert service.total_steps == 30  # ten free ones, and two episodes to get beyond the slack
    batches = service.batches(Table.MAIN, 8)
    for _ in range(100):
        next(batches)
    playing.join(0.3)
    assert service.total_steps * RATIO == pytest.approx(800, abs=2 * 40 + RATIO * FREE)
    assert service.samples_per_insert() == pytest.approx(RATIO, rel=0.15)
    for _ in range(45):
        next(batches)
    playing.join(10)
    assert service.total_steps == 300


def test_an_episode_that_is_sent_again_is_taken_once(tmp_path: Path) -> None:
    service = open_service(tmp_path)
    assert service.insert(episode(0)) == 10
    assert service.insert(episode(0)) == 10
    assert service.insert(episode(0, actor=1)) == 20
    assert (service.episodes_of(0), service.episodes_of(1), service.episodes_of(2)) == (1, 1, 0)


class _Deaf(MemoryReplay):
    """A replay whose server does not answer any more."""

    def add(self, episode: Episode) -> None:
        raise ReplayTimeout("Reverb did not answer within 30 s when inserting")


def test_an_episode_that_the_replay_does_not_take_counts_and_is_held_by_the_next_service(tmp_path: Path) -> None:
    service = ReplayService(lambda _: _Deaf(1000, 1, 2, seed=0), tmp_path, 1000, RATIO, FREE, 40, 0)
    with pytest.raises(ReplayTimeout):
        service.insert(episode(0))
    assert (service.episodes_of(0), service.total_steps) == (1, 10)
    assert service.insert(episode(0)) == 10  # sent again, it is not written again
    new = open_service(tmp_path)
    assert new.insert(episode(0)) == new.replay.size(Table.MAIN) == 10


def test_a_new_service_goes_on_where_the_old_one_ended(tmp_path: Path) -> None:
    old = open_service(tmp_path)
    for number in range(3):
        old.insert(episode(number, actor=7))
    new = open_service(tmp_path, taken=64)
    assert (new.total_steps, new.episodes_of(7)) == (30, 3)
    assert new.replay.size(Table.MAIN) == 30
    assert new.insert(episode(2, actor=7)) == 30
    assert new.insert(episode(3, actor=7)) == 40


def test_a_new_service_allows_what_was_not_taken_of_the_old_one(tmp_path: Path) -> None:
    old = open_service(tmp_path, slack=1000)
    for number in range(5):
        old.insert(episode(number))
    assert old.surplus() == RATIO * 40
    new = open_service(tmp_path, taken=60)
    assert new.surplus() == RATIO * 40 - 60
    assert new.samples_per_insert() == 60 / 40
    batches = new.batches(Table.MAIN, 10, timeout_s=0.05)
    for _ in range(10):
        next(batches)
    with pytest.raises(ReplayTimeout):
        next(batches)
    assert new.samples_per_insert() == RATIO


def test_steps_that_were_evicted_or_only_began_a_run_are_counted_by_a_new_service(tmp_path: Path) -> None:
    old = open_service(tmp_path, capacity=20, slack=1000)
    for number in range(5):
        old.insert(episode(number))
    assert open_service(tmp_path, taken=60, capacity=20).surplus() == RATIO * 40 - 60
    begun = tmp_path / "begun"
    service = ReplayService(lambda _: MemoryReplay(1000, 1, 2, seed=0), begun, 1000, RATIO, 25, 40, 0)
    service.insert(episode(0))
    service = ReplayService(lambda _: MemoryReplay(1000, 1, 2, seed=0), begun, 1000, RATIO, 25, 40, 0)
    for _ in service.fill():
        pass
    assert service.surplus() == -RATIO * 15
    assert service.samples_per_insert() == 0


def test_a_service_whose_folder_was_emptied_asks_for_no_more_than_a_first_one(tmp_path: Path) -> None:
    service = open_service(tmp_path, taken=10_000)
    assert service.surplus() == -RATIO * FREE
    service.insert(episode(0))
    service.insert(episode(1))
    assert service.surplus() == RATIO * 10
