"""The composition root: from configuration to the objects that run. It and the two `build_…` know all the parts."""

import importlib.util
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from trailkit.agents.acting import ExplorationPolicy, GreedyPolicy
from trailkit.agents.adversarial import Adversarial
from trailkit.agents.base import Learner, StopRule, as_tensors
from trailkit.agents.bc import BC, BCSettings
from trailkit.agents.d4pg import D4PG, D4PGSettings
from trailkit.agents.graph import Graphed
from trailkit.agents.networks.heads import PolicyNetwork
from trailkit.agents.prioritized import Prioritized
from trailkit.agents.run.ahead import ahead_on_gpu, on_device
from trailkit.agents.run.begun_with import as_begun
from trailkit.agents.run.build_networks import make_critic_head, make_policy_network
from trailkit.agents.run.build_reward import make_reward_model, make_stop
from trailkit.agents.stop import Never
from trailkit.configs.choices import Constraint, EnvKind, LaunchKind, LearnerKind, ReplayBackend
from trailkit.configs.schema import EnvConfig, TrainConfig
from trailkit.demos.store import DemoStore
from trailkit.demos.stream import first_states, load_replay
from trailkit.discriminators.adversarial_reward import AdversarialReward
from trailkit.discriminators.base import RewardModel
from trailkit.envs.errors import UserError
from trailkit.envs.make import signature
from trailkit.envs.settings import ActionSpace, EnvSettings, External, ObservationSettings, Origin
from trailkit.replay.base import Replay, Sampler, Table
from trailkit.replay.episode import Episode
from trailkit.replay.frames import stack_episode
from trailkit.replay.joint import JointReplay
from trailkit.replay.memory import MemoryReplay
from trailkit.replay.mix import constrained_pairs, pairs
from trailkit.replay.reverb import ReverbReplay
from trailkit.replay.transition import PrioritizedBatch

_MEASURED_STEPS = 256  # of the demonstrations kept back, and of those learned from
_HOLDOUT_EPISODES = 25  # at most, where nobody says how many; TRAIL's number (Fig. 10)
_HOLDOUT_SHARE = 20  # of so many demonstrations, one is kept back


@dataclass(frozen=True)
class Steps:
    """Some steps of demonstrations, on the learner's device."""

    observation: Mapping[str, torch.Tensor]  # [N, ...] each
    action: torch.Tensor  # [N, A]


@dataclass(frozen=True)
class Demos:
    """The demonstrations, ready to sample."""

    replay: MemoryReplay
    known: Steps | None  # of those that are learned from, to compare those with that are kept back
    holdout: Steps | None
    random: MemoryReplay | None  # a random policy in the expert's environment


@dataclass(frozen=True)
class Agent:
    """What learns and what acts, made of one configuration."""

    learner: Learner[Any]
    explorer: ExplorationPolicy
    evaluator: GreedyPolicy
    stop: StopRule
    reward_model: AdversarialReward | None
    critic: D4PG | None


def env_settings(config: EnvConfig) -> EnvSettings:
    """The environment as a value."""
    external = _external(config)
    proprioception = config.proprioception and (external is None or bool(external.proprio))
    observation = ObservationSettings(tuple(config.cameras), config.height, config.width, proprioception)
    action_space = ActionSpace(config.action_space.value)
    task = f"{config.domain}/{config.task}" if config.domain else config.task
    appearance, distract = tuple(config.appearance), tuple(config.distract)
    return EnvSettings(task, action_space, observation, config.episode_steps, appearance, external, distract)


def _external(config: EnvConfig) -> External | None:
    if config.kind is EnvKind.trailkit:
        _refuse_what_others_have(config)
        return None
    for kind, name in ((EnvKind.gymnasium, "id"), (EnvKind.dm_control, "domain")):
        if config.kind is kind and not getattr(config, name):
            raise UserError(f"env={kind.name} needs env.{name}=…, and there is none")
    return External(
        Origin(config.kind.value),
        config.kwargs,
        config.proprio,
        config.success,
        config.sparse_reward,
        config.action_repeat,
    )


def _refuse_what_others_have(config: EnvConfig) -> None:
    """Makes sure that one of trailkit's own tasks has no settings that only environments of elsewhere have."""
    default = EnvConfig()
    for name in ("kwargs", "proprio", "success", "sparse_reward", "action_repeat"):
        if getattr(config, name) != getattr(default, name):
            raise UserError(
                f"env.{name} is for environments of elsewhere: {config.task} is one of trailkit's own tasks"
            )


