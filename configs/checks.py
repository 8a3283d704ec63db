"""Checks of a training's settings, individually and in combination."""

import math
import re
from dataclasses import asdict
from typing import TYPE_CHECKING

from trailkit.configs.bounds import above, at_least
from trailkit.configs.choices import Constraint, EarlyStop, EnvKind, Features, LaunchKind, LearnerKind
from trailkit.envs.errors import UserError

if TYPE_CHECKING:
    from trailkit.configs.schema import EnvConfig, TrainConfig

_WITHOUT_DISCRIMINATOR = LearnerKind.d4pg, LearnerKind.oracle, LearnerKind.ddpgfd


def check_numbers(config: "TrainConfig") -> None:
    """Rejects settings of a training that are out of range.

    Raises:
        UserError: In one line, with the key.
    """
    at_least(0, seed=config.seed, steps=config.steps, holdout=config.holdout, minutes=config.minutes)
    at_least(1, threads=config.threads, demo_limit=config.demo_limit, env__early_steps=config.env.early_steps)
    at_least(1, checkpoint_every=config.checkpoint_every, keep_checkpoints=config.keep_checkpoints)
    at_least(1, evaluation__every=config.evaluation.every, evaluation__episodes=config.evaluation.episodes)
    at_least(1, agent__batch_size=config.agent.batch_size, agent__n_step=config.agent.n_step)
    at_least(1, agent__frame_stack=config.agent.frame_stack, encoder__embedding=config.encoder.embedding)
    _check_agent(config)
    _check_launch(config)
    at_least(0.01, replay__samples_per_insert=config.replay.samples_per_insert)
    at_least(0, evaluation__seed=config.evaluation.seed, actor__random_steps=config.actor.random_steps)
    _check_actor(config)
    _check_discriminator(config)
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", config.device):
        raise UserError(f"device={config.device}: choose auto, cpu or cuda, or one of several GPUs, such as cuda:1")


def check_together(config: "TrainConfig") -> None:
    """Rejects settings of a training that contradict each other, or that would have no effect.

    A resumed run is only checked if launch, replay or device change: an earlier version may have accepted its settings.

    Raises:
        UserError: In one line, with the keys.
    """
    _check_early_stop(config)
    _check_inline(config)
    _check_method(config)
    _check_replay(config)
    _check_losses(config)
    _check_features(config)
    _check_random_set(config)


def check_own_task(env: "EnvConfig") -> None:
    """Checks that one of trailkit's own tasks has no settings that only apply to external environments.

    Raises:
        UserError: If it has, with the key.
    """
    if env.kind is not EnvKind.trailkit:
        return
    for name, default in (
        ("kwargs", {}),
        ("proprio", {}),
        ("success", "info"),
        ("sparse_reward", False),
        ("action_repeat", 1),
    ):
        if getattr(env, name) != default:
            raise UserError(f"env.{name} is for environments of elsewhere: {env.task} is one of trailkit's own tasks")


def _check_launch(config: "TrainConfig") -> None:
    launch = config.launch
    at_least(1, launch__actors=launch.actors, launch__publish_every=launch.publish_every)
    at_least(0, launch__evaluators=launch.evaluators, launch__learner_gpus=launch.learner_gpus)
    at_least(1, launch__replay_port=launch.replay_port, launch__step_timeout=launch.step_timeout)
    at_least(1, launch__answer_timeout=launch.answer_timeout, launch__start_timeout=launch.start_timeout)
    at_least(0, launch__actor_cpus=launch.actor_cpus, launch__learner_cpus=launch.learner_cpus)
    if (launch.replay_port or 0) > 65535:
        raise UserError(f"launch.replay_port={launch.replay_port}: there is no such port")
    if launch.evaluators > 1:
        raise UserError(f"launch.evaluators={launch.evaluators}: one evaluates all that is due; choose 0 or 1")


