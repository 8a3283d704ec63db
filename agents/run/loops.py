"""The two loops of a training, as generators: whoever drives them decides who runs when."""

import itertools
from collections.abc import Iterator

import dm_env
import numpy as np

from trailkit.agents.base import Batch_contra, Learner, Metrics, ParameterSource, Policy, StopRule
from trailkit.envs.environment import Environment
from trailkit.replay.episode import Episode, EpisodeBuilder


def episode_seeds(seed: int, first: int) -> Iterator[int]:
    """Yields the seeds of a run's episodes, from the first on, so that a resumed run goes on alike.

    The spawn key keeps them apart from recordings and evaluations with the same seed.
    """
    for index in itertools.count(first):
        yield int(np.random.SeedSequence([seed, index], spawn_key=(2,)).generate_state(1)[0])


def act(
    env: Environment, policy: Policy, stop: StopRule, source: ParameterSource, seeds: Iterator[int], *, label: str
) -> Iterator[tuple[Episode, Metrics]]:
    """Plays one episode for each `next`, with the newest weights.

    Args:
        env: Where the episodes are played.
        policy: Chooses the actions.
        stop: May give an episode up: a truncation, whose discount stays what the environment said.
        source: Of weights for both.
        seeds: One for each episode's start.
        label: Of the policy, kept with the episodes.
    """
    version = -1
    for seed in seeds:
        snapshot = source.latest()
        if snapshot.version != version:
            policy.load(snapshot.parameters)
            stop.load(snapshot.parameters)
            version = snapshot.version
        env.seed(seed)
        yield _play(env, policy, stop, EpisodeBuilder({"seed": seed, "policy": label}))


def _play(env: Environment, policy: Policy, stop: StopRule, builder: EpisodeBuilder) -> tuple[Episode, Metrics]:
    timestep = env.reset()
    policy.reset()
    stop.reset()
    stopped = False
    episode = builder.add(timestep, None, success=False)
    while episode is None:
        action = policy.act(timestep.observation)
        timestep = env.step(action)
        if stop(timestep.observation) and not timestep.last():
            stopped = True
            timestep = timestep._replace(step_type=dm_env.StepType.LAST)
        episode = builder.add(timestep, action, success=env.solved)
    return episode, {
        "episode_length": float(episode.length),
        "episode_return": float(episode.reward.sum()),
        "episode_success": float(episode.success.any()),
        "early_stopped": float(stopped),
    }


def learn(learner: Learner[Batch_contra], batches: Iterator[Batch_contra]) -> Iterator[Metrics]:
    """Makes one update for each `next`."""
    for batch in batches:
        yield learner.step(batch)
