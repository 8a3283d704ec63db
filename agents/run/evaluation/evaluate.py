"""Evaluation: how often a policy solves the task, over full-length episodes with fixed seeds, with confidence."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from trailkit.agents.base import Policy
from trailkit.agents.run.evaluation.episodes import EpisodeResult, play_episode
from trailkit.agents.run.statistics import CONFIDENCE, Interval, wilson
from trailkit.demos.manifest import current_versions
from trailkit.envs.environment import Environment
from trailkit.envs.errors import UserError
from trailkit.replay.atomic import written_aside


@dataclass(frozen=True)
class Evaluation:
    """Episodes of one policy. Two of the same policy and seed are equal, whatever time they took."""

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
        """The complete results as JSON, a superset of the keys of LeRobot's `eval_info.json`."""
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
            "versions": current_versions(),
        }

    def write(self, path: Path, video_paths: Sequence[Path] = ()) -> None:
        """Writes `info` to a JSON file, completely or not at all.

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
        env: The environment.
        policy: A policy without exploration noise.
        episodes: The number of episodes.
        seed: Determines the start of each episode; see `episode_seed`.
        on_episode: Called after each episode.

    Raises:
        UserError: If no episode is requested.
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