def _check_agent(config: "TrainConfig") -> None:
    agent = config.agent
    at_least(2, agent__atoms=agent.atoms)
    at_least(1, agent__target_period=agent.target_period)
    at_least(0, agent__random_shift=agent.random_shift)
    at_least(0, agent__bc_weight=agent.bc_weight)
    at_least(0, agent__one_step_weight=agent.one_step_weight, agent__weight_decay=agent.weight_decay)
    above(0, agent__learning_rate=agent.learning_rate, agent__max_grad_norm=agent.max_grad_norm)
    above(0, agent__max_dqda_norm=agent.max_dqda_norm)
    if not agent.v_min < agent.v_max:
        raise UserError(f"agent.v_min={agent.v_min} and agent.v_max={agent.v_max}: the first must be the smaller one")
    if not 0 <= agent.gamma < 1:
        raise UserError(f"agent.gamma={agent.gamma}: it must be in [0, 1)")
    for name in ("target_tau", "average_tau"):
        if not 0 < getattr(agent, name) <= 1:
            raise UserError(f"agent.{name}={getattr(agent, name)}: it must be in (0, 1]")


def _check_actor(config: "TrainConfig") -> None:
    actor = config.actor
    at_least(1, **{"the number of actor.exploration": len(actor.exploration)})
    at_least(0, **{"the least of actor.exploration": min(actor.exploration)})
    if not 0 <= actor.noise_correlation < 1:
        raise UserError(f"actor.noise_correlation={actor.noise_correlation}: it must be in [0, 1)")
    at_least(1, actor__patience=actor.patience, actor__fixed_steps=actor.fixed_steps)
    at_least(0, env__trial_steps=config.env.trial_steps, actor__min_steps=actor.min_steps)


def _check_early_stop(config: "TrainConfig") -> None:
    actor = config.actor
    soonest = {
        EarlyStop.never: {},
        EarlyStop.adaptive: {"actor.patience": actor.patience, "actor.min_steps": actor.min_steps or 0},
        EarlyStop.fixed: {"actor.fixed_steps": actor.fixed_steps},
        EarlyStop.ground_truth: {"actor.patience": actor.patience},
    }[actor.early_stop]
    for name, steps in soonest.items():
        if steps >= config.env.episode_steps:
            raise UserError(
                f"{name}={steps} and env.episode_steps={config.env.episode_steps}: early stopping could stop no "
                "episode; choose fewer"
                + (", or env.trial_steps, which preset=cpu has for it" if name == "actor.min_steps" else "")
            )


def _check_inline(config: "TrainConfig") -> None:
    if config.launch.kind is not LaunchKind.inline:
        return
    for name, default in asdict(type(config.launch)()).items():
        if getattr(config.launch, name) != default:
            raise UserError(f"launch.{name} is of launch=ray: give that too, or leave it out")


def _check_method(config: "TrainConfig") -> None:
    learner, method = config.learner, f"method={config.method}"
    if config.actor.early_stop is EarlyStop.adaptive and learner in _WITHOUT_DISCRIMINATOR:
        raise UserError(
            f"actor.early_stop=adaptive needs a discriminator, which {method} has not: choose never, "
            "fixed or ground_truth"
        )
    if config.discriminator.constraint is not Constraint.none and learner is not LearnerKind.adversarial:
        raise UserError(
            f"discriminator.constraint={config.discriminator.constraint.name} needs a discriminator, which {method} "
            "has not"
        )
    if not config.demos_in_replay and learner in (LearnerKind.oracle, LearnerKind.ddpgfd):
        raise UserError(f"{method} is about the expert's transitions: demos_in_replay=false leaves none")
    if not config.demos_in_replay and config.agent.bc_weight:
        raise UserError("agent.bc_weight clones the expert's actions, of which demos_in_replay=false leaves none")
    if config.agent.one_step_weight and learner is not LearnerKind.ddpgfd:
        raise UserError(f"agent.one_step_weight is of method=ddpgfd: {method} has no one-step loss")
    for name in ("weight_decay", "bc_weight"):
        if getattr(config.agent, name) and learner is LearnerKind.bc:
            raise UserError(f"agent.{name} has no effect with {method}")
    if learner is LearnerKind.ddpgfd and config.launch.kind is LaunchKind.ray:
        raise UserError(f"{method} needs launch=inline: no other sets priorities")


