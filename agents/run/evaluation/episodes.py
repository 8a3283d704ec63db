"""Episodes of an evaluation: each depends only on its seed, whichever process plays it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from trailkit.agents.base import Action, Policy
from trailkit.envs.environment import Environment
from trailkit.replay.transition import Observation


class Moment(NamedTuple):
    """One step of an episode: observation, action, and their result."""

    observation: Observation
    action: Action
    reward: float
    solved: bool


@dataclass(frozen=True)
class EpisodeResult:
    """The result of one episode."""

    episode_ix: int
    seed: int
    sum_reward: float
    max_reward: float
    success: bool  # solved after some step
    success_at_end: bool
    length: int  # steps
    steps_to_success: int | None


def episode_seed(seed: int, index: int) -> int:
    """The 32-bit seed of one episode of an evaluation, which does not depend on how many are played.

    The spawn key separates evaluations from recordings and trainings with the same seed, whose starts would be known.
    """
    return int(np.random.SeedSequence([seed, index], spawn_key=(1,)).generate_state(1, np.uint32)[0])


def play(env: Environment, policy: Policy, seed: int) -> Iterator[Moment]:
    """Plays one episode, however long it is; yields after each step."""
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
