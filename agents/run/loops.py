"""The two loops of a training, as generators: the caller decides which one runs when."""

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import dm_env
import numpy as np
from numpy.typing import NDArray

from trailkit.agents.base import Batch_contra, Learner, Metrics, ParameterSource, Policy, StopRule
from trailkit.envs.environment import Environment
from trailkit.replay.episode import Episode, EpisodeBuilder
from trailkit.replay.service import ACTOR, INDEX

RANDOM = "random"  # the label of episodes of the random policy that starts every run


class Start(NamedTuple):
    """The number of an actor's episode, and the seed that determines its start."""

    number: int
    seed: int
    layout: NDArray[np.float64] | None = None  # a simulator's state [S] whose layout the things get; else by the seed


def episode_starts(
    seed: int, first: int, actor: int = 0, layouts: Sequence[NDArray[np.float64]] = ()
) -> Iterator[Start]:
    """Yields the starts of an actor's episodes, from `first` on, so that a resumed run continues equally.

    If there are layouts, each episode gets one of them, chosen by its seed.

    The spawn key separates them from other actors' starts, and from recordings and evaluations with the same seed.
    """
    key = (2, actor) if actor else (2,)
    for index in itertools.count(first):
        drawn = int(np.random.SeedSequence([seed, index], spawn_key=key).generate_state(1)[0])
        yield Start(index, drawn, layouts[drawn % len(layouts)] if layouts else None)


def act(
    env: Environment,
    policy: Policy,
    stop: StopRule,
    source: ParameterSource,
    starts: Iterator[Start],
    *,
    label: str,
    actor: int = 0,
) -> Iterator[tuple[Episode, Metrics]]:
    """Plays one episode per `next`, with the newest weights.

    Args:
        env: The environment to play in.
        policy: Chooses the actions.
        stop: May end an episode early: a truncation, whose discount remains the environment's.
        source: Provides the weights for both.
        starts: The starts of the episodes.
        label: The name of the policy, stored with the episodes.
        actor: The number of the actor, also stored.
    """
    version = -1
    for index, seed, layout in starts:
        snapshot = source.latest()
        if snapshot.version != version:
            policy.load(snapshot.parameters)
            stop.load(snapshot.parameters)
            version = snapshot.version
        env.seed(seed)
        metadata = {"seed": seed, "policy": label, ACTOR: actor, INDEX: index}
        yield _play(env, policy, stop, EpisodeBuilder(metadata), layout)


def _play(
    env: Environment,
    policy: Policy,
    stop: StopRule,
    builder: EpisodeBuilder,
    layout: NDArray[np.float64] | None,
) -> tuple[Episode, Metrics]:
    timestep = env.reset()
    if layout is not None:
        env.lay_out_as(layout)
        timestep = timestep._replace(observation=env.observe())
    policy.reset()
    stop.reset()
    stopped = False
    episode = builder.add(timestep, None, success=False)
    while episode is None:
        action = policy.act(timestep.observation)
        timestep = env.step(action)
        if stop(timestep.observation, float(timestep.reward)) and not timestep.last():
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
    """Makes one update per `next`."""
    for batch in batches:
        yield learner.step(batch)