def _check_replay(config: "TrainConfig") -> None:
    for name in ("priority_exponent", "importance_exponent"):
        if not 0 <= getattr(config.replay, name) <= 1:
            raise UserError(f"replay.{name}={getattr(config.replay, name)}: it must be in [0, 1]")
    at_least(0, replay__demo_bonus=config.replay.demo_bonus)
    if config.replay.capacity < config.env.episode_steps:
        raise UserError(
            f"replay.capacity={config.replay.capacity}: it must hold an episode, which has up to "
            f"env.episode_steps={config.env.episode_steps} steps"
        )


def _check_discriminator(config: "TrainConfig") -> None:
    chosen = config.discriminator
    at_least(0, discriminator__gradient_penalty=chosen.gradient_penalty)
    above(0, discriminator__learning_rate=chosen.learning_rate, discriminator__max_reward=chosen.max_reward)
    if chosen.constraint_ceiling is not None:
        above(2 * math.log(2), discriminator__constraint_ceiling=chosen.constraint_ceiling)
    if not 0 < chosen.crop <= 1:
        raise UserError(f"discriminator.crop={chosen.crop}: it must be in (0, 1], a part of each side of a picture")
    for name, share in (("dropout", chosen.dropout), ("label_smoothing", chosen.label_smoothing)):
        if not 0 <= share < 1:
            raise UserError(f"discriminator.{name}={share}: it must be in [0, 1)")
    if chosen.positive_prior is not None and not 0 < chosen.positive_prior < 1:
        raise UserError(f"discriminator.positive_prior={chosen.positive_prior}: it must be in (0, 1)")


def _check_losses(config: "TrainConfig") -> None:
    chosen = config.discriminator
    if chosen.constraint is Constraint.early and not 1 <= config.env.early_steps < config.env.episode_steps:
        raise UserError(
            f"env.early_steps={config.env.early_steps}: discriminator.constraint=early needs the first steps of an "
            f"episode, of which there are env.episode_steps={config.env.episode_steps}"
        )
    if chosen.flip_labels and chosen.constraint is Constraint.none:
        raise UserError("discriminator.flip_labels=true is of a constraint, and discriminator.constraint is none")
    if chosen.constraint_ceiling is not None and chosen.flip_labels:
        raise UserError(
            "discriminator.flip_labels=true needs discriminator.constraint_ceiling=null: flipped labels are bounded"
        )
    if chosen.positive_prior is not None and chosen.label_smoothing:
        raise UserError("discriminator.positive_prior and label_smoothing are two losses: give one of them")
    if chosen.loss is not None and (chosen.positive_prior is not None or chosen.label_smoothing):
        raise UserError("discriminator.loss takes the place of positive_prior and label_smoothing: leave them out")


def _check_features(config: "TrainConfig") -> None:
    chosen = config.discriminator
    if config.encoder.bfloat16 and chosen.spectral_norm and chosen.features is Features.own:
        raise UserError("encoder.bfloat16=true and discriminator.spectral_norm=true do not work together: choose one")
    if config.agent.frame_stack > 1 and chosen.features is Features.critic:
        raise UserError(
            f"agent.frame_stack={config.agent.frame_stack} and discriminator.features=critic do not work together: "
            "the discriminator sees single frames"
        )


def _check_random_set(config: "TrainConfig") -> None:
    if config.discriminator.constraint is not Constraint.random:
        return
    if config.launch.kind is LaunchKind.ray:
        raise UserError("discriminator.constraint=random needs launch=inline: no other keeps random episodes")
    if not config.actor.random_steps:
        raise UserError("discriminator.constraint=random needs actor.random_steps=1 or more, to have random frames")
    if config.random_demos is None:
        raise UserError(
            "discriminator.constraint=random needs random_demos=DIR: a random policy in the demonstrations' own "
            "environment, see trailkit record device=random"
        )
