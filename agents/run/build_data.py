"""From configuration to training data: the agent's replay, the demonstrations, and batches of both."""

import importlib.util
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from trailkit.agents.base import as_tensors
from trailkit.agents.prioritized import Prioritized
from trailkit.agents.run.build import Agent, make_device
from trailkit.agents.run.build_env import env_settings
from trailkit.agents.run.demo_snapshot import RANDOM_DEMOS, as_begun
from trailkit.agents.run.prefetch import ahead_on_gpu, on_device
from trailkit.configs.choices import Constraint, EnvKind, LaunchKind, LearnerKind, ReplayBackend
from trailkit.configs.schema import TrainConfig
from trailkit.demos.store import DemoStore
from trailkit.demos.stream import count_learned_from, first_states, load_replay
from trailkit.envs.errors import UserError
from trailkit.replay.base import Replay, Sampler, Table
from trailkit.replay.episode import Episode
from trailkit.replay.frames import stack_episode
from trailkit.replay.joint import JointReplay
from trailkit.replay.memory import MemoryReplay
from trailkit.replay.mix import constrained_pairs, pairs
from trailkit.replay.reverb import ReverbReplay
from trailkit.replay.transition import PrioritizedBatch

_MEASURED_STEPS = 256  # of the held-out demonstrations, and of those learned from
_HOLDOUT_EPISODES = 25  # maximum by default; TRAIL's number (Fig. 10)
_HOLDOUT_SHARE = 20  # by default, one of this many demonstrations is held out


@dataclass(frozen=True)
class Steps:
    """Some steps of demonstrations, on the learner's device."""

    observation: Mapping[str, torch.Tensor]  # [N, ...] each
    action: torch.Tensor  # [N, A]


@dataclass(frozen=True)
class Demos:
    """The demonstrations, ready to sample."""

    replay: MemoryReplay
    known: Steps | None  # of those that are learned from, for comparison with those held out
    holdout: Steps | None
    random: MemoryReplay | None  # a random policy in the expert's environment


def replay_backend(config: TrainConfig) -> ReplayBackend:
    """The configured backend, or with `auto` the best one available."""
    if config.replay.backend is not ReplayBackend.auto:
        return config.replay.backend
    return ReplayBackend.reverb if importlib.util.find_spec("reverb") else ReplayBackend.memory


def make_replay(config: TrainConfig) -> Replay:
    """The agent's replay, on the configured backend."""
    arguments = config.replay.capacity, config.agent.n_step, config.env.early_steps
    exponent = _priority_exponent(config)
    options: dict[str, Any] = {"frame_stack": config.agent.frame_stack}
    if exponent is not None:
        options |= {"prioritized": True, "priority_exponent": exponent}
    if replay_backend(config) is ReplayBackend.memory:
        return MemoryReplay(*arguments, seed=_sampling_seed(config, 0), **options)
    return ReverbReplay(*arguments, **options)


def make_random_replay(config: TrainConfig) -> MemoryReplay | None:
    """Stores the agent's initial random episodes, if they are a constraining set."""
    if config.discriminator.constraint is not Constraint.random:
        return None
    capacity = config.actor.random_steps + config.env.episode_steps
    seed, frame_stack = _sampling_seed(config, 1), config.agent.frame_stack
    return MemoryReplay(capacity, config.agent.n_step, config.env.early_steps, seed, frame_stack=frame_stack)


def check_demos(config: TrainConfig) -> DemoStore:
    """Opens the demonstrations of a run.

    Raises:
        UserError: If they belong to another environment, are too few, or missing.
    """
    if config.demos is None:
        raise UserError(f"method={config.method} learns from demonstrations: give demos=DIR, see trailkit record")
    store = DemoStore.open(config.demos)
    store.check(env_settings(config.env))
    count_learned_from(store, holdout_episodes(config, len(store)), config.demo_limit)
    return store


def check_random_demos(config: TrainConfig) -> DemoStore | None:
    """Opens the random policy's episodes that a run is given, if any.

    Raises:
        UserError: If they belong to another environment, or are missing.
    """
    if config.discriminator.constraint is not Constraint.random:
        return None
    assert config.random_demos is not None
    store = DemoStore.open(config.random_demos)
    store.check(env_settings(config.env))
    return store


def load_demos(config: TrainConfig, run: Path | None = None) -> Demos:
    """Reads the demonstrations; for a resumed run, those that it started with.

    Raises:
        UserError: If they belong to another environment, are damaged or missing.
    """
    store, random_store = check_demos(config), check_random_demos(config)
    if run is not None:
        store = as_begun(store, run)
        random_store = None if random_store is None else as_begun(random_store, run, RANDOM_DEMOS)
    n_step, early, frame_stack = config.agent.n_step, config.env.early_steps, config.agent.frame_stack
    seed = _sampling_seed(config, 2)
    kept_back, exponent = holdout_episodes(config, len(store)), _priority_exponent(config)
    replay, held_out = load_replay(store, n_step, early, seed, kept_back, config.demo_limit, exponent, frame_stack)
    random = None
    if random_store is not None:
        random, _ = load_replay(random_store, n_step, early, _sampling_seed(config, 3), frame_stack=frame_stack)
    if not held_out:
        return Demos(replay, None, None, random)
    device = make_device(config.device)
    known = as_tensors(next(replay.batches(Table.MAIN, _MEASURED_STEPS)), device)
    return Demos(replay, Steps(known.observation, known.action), _spread(held_out, frame_stack, device), random)


