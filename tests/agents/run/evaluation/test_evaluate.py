import json
from itertools import islice
from types import SimpleNamespace

import dm_env
import numpy as np
import pytest

from trailkit.agents.run.evaluation.episodes import EpisodeResult, episode_seed
from trailkit.agents.run.evaluation.evaluate import Evaluation, evaluate
from trailkit.agents.run.loops import episode_starts
from trailkit.envs.errors import UserError
from trailkit.envs.settings import EnvSettings, ObservationSettings
from trailkit.envs.tasks.environment import TaskEnvironment


class Countdown:
    """Episodes of five steps: each begins at a number that the seed settles, and each action is added to it.

    Solved, with a reward of 1, while the number is 2.
    """

    settings = SimpleNamespace(episode_steps=5)

    def seed(self, seed):
        self._start = seed % 2

    def reset(self):
        self._number, self._steps = self._start, 0
        return dm_env.restart(self._observation())

    def step(self, action):
        self._number += int(action[0])
        self._steps += 1
        make = dm_env.truncation if self._steps == 5 else dm_env.transition
        return make(float(self.solved), self._observation())

    @property
    def solved(self):
        return self._number == 2

    def _observation(self):
        return {"proprio": np.array([self._number], np.float32)}


class AddUntil:
    """Adds one until the number is this, or too often if asked to forget."""

    def __init__(self, number):
        self._number = number
        self.resets = 0

    def reset(self):
        self.resets += 1

    def act(self, observation):
        return np.array([float(observation["proprio"][0] < self._number)], np.float32)

    def load(self, parameters):
        raise NotImplementedError


def outcomes(*successes):
    episodes = (
        EpisodeResult(index, index, 2.0 * success, float(success), success, False, 5, 3 if success else None)
        for index, success in enumerate(successes)
    )
    return Evaluation(seed=0, episodes=tuple(episodes), seconds=1.0)


def test_each_episode_is_counted_as_it_went():
    result = evaluate(Countdown(), AddUntil(2), episodes=8, seed=0)
    for index, episode in enumerate(result.episodes):
        start = episode_seed(0, index) % 2
        first = 2 - start  # steps to the number 2, which then stays
        assert episode == EpisodeResult(
            episode_ix=index,
            seed=episode_seed(0, index),
            sum_reward=5 - first + 1,
            max_reward=1.0,
            success=True,
            success_at_end=True,
            length=5,
            steps_to_success=first,
        )
    assert {episode.seed % 2 for episode in result.episodes} == {0, 1}


def test_solved_in_passing_is_success_but_not_success_at_the_end():
    result = evaluate(Countdown(), AddUntil(9), episodes=3, seed=0)
    assert result.success == 1.0
    assert result.success_at_end == 0.0
    assert result.average_return == 1.0


def test_never_solved_has_no_steps_to_success():
    result = evaluate(Countdown(), AddUntil(0), episodes=2, seed=0)
    assert result.success == 0.0
    assert [episode.steps_to_success for episode in result.episodes] == [None, None]


def test_the_policy_begins_each_episode_and_each_is_reported():
    policy, reported = AddUntil(2), []
    result = evaluate(Countdown(), policy, episodes=4, seed=0, on_episode=reported.append)
    assert policy.resets == 4
    assert tuple(reported) == result.episodes


def test_the_seeds_are_those_of_the_documented_sequence_whatever_the_number_of_episodes():
    few = evaluate(Countdown(), AddUntil(2), episodes=2, seed=5)
    many = evaluate(Countdown(), AddUntil(2), episodes=4, seed=5)
    assert many.episodes[:2] == few.episodes
    sequences = [np.random.SeedSequence([5, index], spawn_key=(1,)) for index in range(4)]
    expected = [int(sequence.generate_state(1, np.uint32)[0]) for sequence in sequences]
    assert [episode.seed for episode in many.episodes] == expected
    assert len(set(expected)) == 4
    assert evaluate(Countdown(), AddUntil(2), episodes=4, seed=6).episodes != many.episodes


def test_two_evaluations_of_a_task_with_one_seed_are_equal():
    class Wave:
        def reset(self):
            self._step = 0

        def act(self, observation):
            self._step += 1
            return np.sin(self._step + 3 * observation["proprio"][:4]).astype(np.float32)

    env = TaskEnvironment(EnvSettings(task="reach", observation=ObservationSettings(cameras=()), episode_steps=20))
    first, second = (evaluate(env, Wave(), episodes=3, seed=1) for _ in range(2))
    other = evaluate(env, Wave(), episodes=3, seed=2)
    env.close()
    assert first == second
    assert first.episodes != other.episodes
    assert all(episode.length == 20 for episode in first.episodes)


def test_the_interval_is_wilsons():
    result = outcomes(*[True] * 48, False, False)
    assert result.success == 0.96
    # Wilson's formula for 48 of 50 at 95%, worked out by hand.
    assert result.interval.low == pytest.approx(0.865398, abs=1e-5)
    assert result.interval.high == pytest.approx(0.988957, abs=1e-5)


def test_a_perfect_score_is_not_certain():
    assert outcomes(*[True] * 50).interval.low == pytest.approx(0.928652, abs=1e-5)
    assert outcomes(*[True] * 50).interval.high == 1.0


def test_it_reads_as_one_line():
    assert str(outcomes(*[True] * 48, False, False)) == "48/50 = 96% [87, 99] solved (at end 0%), return 1.9"


def test_eval_info_holds_the_keys_that_users_know(tmp_path):
    result = outcomes(True, False)
    path = tmp_path / "evaluations" / "eval_info.json"
    result.write(path, [tmp_path / "eval_episode_0.mp4"])
    info = json.loads(path.read_text())
    assert (
        info["per_episode"][0].items()
        >= {
            "episode_ix": 0,
            "seed": 0,
            "sum_reward": 2.0,
            "max_reward": 1.0,
            "success": True,
        }.items()
    )
    assert (
        info["aggregated"].items()
        >= {
            "pc_success": 50.0,
            "avg_sum_reward": 1.0,
            "avg_max_reward": 0.5,
            "eval_s": 1.0,
            "eval_ep_s": 0.5,
        }.items()
    )
    assert info["aggregated"]["success_once"] == result.interval._asdict()
    assert info["aggregated"]["success_at_end"]["share"] == 0.0
    assert info["overall"]["n_episodes"] == 2
    assert info["overall"]["video_paths"] == [str(tmp_path / "eval_episode_0.mp4")]
    assert list(path.parent.iterdir()) == [path]


def test_an_evaluation_without_episodes_is_refused():
    with pytest.raises(UserError, match="episodes is 0: an evaluation needs at least one"):
        evaluate(Countdown(), AddUntil(2), episodes=0, seed=0)


def test_evaluations_start_where_no_recording_or_training_with_the_seed_did() -> None:
    evaluated = {episode_seed(0, index) for index in range(50)}
    trained = {start.seed for start in islice(episode_starts(0, 0), 200)}
    recorded = {int(np.random.SeedSequence([0, index]).generate_state(1)[0]) for index in range(200)}
    assert len(evaluated | trained | recorded) == 450
