"""How actors and evaluators get weights from a learner that begins late or dies; in this process, without Ray."""

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from trailkit.agents.base import Snapshot
from trailkit.agents.run.configuration import configure
from trailkit.configs.schema import TrainConfig

ray = pytest.importorskip("ray")
from ray.exceptions import ActorDiedError, GetTimeoutError, OwnerDiedError, RayError  # noqa: E402

from trailkit.agents.run.distributed.actor import RemoteWeights  # noqa: E402
from trailkit.agents.run.distributed.evaluator import next_policy  # noqa: E402
from trailkit.agents.run.distributed.role import Phase, Role  # noqa: E402

_OLD: dict[str, Any] = {"policy": {"layer": 1}}
_NEW: dict[str, Any] = {"policy": {"layer": 2}}
_LOST = OwnerDiedError("a" * 56, None, "")


class Method:
    """One of the learner's, which gives these answers in turn."""

    def __init__(self, *answers: Any) -> None:
        self._answers = iter(answers)

    def remote(self, *_: Any) -> Any:
        return next(self._answers)


class Waiter(Role):
    """A role that notes what it was about whenever it waited for an answer."""

    phases: list[Phase]

    def get(self, reference: Any, timeout: float | None = None) -> Any:
        self.phases.append(self._phase)
        if isinstance(reference, RayError):
            raise reference
        return reference


@pytest.fixture
def role(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Waiter:
    """One that is at work. What it refers to by a reference is the reference itself."""
    role = Waiter(configure("train", TrainConfig, ["demos=none", f"out={tmp_path}"]), str(tmp_path), "actor 0")
    role.phases = []
    role.moves()
    monkeypatch.setattr(ray, "get", role.get)
    monkeypatch.setattr(ray, "wait", lambda asked, timeout: (asked, []))
    monkeypatch.setattr(time, "sleep", lambda _: None)
    return role


def test_the_first_weights_are_waited_for_as_long_as_the_learner_takes(role: Waiter) -> None:
    latest = Method(GetTimeoutError(), ActorDiedError(), None, (3, [_LOST]), (3, [_OLD]), None)
    weights = RemoteWeights(SimpleNamespace(latest=latest), role)
    assert weights.version == -1
    assert weights.latest() == Snapshot(3, _OLD)
    assert set(role.phases) == {Phase.WAITING}  # in which nobody expects it to get on
    assert role._phase is Phase.WORKING
    assert weights.latest() == Snapshot(3, _OLD)
    assert weights.version == 3


def test_the_old_weights_serve_while_the_learner_does_not_answer(role: Waiter) -> None:
    latest = Method((3, [_OLD]), ActorDiedError(), (4, [GetTimeoutError()]), (4, [_NEW]))
    weights = RemoteWeights(SimpleNamespace(latest=latest), role)
    assert [weights.latest().version for _ in range(4)] == [3, 3, 3, 4]


@pytest.mark.usefixtures("role")
def test_an_evaluator_asks_again_when_the_weights_went_with_the_learner() -> None:
    due = Method(None, ActorDiedError(), (10, "a", [_LOST]), (10, "b", [_NEW]))
    assert next_policy(SimpleNamespace(next_evaluation=due)) == (10, "b", _NEW)