def load_layouts(config: TrainConfig, run: Path) -> list[NDArray[np.float64]]:
    """How things are laid out at the start of a run's episodes: as in each demonstration if env.seeded, else empty.

    Raises:
        UserError: If the demonstrations belong to another environment, are damaged, missing, or have no states.
    """
    if not config.env.seeded or config.learner is LearnerKind.bc:
        return []
    if config.env.kind is not EnvKind.trailkit:
        raise UserError("env.seeded=true lays things out as demonstrations did, which only trailkit's own tasks can")
    store = as_begun(check_demos(config), run)
    return first_states(store, count_learned_from(store, holdout_episodes(config, len(store)), config.demo_limit))


def holdout_episodes(config: TrainConfig, recorded: int) -> int:
    """How many of the recorded demonstrations are held out: by default those not learned from, or one of twenty."""
    if config.holdout is not None:
        return config.holdout
    if config.demo_limit is not None:
        return min(max(0, recorded - config.demo_limit), _HOLDOUT_EPISODES)
    return min(recorded // _HOLDOUT_SHARE, _HOLDOUT_EPISODES)


def make_batches(
    config: TrainConfig, agent: Agent, demos: Demos, replay: Sampler | None, random: Sampler | None
) -> Iterator[Any]:
    """The batches for the method's learner, as tensors on its device.

    They are `Transition` for BC, `PrioritizedBatch` for DDPGfD, otherwise `ImitationBatch`.

    Args:
        config: Names the method.
        agent: Its learner sets the priorities by which the next batches are sampled, if prioritised.
        demos: The expert's transitions.
        replay: The agent's transitions; BC needs none.
        random: The transitions of the agent's random policy, for constraint=random.
    """
    device, size = make_device(config.device), config.agent.batch_size
    # Replays that actors write to from other processes can be read from other threads.
    shared = config.launch.kind is LaunchKind.ray
    moved = ahead_on_gpu if device.type == "cuda" and shared else on_device
    expert = demos.replay.batches(Table.MAIN, size if config.learner is not LearnerKind.bc else 2 * size)
    if config.learner is LearnerKind.bc:
        return moved(expert, device)
    assert replay is not None
    if isinstance(agent.learner, Prioritized):
        assert isinstance(replay, Replay)
        return _prioritized(
            config,
            agent.learner,
            JointReplay(replay, demos.replay, config.replay.importance_exponent, _sampling_seed(config, 4)),
        )
    batches = pairs(replay.batches(Table.MAIN, size), expert)
    match config.discriminator.constraint:
        case Constraint.early:
            early = pairs(replay.batches(Table.EARLY, size), demos.replay.batches(Table.EARLY, size))
            batches = constrained_pairs(batches, (batch.train for batch in early))
        case Constraint.random:
            assert random is not None and demos.random is not None
            sets = pairs(random.batches(Table.MAIN, size), demos.random.batches(Table.MAIN, size))
            batches = constrained_pairs(batches, (batch.train for batch in sets))
    return moved(batches, device)


def _prioritized(config: TrainConfig, learner: Prioritized, joint: JointReplay) -> Iterator[PrioritizedBatch]:
    device = make_device(config.device)
    for batch in joint.batches(2 * config.agent.batch_size):
        yield as_tensors(batch, device)
        # When the caller requests the next batch, it has learned from this one.
        joint.update_priorities(batch, learner.priorities.cpu().double().numpy())


def _priority_exponent(config: TrainConfig) -> float | None:
    """The priority exponent of the replays, or None if they are uniform."""
    return config.replay.priority_exponent if config.learner is LearnerKind.ddpgfd else None


def _sampling_seed(config: TrainConfig, which: int) -> int:
    """A separate seed for each of a run's replays: with a shared one, their draws would be identical."""
    return int(np.random.SeedSequence(config.seed, spawn_key=(which,)).generate_state(1)[0])


def _spread(episodes: Sequence[Episode], frame_stack: int, device: torch.device) -> Steps:
    """Evenly spaced steps over all episodes."""
    every = max(1, sum(episode.length for episode in episodes) // _MEASURED_STEPS)

    def joined(parts: Iterator[NDArray[Any]]) -> torch.Tensor:
        return torch.from_numpy(np.concatenate(list(parts))[::every].copy()).to(device)

    stacked = [stack_episode(episode.observation, frame_stack) for episode in episodes]
    observation = {name: joined(each[name][:-1] for each in stacked) for name in stacked[0]}
    return Steps(observation, joined(episode.action for episode in episodes))