def make_device(name: str) -> torch.device:
    """Chooses where to learn: `auto` is CUDA where there is one."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise UserError("device=cuda, but torch sees no CUDA device: use device=cpu")
    return torch.device(name)


def make_agent(config: TrainConfig, settings: EnvSettings) -> Agent:
    """Everything that learns and acts, seeded."""
    torch.manual_seed(config.seed)
    device = make_device(config.device)
    action_size = signature(settings).action_size
    network = make_policy_network(config, settings, action_size)
    learner: Learner[Any]
    reward_model: RewardModel | None = None
    critic: D4PG | None = None
    stop: StopRule = Never()
    if config.learner is LearnerKind.bc:
        learner = _make_bc(config, network.to(device))
    else:
        reward_model = make_reward_model(config, settings, network.encoder, device)
        stop = make_stop(config, settings, network.encoder)
        critic = _make_d4pg(config, network.to(device), settings, action_size)
        if config.learner is LearnerKind.ddpgfd:
            learner = Prioritized(critic, config.replay.demo_bonus)
        else:
            learner = _make_adversarial(config, reward_model, critic)
    acting = make_policy_network(config, settings, action_size)
    actor = config.actor
    explorer = ExplorationPolicy(acting, actor.exploration, actor.noise_correlation, config.seed)
    learned = reward_model if isinstance(reward_model, AdversarialReward) else None
    return Agent(learner, explorer, GreedyPolicy(acting), stop, learned, critic)


def _make_adversarial(config: TrainConfig, reward_model: RewardModel, critic: D4PG) -> Adversarial:
    generators = [part.generator for part in (reward_model, critic) if isinstance(part, AdversarialReward | D4PG)]
    gamma = config.agent.gamma
    # The environment's own rewards say what its ends are worth; those that are made up here know of none.
    after_end = 0.0 if config.learner is LearnerKind.d4pg else gamma / (1 - gamma)
    if make_device(config.device).type == "cuda" and config.cuda_graph:
        wrap = partial(Graphed, generators=generators)
        return Adversarial(reward_model, critic, config.demos_in_replay, after_end, wrap)
    return Adversarial(reward_model, critic, config.demos_in_replay, after_end)


def make_policy(config: TrainConfig, settings: EnvSettings) -> GreedyPolicy:
    """The policy that evaluations ask, as a training begins with it.

    Without all that learns it is made a second sooner: torch imports its compiler with the first optimiser.
    """
    torch.manual_seed(config.seed)
    return GreedyPolicy(make_policy_network(config, settings, signature(settings).action_size))


def replay_backend(config: TrainConfig) -> ReplayBackend:
    """The backend that is asked for, or to be had."""
    if config.replay.backend is not ReplayBackend.auto:
        return config.replay.backend
    return ReplayBackend.reverb if importlib.util.find_spec("reverb") else ReplayBackend.memory


def make_replay(config: TrainConfig) -> Replay:
    """The agent's replay, on the backend that is asked for or to be had."""
    arguments = config.replay.capacity, config.agent.n_step, config.env.early_steps
    exponent = _priority_exponent(config)
    options: dict[str, Any] = {"frame_stack": config.agent.frame_stack}
    if exponent is not None:
        options |= {"prioritized": True, "priority_exponent": exponent}
    if replay_backend(config) is ReplayBackend.memory:
        return MemoryReplay(*arguments, seed=_sampling_seed(config, 0), **options)
    return ReverbReplay(*arguments, **options)


def make_random_replay(config: TrainConfig) -> MemoryReplay | None:
    """Where the agent's random policy goes that begins a run, if it is a constraining set."""
    if config.discriminator.constraint is not Constraint.random:
        return None
    capacity = config.actor.random_steps + config.env.episode_steps
    seed, frame_stack = _sampling_seed(config, 1), config.agent.frame_stack
    return MemoryReplay(capacity, config.agent.n_step, config.env.early_steps, seed, frame_stack=frame_stack)


def check_demos(config: TrainConfig) -> DemoStore:
    """Opens the demonstrations of a run.

    Raises:
        UserError: If they are of another environment, or missing.
    """
    if config.demos is None:
        raise UserError(f"method={config.method} learns from demonstrations: give demos=DIR, see trailkit record")
    store = DemoStore.open(config.demos)
    store.check(env_settings(config.env))
    return store


def load_demos(config: TrainConfig, settings: EnvSettings, run: Path | None = None) -> Demos:
    """Reads the demonstrations, of a run that goes on those that it began with.

    Raises:
        UserError: If they are of another environment, damaged or missing.
    """
    store = check_demos(config) if run is None else as_begun(check_demos(config), run)
    n_step, early, frame_stack = config.agent.n_step, config.env.early_steps, config.agent.frame_stack
    seed = _sampling_seed(config, 2)
    kept_back, exponent = holdout_episodes(config, len(store)), _priority_exponent(config)
    replay, held_out = load_replay(store, n_step, early, seed, kept_back, config.demo_limit, exponent, frame_stack)
    random = None
    if config.discriminator.constraint is Constraint.random:
        assert config.random_demos is not None
        random_store = DemoStore.open(config.random_demos)
        random_store.check(settings)
        random, _ = load_replay(random_store, n_step, early, _sampling_seed(config, 3), frame_stack=frame_stack)
    if not held_out:
        return Demos(replay, None, None, random)
    device = make_device(config.device)
    known = as_tensors(next(replay.batches(Table.MAIN, _MEASURED_STEPS)), device)
    return Demos(replay, Steps(known.observation, known.action), _spread(held_out, frame_stack, device), random)


