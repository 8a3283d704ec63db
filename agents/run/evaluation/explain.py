"""A run's networks on an episode: rewards, values, when it would be stopped early, and what they look at."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trailkit.agents.base import as_tensors
from trailkit.agents.run import build, build_data
from trailkit.agents.run.build_env import env_settings
from trailkit.agents.run.evaluation.episodes import Moment
from trailkit.configs.schema import TrainConfig
from trailkit.discriminators.attribution import attribute
from trailkit.replay.base import Table
from trailkit.replay.frames import stack_episode
from trailkit.replay.transition import Observation

MAP_EVERY = 4  # steps between two maps: each takes a thousand evaluations of a network
_REFERENCES = 64  # frames of the demonstrations
Array = NDArray[np.float32]


@dataclass(frozen=True)
class Judge:
    """One network's judgement of an episode of T steps."""

    name: str
    scores: Array  # [T]: the reward that it would give, or the return that it expects
    maps: Array  # [T / MAP_EVERY, cells, cells a camera]: how much each part of the images contributes


@dataclass(frozen=True)
class Explanation:
    """All judgements of an episode of T steps."""

    actions: Array  # [T, A]
    discriminator: Judge | None
    critic: Judge | None
    atoms: Array  # [atoms]: the returns of the critic's support
    distributions: Array  # [T, atoms]: their probabilities
    stopped: int | None  # the step after which an actor would have stopped it early


def references(config: TrainConfig, run: Path) -> Observation:
    """Frames of the demonstrations that a run started with, as tensors: the references of the maps.

    Raises:
        UserError: If they no longer exist.
    """
    replay = build_data.load_demos(config, run).replay
    observation = next(replay.batches(Table.MAIN, _REFERENCES)).observation
    return as_tensors({camera: observation[camera] for camera in env_settings(config.env).observation.cameras})


def explain(agent: build.Agent, moments: Sequence[Moment], compared: Observation) -> Explanation:
    """Applies the networks of an agent to an episode.

    Args:
        agent: The agent of a run.
        moments: The episode.
        compared: Frames of the demonstrations.
    """
    seen = [moment.observation for moment in moments]
    episode = {name: np.stack([each[name] for each in seen]) for name in seen[0]}
    observation = as_tensors(stack_episode(episode, agent.evaluator.frame_stack))
    action = torch.from_numpy(np.stack([moment.action for moment in moments]))
    discriminator, critic = None, None
    atoms, distributions = torch.zeros(0), torch.zeros(len(moments), 0)
    if (model := agent.reward_model) is not None:
        frames = {camera: observation[camera] for camera in model.discriminator.cameras}
        maps = _maps(model.discriminator, frames, compared)
        discriminator = Judge("discriminator", model.rewards(frames).numpy(), maps)
    if (rl := agent.critic) is not None:
        atoms, distributions = rl.atoms, rl.distribution(observation, action)

        def value(shown: Observation) -> Tensor:
            others = {name: each[::MAP_EVERY] for name, each in observation.items() if name not in shown}
            return rl.distribution({**others, **shown}, action[::MAP_EVERY]) @ rl.atoms

        pictures = {camera: observation[camera] for camera in compared}
        critic = Judge("critic", (distributions @ atoms).numpy(), _maps(value, pictures, compared))
    return Explanation(
        action.numpy(), discriminator, critic, atoms.numpy(), distributions.numpy(), stopped(agent, moments)
    )


def _maps(function: Callable[[Observation], Tensor], frames: Observation, compared: Observation) -> Array:
    """Attributions for some of the frames, all cameras side by side."""
    some = {camera: images[::MAP_EVERY] for camera, images in frames.items()}
    found = attribute(function, some, {camera: compared[camera] for camera in frames})
    return torch.cat(list(found.values()), 2).numpy()


def stopped(agent: build.Agent, moments: Sequence[Moment]) -> int | None:
    """The step after which an actor would have stopped the episode early."""
    agent.stop.reset()
    led_to = enumerate((after.observation, moment.reward) for moment, after in pairwise(moments))
    return next((step for step, outcome in led_to if agent.stop(*outcome)), None)
