"""The learner's role in this process, without Ray: behaviour cloning, which needs no actors, as short as can be."""

import csv
import logging
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from trailkit.agents.base import Snapshot
from trailkit.agents.run import build_data
from trailkit.agents.run.checkpoint import Checkpoints
from trailkit.agents.run.cli import main
from trailkit.agents.run.configuration import configure
from trailkit.agents.run.evaluation.episodes import EpisodeResult
from trailkit.agents.run.evaluation.evaluate import Evaluation
from trailkit.agents.run.learning import Learning
from trailkit.agents.run.lock import locked
from trailkit.configs.schema import TrainConfig
from trailkit.envs.errors import UserError

ray = pytest.importorskip("ray")
from trailkit.agents.run.distributed import learner as learner_module  # noqa: E402
from trailkit.agents.run.distributed.learner import LearnerRole  # noqa: E402

_ENV = ["env=reach", "env.height=36", "env.width=36", "env.episode_steps=20"]
_SHORT = [*_ENV, "method=bc", "agent.batch_size=2", "threads=1", "launch=ray", "checkpoint_every=1000000"]
RESULT = Evaluation(0, (EpisodeResult(0, 0, 1.0, 1.0, True, True, 20, 5),), 0.1)


@pytest.fixture(scope="module")
def demos(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = str(tmp_path_factory.mktemp("demos") / "scripted")
    main(["record", "device=scripted", *_ENV, "episodes=2", "keep_failures=true", f"out={folder}"])
    return folder


@pytest.fixture
def make(demos: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., LearnerRole]:
    """Makes learners of one run, each as if in a process of its own."""
    monkeypatch.setattr(ray, "put", lambda value: value)

    def make(*words: str) -> LearnerRole:
        config = configure("train", TrainConfig, [*_SHORT, f"demos={demos}", f"out={tmp_path / 'run'}", *words])
        return LearnerRole(config, config.out, "learner", None)

    return make


def test_actors_keep_their_weights_while_a_learner_begins(make: Callable[..., LearnerRole]) -> None:
    assert make().latest(500) is None


def start(role: LearnerRole) -> threading.Thread:
    running = threading.Thread(target=role._run)
    running.start()
    return running


def next_due(role: LearnerRole) -> tuple[int, str, Any]:
    deadline = time.monotonic() + 60
    while (due := role.next_evaluation()) is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    step, token, (weights,) = due
    return step, token, weights


def evaluate_all(role: LearnerRole, running: threading.Thread) -> list[int]:
    """Plays the evaluator until the learner is done; returns the steps."""
    steps = []
    while running.is_alive():
        if (due := role.next_evaluation()) is not None:
            steps.append(due[0])
            role.evaluated(due[0], due[1], RESULT)
        time.sleep(0.005)
    return steps


def evaluations(folder: Path) -> list[int]:
    return sorted(int(path.parent.name) for path in folder.glob("evaluations/*/eval_info.json"))


def rows(folder: Path, column: str) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open() as file:
        return [row for row in csv.DictReader(file) if row.get(column)]


def same(one: Any, other: Any) -> bool:
    return all(torch.equal(one["policy"][name], other["policy"][name]) for name in one["policy"] | other["policy"])


def test_a_policy_whose_evaluation_was_cut_short_is_evaluated_when_the_run_goes_on(
    make: Callable[..., LearnerRole],
) -> None:
    first = make("steps=3", "evaluation.every=3")
    running = start(first)
    step, token, weights = next_due(first)
    first.stop()
    running.join(60)
    assert (step, evaluations(first.folder)) == (3, [])

    second = make("steps=100000", "evaluation.every=100000")
    running = start(second)
    again, same_token, same_weights = next_due(second)
    assert (again, same_token, same(same_weights, weights)) == (3, token, True)
    second.evaluated(3, token, RESULT)
    while not evaluations(second.folder):
        time.sleep(0.01)
    second.stop()
    running.join(60)
    assert [row["step"] for row in rows(second.folder, "eval_success")] == ["3"]

    third = make("steps=4")
    third._run()
    assert third.next_evaluation() is None


def test_a_run_is_not_done_while_an_evaluation_is_missing(make: Callable[..., LearnerRole]) -> None:
    role, done = make("steps=2", "evaluation.every=2"), []
    running = threading.Thread(target=lambda: done.append(role._run()))
    running.start()
    next_due(role)
    role.stop()
    running.join(60)
    role = make("steps=2", "evaluation.every=2")
    running = threading.Thread(target=lambda: done.append(role._run()))
    running.start()
    assert evaluate_all(role, running) == evaluations(role.folder) == [2]
    assert done == [False, True]


def test_a_slow_evaluator_is_spared_all_but_the_last_policy(
    make: Callable[..., LearnerRole], caplog: pytest.LogCaptureFixture
) -> None:
    role = make("steps=5", "evaluation.every=1")
    with caplog.at_level(logging.WARNING):
        running = start(role)
        while "step 4 is not evaluated" not in caplog.text:
            assert running.is_alive()
            time.sleep(0.01)
    assert evaluate_all(role, running) == evaluations(role.folder) == [1, 2, 5]
    assert "step 3 is not evaluated, since 2 wait for it already: raise evaluation.every" in caplog.text


def test_results_of_a_course_that_was_left_do_not_count(make: Callable[..., LearnerRole]) -> None:
    make("steps=1", "launch.evaluators=0")._run()
    killed = make("steps=2", "evaluation.every=2")
    running = start(killed)
    step, old_token, _ = next_due(killed)
    killed.evaluated(step, old_token, RESULT)
    running.join(60)
    stale = killed.folder / "evaluations" / "000000002"
    (stale / "seed1_episodes5").mkdir()  # by a person
    (stale / ".eval_info.json.123.partial").touch()
    for name in ("last", "000000002"):  # as if it had been killed before
        (killed.folder / "checkpoints" / name).rename(killed.folder / name)

    role = make("steps=2", "evaluation.every=2")
    running = start(role)
    step, token, _ = next_due(role)
    assert token != old_token
    assert [path.name for path in stale.iterdir()] == ["seed1_episodes5"]
    role.evaluated(step, old_token, RESULT)
    assert next_due(role)[1] == token
    role.evaluated(step, token, RESULT)
    running.join(60)
    assert evaluations(role.folder) == [2]


def test_checkpoints_without_a_backlog_can_be_gone_on_with(
    make: Callable[..., LearnerRole], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LearnerRole, "_checkpoint", lambda _, learning: learning.checkpoint({}))
    make("steps=2", "launch.evaluators=0")._run()
    monkeypatch.undo()
    monkeypatch.setattr(ray, "put", lambda value: value)
    role = make("steps=2", "evaluation.every=2")
    running = start(role)
    assert evaluate_all(role, running) == [2]


def test_the_rate_of_a_first_row_counts_the_steps_of_this_process_alone(make: Callable[..., LearnerRole]) -> None:
    make("steps=90", "launch.evaluators=0")._run()
    role = make("steps=100", "launch.evaluators=0")
    found = Checkpoints(role.folder / "checkpoints").latest()
    assert found is not None
    role._run()
    _, row = rows(role.folder, "learner_steps_per_second")
    took = float(row["seconds"]) - found[1]["seconds"]
    assert float(row["learner_steps_per_second"]) == pytest.approx(10 / took, rel=0.5)


def test_the_wait_for_batches_that_come_late_is_a_share_of_the_learners_time(
    make: Callable[..., LearnerRole], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = build_data.make_batches

    def late(*arguments: Any) -> Iterator[Any]:
        for batch in made(*arguments):
            time.sleep(0.02)
            yield batch

    monkeypatch.setattr(build_data, "make_batches", late)
    role = make("steps=100", "launch.evaluators=0")
    role._run()
    (row,) = rows(role.folder, "batch_wait_share")
    took = 100 / float(row["learner_steps_per_second"])
    assert 100 * 0.02 <= float(row["batch_wait_share"]) * took < took


def test_a_learner_that_can_load_none_of_its_checkpoints_discards_nothing(make: Callable[..., LearnerRole]) -> None:
    role = make("steps=100", "launch.evaluators=0")
    role._run()
    there = sorted(path.name for path in (role.folder / "checkpoints").iterdir())
    for path in (role.folder / "checkpoints").glob("0*/state.json"):
        path.write_text("")
    with pytest.raises(UserError, match="checkpoints holds no valid checkpoint"):
        make("steps=200")._run()
    assert sorted(path.name for path in (role.folder / "checkpoints").iterdir()) == there
    assert [row["step"] for row in rows(role.folder, "step")] == ["100"]


def test_a_run_has_one_learner_at_a_time(make: Callable[..., LearnerRole], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learner_module, "_UNLOCKED_WITHIN_S", 0.2)
    role = make("steps=1", "launch.evaluators=0")
    with locked(role.folder), pytest.raises(UserError, match="in use by another training"):
        role._run()
    assert not (role.folder / "checkpoints").exists()
    assert role._run()


def test_a_learner_says_how_many_samples_its_steps_took_once_it_knows(make: Callable[..., LearnerRole]) -> None:
    make("steps=5", "launch.evaluators=0")._run()
    role, told = make("steps=5", "launch.evaluators=0"), []
    asking = threading.Thread(target=lambda: told.append(role.samples()))
    asking.start()
    time.sleep(0.1)
    assert not told
    role._run()
    asking.join(60)
    assert told == [5 * 2]


class _OnGpu:
    """What torch would have on a GPU."""

    def cpu(self) -> torch.Tensor:
        return torch.ones(1)


def test_weights_are_published_on_the_cpu(make: Callable[..., LearnerRole], monkeypatch: pytest.MonkeyPatch) -> None:
    weights: Any = {"policy": {"layer": _OnGpu()}, "discriminator": {"layer": _OnGpu()}}
    monkeypatch.setattr(Learning, "snapshot", lambda learning: Snapshot(learning.steps, weights))
    role = make("steps=1", "evaluation.every=1")
    running = start(role)
    due = next_due(role)[2]
    newest = role.latest(-1)
    role.stop()
    running.join(60)
    assert newest is not None
    for published in (due, newest[1][0]):
        assert published == {"policy": {"layer": torch.ones(1)}, "discriminator": {"layer": torch.ones(1)}}