def load_layouts(config: TrainConfig, run: Path) -> list[NDArray[np.float64]]:
    """How the things lie where a run's episodes begin: as at the start of each demonstration, or none as a rule.

    Raises:
        UserError: If the demonstrations are of another environment, damaged, missing, or hold no states.
    """
    if not config.env.seeded or config.learner is LearnerKind.bc:
        return []
    if config.env.kind is not EnvKind.trailkit:
        raise UserError("env.seeded=true lays things out as demonstrations did, which only trailkit's own tasks can")
    store = as_begun(check_demos(config), run)
    learned_from = config.demo_limit or len(store) - holdout_episodes(config, len(store))
    return first_states(store, learned_from)


def holdout_episodes(config: TrainConfig, recorded: int) -> int:
    """How many of the recorded demonstrations are kept back: those that nobody learns from, or one of twenty."""
    if config.holdout is not None:
        return config.holdout
    if config.demo_limit is not None:
        return min(max(0, recorded - config.demo_limit), _HOLDOUT_EPISODES)
    return min(recorded // _HOLDOUT_SHARE, _HOLDOUT_EPISODES)


def make_batches(
    config: TrainConfig, agent: Agent, demos: Demos, replay: Sampler | None, random: Sampler | None
) -> Iterator[Any]:
    """What the method's learner consumes, as tensors on its device.

    It is `Transition` for BC, `PrioritizedBatch` for DDPGfD, else `ImitationBatch`.

    Args:
        config: Names the method.
        agent: Its learner sets the priorities by which the next batches are sampled, if any.
        demos: The expert's transitions.
        replay: The agent's; BC needs none.
        random: Those that the agent's random policy made, for constraint=random.
    """
    device, size = make_device(config.device), config.agent.batch_size
    # Replays that actors write to from other processes may be read from other threads.
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
        # Whoever asks for the next batch has learned from this one.
        joint.update_priorities(batch, learner.priorities.cpu().double().numpy())


def _priority_exponent(config: TrainConfig) -> float | None:
    """That of the replays, or None where they are uniform."""
    return config.replay.priority_exponent if config.learner is LearnerKind.ddpgfd else None


def _sampling_seed(config: TrainConfig, which: int) -> int:
    """A seed for each of a run's replays: with one for all they would draw in step, expert rows beside agent rows."""
    return int(np.random.SeedSequence(config.seed, spawn_key=(which,)).generate_state(1)[0])


def _spread(episodes: Sequence[Episode], frame_stack: int, device: torch.device) -> Steps:
    """Steps at equal distances over all episodes."""
    every = max(1, sum(episode.length for episode in episodes) // _MEASURED_STEPS)

    def joined(parts: Iterator[NDArray[Any]]) -> torch.Tensor:
        return torch.from_numpy(np.concatenate(list(parts))[::every].copy()).to(device)

    stacked = [stack_episode(episode.observation, frame_stack) for episode in episodes]
    observation = {name: joined(each[name][:-1] for each in stacked) for name in stacked[0]}
    return Steps(observation, joined(episode.action for episode in episodes))


def _make_bc(config: TrainConfig, network: PolicyNetwork) -> BC:
    agent = config.agent
    return BC(
        network,
        BCSettings(
            learning_rate=agent.learning_rate,
            average_tau=agent.average_tau,
            max_grad_norm=agent.max_grad_norm,
            random_shift=agent.random_shift,
        ),
        config.seed,
    )


def _make_d4pg(config: TrainConfig, network: PolicyNetwork, settings: EnvSettings, action_size: int) -> D4PG:
    agent = config.agent
    critic = make_critic_head(config.encoder, settings, action_size, agent.atoms)
    return D4PG(
        network,
        critic.to(next(network.parameters()).device),
        D4PGSettings(
            gamma=agent.gamma,
            v_min=agent.v_min,
            v_max=agent.v_max,
            learning_rate_policy=agent.learning_rate,
            learning_rate_critic=agent.learning_rate,
            target_period=agent.target_period,
            target_tau=agent.target_tau,
            average_tau=agent.average_tau,
            max_dqda_norm=agent.max_dqda_norm,
            max_grad_norm=agent.max_grad_norm,
            random_shift=agent.random_shift,
            bc_weight=agent.bc_weight,
            one_step_weight=agent.one_step_weight,
            weight_decay=agent.weight_decay,
        ),
        config.seed,
    )
