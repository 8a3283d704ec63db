from trailkit.agents.run.distributed.backlog import Backlog, Due
from trailkit.agents.run.evaluation.episodes import EpisodeResult
from trailkit.agents.run.evaluation.evaluate import Evaluation
from trailkit.agents.run.metrics import Clocks

RESULT = Evaluation(0, (EpisodeResult(0, 0, 1.0, 1.0, True, True, 20, 5),), 0.1)


def due(step: int, token: str = "a") -> Due:
    return Due(Clocks(step, 2 * step, 0.5), token, {}, None)


def test_the_oldest_policy_comes_first() -> None:
    backlog = Backlog()
    assert backlog.oldest() is None
    for step in (20, 10, 30):
        backlog.add(due(step))
    assert backlog.oldest() == due(10)
    backlog.finish(10, "a", RESULT)
    assert backlog.oldest() == due(20)


def test_a_policy_stays_until_its_result_is_written() -> None:
    backlog = Backlog()
    backlog.add(due(10))
    backlog.finish(10, "a", RESULT)
    assert backlog.oldest() is None
    assert (len(backlog), 10 in backlog, [kept["step"] for kept in backlog.state()]) == (1, True, [10])
    assert backlog.results() == [(due(10), RESULT)]
    backlog.remove(10)
    assert (len(backlog), 10 in backlog, backlog.state(), backlog.results()) == (0, False, [], [])


def test_a_result_that_nobody_waits_for_is_dropped() -> None:
    backlog = Backlog()
    backlog.finish(10, "a", RESULT)
    backlog.add(due(10, token="b"))
    backlog.finish(10, "a", RESULT)
    assert backlog.results() == []
    assert backlog.oldest() == due(10, token="b")


def test_a_checkpoint_keeps_all_but_the_references() -> None:
    backlog = Backlog()
    backlog.add(Due(Clocks(20, 40, 0.5), "b", {"policy": {}}, object()))
    backlog.add(Due(Clocks(10, 20, 0.25), "a", {}, object()))
    assert backlog.state() == [
        {"step": 10, "actor_steps": 20, "seconds": 0.25, "token": "a", "parameters": {}},
        {"step": 20, "actor_steps": 40, "seconds": 0.5, "token": "b", "parameters": {"policy": {}}},
    ]
