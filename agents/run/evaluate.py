"""Evaluation: how often a policy solves the task, over fixed-seed full-length episodes, and how sure that is."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from trailkit.agents.base import Action, Policy
from trailkit.agents.run.statistics import CONFIDENCE, Interval, wilson
from trailkit.envs.environment import Environment
from trailkit.envs.errors import UserError
from trailkit.replay.atomic import written_aside
from trailkit.replay.transition import Observation


class Moment(NamedTuple):
    """One step of an episode: what was seen and done, and what that led to."""

    observation: Observation
    action: Action
    reward: float
    solved: bool


@dataclass(frozen=True)
class EpisodeResult:
    """How one episode went."""

    episode_ix: int
    seed: int
    sum_reward: float
    max_reward: float
    success: bool  # solved after some step
    success_at_end: bool
    length: int  # steps
    steps_to_success: int | None


@dataclass(frozen=True)
class Evaluation:
    """Episodes of one policy. Two of one policy with one seed are equal: how long they took does not count."""

    seed: int
    episodes: tuple[EpisodeResult, ...]
    seconds: float = field(compare=False)

    @cached_property
    def interval(self) -> Interval:
        """The share of episodes solved at some step, with its Wilson interval."""
        return wilson([episode.success for episode in self.episodes])

    @cached_property
    def interval_at_end(self) -> Interval:
        """The share of episodes solved after their last step, with its Wilson interval."""
        return wilson([episode.success_at_end for episode in self.episodes])

    @property
    def success(self) -> float:
        """The share of episodes solved at some step, in [0, 1]."""
        return self.interval.share

    @property
    def success_at_end(self) -> float:
        """The share of episodes solved after their last step, in [0, 1]."""
        return self.interval_at_end.share

    @property
    def average_return(self) -> float:
        """The mean over episodes of the sum of rewards."""
        return float(np.mean([episode.sum_reward for episode in self.episodes]))

    def info(self, video_paths: Sequence[Path] = ()) -> dict[str, Any]:
        """All of it as JSON, a superset of the keys of LeRobot's `eval_info.json`."""
        count = len(self.episodes)
        times = [episode.steps_to_success for episode in self.episodes if episode.steps_to_success is not None]
        aggregated = {
            "pc_success": 100 * self.success,
            "avg_sum_reward": self.average_return,
            "avg_max_reward": float(np.mean([episode.max_reward for episode in self.episodes])),
            "eval_s": self.seconds,
            "eval_ep_s": self.seconds / count,
            "success_once": self.interval._asdict(),
            "success_at_end": self.interval_at_end._asdict(),
            "avg_steps_to_success": float(np.mean(times)) if times else None,
            "avg_length": float(np.mean([episode.length for episode in self.episodes])),
            "confidence": CONFIDENCE,
            "seed": self.seed,
        }
        return {
            "per_episode": [asdict(episode) for episode in self.episodes],
            "aggregated": aggregated,
            "overall": {**aggregated, "n_episodes": count, "video_paths": [str(path) for path in video_paths]},
        }

    def write(self, path: Path, video_paths: Sequence[Path] = ()) -> None:
        """Writes `info` to a JSON file, whole or not at all.

        Raises:
            UserError: If the file cannot be written.
        """
        with written_aside(path) as aside:
            aside.write_text(json.dumps(self.info(video_paths), indent=2) + "\n")

    def __str__(self) -> str:
        solved = sum(episode.success for episode in self.episodes)
        return (
            f"{solved}/{len(self.episodes)} = {self.success:.0%} "
            f"[{100 * self.interval.low:.0f}, {100 * self.interval.high:.0f}] solved "
            f"(at end {self.success_at_end:.0%}), return {self.average_return:.1f}"
        )


def evaluate(
    env: Environment,
    policy: Policy,
    episodes: int,
    seed: int,
    on_episode: Callable[[EpisodeResult], None] | None = None,
) -> Evaluation:
    """Plays full-length episodes and counts the solved ones.

    Args:
        env: The task.
        policy: One without exploration noise.
        episodes: How many.
        seed: Settles the start of each episode; see `episode_seed`.
        on_episode: Called after each episode.

    Raises:
        UserError: If no episode is asked for.
    """
    if episodes < 1:
        raise UserError(f"episodes is {episodes}: an evaluation needs at least one, 50 for a useful interval")
    begin = time.perf_counter()
    results = []
    for index in range(episodes):
        results.append(play_episode(env, policy, seed, index))
        if on_episode is not None:
            on_episode(results[-1])
    return Evaluation(seed, tuple(results), time.perf_counter() - begin)


def episode_seed(seed: int, index: int) -> int:
    """The seed, 32 bits, of one episode of an evaluation: the same however many are played.

    The spawn key keeps evaluations apart from recordings and trainings with the same seed, whose starts would be known.
    """
    return int(np.random.SeedSequence([seed, index], spawn_key=(1,)).generate_state(1, np.uint32)[0])


def play(env: Environment, policy: Policy, seed: int) -> Iterator[Moment]:
    """Plays one episode, however long the environment makes it; yields after each step."""
    env.seed(seed)
    timestep = env.reset()
    policy.reset()
    while not timestep.last():
        observation = timestep.observation
        action = policy.act(observation)
        timestep = env.step(action)
        yield Moment(observation, action, float(timestep.reward), env.solved)


def play_episode(env: Environment, policy: Policy, seed: int, index: int) -> EpisodeResult:
    """Plays one episode of an evaluation with a seed."""
    outcomes = [(moment.reward, moment.solved) for moment in play(env, policy, episode_seed(seed, index))]
    rewards, solved = zip(*outcomes, strict=True)
    return EpisodeResult(
        episode_ix=index,
        seed=episode_seed(seed, index),
        sum_reward=sum(rewards),
        max_reward=max(rewards),
        success=any(solved),
        success_at_end=solved[-1],
        length=len(solved),
        steps_to_success=solved.index(True) + 1 if any(solved) else None,
    )
