"""The composition root: from configuration to the objects that run. Only it and the `build_…` know all parts."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from trailkit.agents.adversarial import Adversarial
from trailkit.agents.base import Learner, StopRule
from trailkit.agents.bc import BC, BCSettings
from trailkit.agents.cuda_graph import Graphed
from trailkit.agents.d4pg import D4PG, D4PGSettings
from trailkit.agents.early_stopping import Never
from trailkit.agents.networks.heads import PolicyNetwork
from trailkit.agents.policies import ExplorationPolicy, GreedyPolicy
from trailkit.agents.prioritized import Prioritized
from trailkit.agents.run.build_networks import image_sizes, make_critic_head, make_policy_network
from trailkit.agents.run.build_reward import discriminator_sizes, make_reward_model, make_stop
from trailkit.agents.run.user_parts import check_own_loss, check_own_stack
from trailkit.configs.choices import LearnerKind
from trailkit.configs.schema import TrainConfig
from trailkit.discriminators.adversarial_reward import AdversarialReward
from trailkit.discriminators.base import RewardModel
from trailkit.envs.errors import UserError
from trailkit.envs.make import Signature, signature
from trailkit.envs.settings import EnvSettings


@dataclass(frozen=True)
class Agent:
    """Everything that learns and acts, built from one configuration."""

    learner: Learner[Any]
    explorer: ExplorationPolicy
    evaluator: GreedyPolicy
    stop: StopRule
    reward_model: AdversarialReward | None
    critic: D4PG | None


@dataclass(frozen=True)
class Player:
    """What an actor plays with, and when it ends an episode early."""

    explorer: ExplorationPolicy
    stop: StopRule


def make_device(name: str) -> torch.device:
    """Chooses where to learn: `auto` is CUDA where there is one.

    Raises:
        UserError: If there is no such GPU.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    device = torch.device(name)
    if device.type == "cuda":
        if not torch.cuda.is_available():
            raise UserError(f"device={name}, but torch sees no CUDA device: use device=cpu")
        if (device.index or 0) >= (count := torch.cuda.device_count()):
            raise UserError(f"device={name}, but torch sees {count} CUDA devices: cuda:0 is the first")
        if device.index is not None:
            torch.cuda.set_device(device)  # where streams and graphs are, which name none
    return device


def check_own_parts(config: TrainConfig, settings: EnvSettings) -> None:
    """Tests the user's own parts against their contracts: once, before a run starts.

    Raises:
        UserError: If a part violates its contract.
    """
    if config.encoder.stack is not None:
        sizes = image_sizes(settings.observation)
        shapes = [(height, width, 3 * config.agent.frame_stack) for height, width in sizes.values()]
        if config.learner is LearnerKind.adversarial:
            shapes += [(height, width, 3) for height, width in discriminator_sizes(config, settings).values()]
        check_own_stack(config.encoder.stack, shapes)
    if config.discriminator.loss is not None:
        check_own_loss(config.discriminator.loss)


def make_agent(config: TrainConfig, settings: EnvSettings) -> Agent:
    """Builds everything that learns and acts, seeded."""
    torch.manual_seed(config.seed)
    device = make_device(config.device)
    known = signature(settings)
    network = make_policy_network(config, settings, known)
    learner: Learner[Any]
    reward_model: RewardModel | None = None
    critic: D4PG | None = None
    stop: StopRule = Never()
    if config.learner is LearnerKind.bc:
        learner = _make_bc(config, network.to(device))
    else:
        reward_model = make_reward_model(config, settings, network.encoder, device)
        stop = make_stop(config, settings, network.encoder)
        critic = _make_d4pg(config, network.to(device), known)
        if config.learner is LearnerKind.ddpgfd:
            learner = Prioritized(critic, config.replay.demo_bonus)
        else:
            learner = _make_adversarial(config, reward_model, critic)
    acting = make_policy_network(config, settings, known)
    explorer = _make_explorer(config, acting)
    learned = reward_model if isinstance(reward_model, AdversarialReward) else None
    return Agent(learner, explorer, GreedyPolicy(acting), stop, learned, critic)


def _make_adversarial(config: TrainConfig, reward_model: RewardModel, critic: D4PG) -> Adversarial:
    generators = [part.generator for part in (reward_model, critic) if isinstance(part, AdversarialReward | D4PG)]
    gamma = config.agent.gamma
    # The environment's own rewards already value its terminations; learned rewards do not.
    after_end = 0.0 if config.learner is LearnerKind.d4pg else gamma / (1 - gamma)
    if make_device(config.device).type == "cuda" and config.cuda_graph:
        wrap = partial(Graphed, generators=generators)
        return Adversarial(reward_model, critic, config.demos_in_replay, after_end, wrap)
    return Adversarial(reward_model, critic, config.demos_in_replay, after_end)


def make_player(config: TrainConfig, settings: EnvSettings) -> Player:
    """Builds what a process needs that only plays, seeded.

    Without the learning parts it is built seconds faster and is 100 MB smaller: torch imports its compiler with the
    first optimiser.
    """
    torch.manual_seed(config.seed)
    acting = make_policy_network(config, settings, signature(settings))
    stop = Never() if config.learner is LearnerKind.bc else make_stop(config, settings, acting.encoder)
    return Player(_make_explorer(config, acting), stop)


def _make_explorer(config: TrainConfig, network: PolicyNetwork) -> ExplorationPolicy:
    actor = config.actor
    return ExplorationPolicy(network, actor.exploration, actor.noise_correlation, config.seed)


def make_policy(config: TrainConfig, settings: EnvSettings, known: Signature | None = None) -> GreedyPolicy:
    """The policy for evaluations, as initialised by a training; without anything that learns, as in `make_player`.

    Args:
        config: The configuration of the run.
        settings: The settings of its environment.
        known: The environment's signature; by default an external environment is made to find out.
    """
    torch.manual_seed(config.seed)
    return GreedyPolicy(make_policy_network(config, settings, known or signature(settings)))


def _make_bc(config: TrainConfig, network: PolicyNetwork) -> BC:
    agent = config.agent
    return BC(
        network,
        BCSettings(
            learning_rate=agent.learning_rate,
            average_tau=agent.average_tau,
            max_grad_norm=agent.max_grad_norm,
            random_shift=agent.random_shift,
            random_colours=agent.random_colours,
        ),
        config.seed,
    )


def _make_d4pg(config: TrainConfig, network: PolicyNetwork, known: Signature) -> D4PG:
    agent = config.agent
    critic = make_critic_head(config, known)
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
            random_colours=agent.random_colours,
            bc_weight=agent.bc_weight,
            one_step_weight=agent.one_step_weight,
            weight_decay=agent.weight_decay,
        ),
        config.seed,
    )
