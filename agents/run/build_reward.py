"""From configuration to the learned reward, and to the rule by which actors end episodes early."""

from dataclasses import replace

import torch

from trailkit.agents.base import StopRule
from trailkit.agents.early_stopping import AfterSteps, ByDiscriminator, ByReward, Never
from trailkit.agents.networks.encoders import Encoder
from trailkit.agents.run.build_networks import image_sizes, make_encoder
from trailkit.agents.run.user_parts import own_loss
from trailkit.configs.choices import Constraint, EarlyStop, Features, LearnerKind, RewardForm
from trailkit.configs.schema import DiscriminatorConfig, TrainConfig
from trailkit.discriminators import rewards
from trailkit.discriminators.adversarial_reward import AdversarialReward, AdversarialRewardSettings
from trailkit.discriminators.augmentation import UNCHANGED, Augmentation, AugmentationSettings, crop_sizes
from trailkit.discriminators.base import DiscriminatorLoss, FrameEncoder, RewardFunction, RewardModel
from trailkit.discriminators.discriminator import Discriminator
from trailkit.discriminators.environment_reward import EnvironmentReward
from trailkit.discriminators.frozen import FrozenEncoder
from trailkit.discriminators.losses import (
    binary_cross_entropy,
    positive_unlabelled,
    smoothed_cross_entropy,
    with_accuracy_constraint,
    with_gradient_penalty,
)
from trailkit.discriminators.oracle_reward import OracleReward
from trailkit.discriminators.spectral import normalise_spectrally
from trailkit.envs.settings import EnvSettings

_REWARDS: dict[RewardForm, RewardFunction] = {
    RewardForm.gail: rewards.minus_log_one_minus_d,
    RewardForm.airl: rewards.log_d_minus_log_one_minus_d,
    RewardForm.log: rewards.log_d,
}


def make_reward_model(
    config: TrainConfig, settings: EnvSettings, critics: Encoder, device: torch.device
) -> RewardModel:
    """Builds the model that rewards the transitions to learn from.

    Args:
        config: Names the method.
        settings: The settings of the environment.
        critics: The encoder that the critic trains.
        device: The learner's device.
    """
    match config.learner:
        case LearnerKind.adversarial:
            return _make_adversarial_reward(config, settings, critics, device)
        case LearnerKind.oracle:
            return OracleReward()
        case _:
            return EnvironmentReward()


def make_stop(config: TrainConfig, settings: EnvSettings, critics: Encoder) -> StopRule:
    """The rule by which actors end episodes early; `critics` is an encoder like the critic's."""
    actor = config.actor
    match actor.early_stop:
        case EarlyStop.adaptive:
            discriminator = _make_discriminator(config, settings, critics)
            return ByDiscriminator(discriminator, actor.patience, actor.min_steps or 0)
        case EarlyStop.fixed:
            return AfterSteps(actor.fixed_steps)
        case EarlyStop.ground_truth:
            return ByReward(actor.patience)
        case EarlyStop.never:
            return Never()


def _make_adversarial_reward(
    config: TrainConfig, settings: EnvSettings, critics: Encoder, device: torch.device
) -> AdversarialReward:
    chosen = config.discriminator
    reward = _REWARDS[chosen.reward]
    if chosen.max_reward is not None:
        reward = rewards.clipped(reward, chosen.max_reward)
    strengths = replace(AugmentationSettings() if chosen.augment else UNCHANGED, random_colours=chosen.random_colours)
    crops = discriminator_sizes(config, settings)
    return AdversarialReward(
        _make_discriminator(config, settings, critics).to(device),
        Augmentation(image_sizes(settings.observation), crops, strengths, config.seed).to(device),
        make_loss(chosen),
        reward,
        AdversarialRewardSettings(chosen.learning_rate),
        config.seed,
    )


def make_loss(chosen: DiscriminatorConfig) -> DiscriminatorLoss:
    """The loss of the discriminator: one on the training frames, wrapped by constraint and penalty.

    Raises:
        UserError: If the user's own loss cannot be imported.
    """
    loss: DiscriminatorLoss = binary_cross_entropy if chosen.loss is None else own_loss(chosen.loss)
    if chosen.label_smoothing:
        loss = smoothed_cross_entropy(chosen.label_smoothing)
    if chosen.positive_prior is not None:
        loss = positive_unlabelled(chosen.positive_prior)
    if chosen.constraint is not Constraint.none:
        loss = with_accuracy_constraint(loss, chosen.flip_labels, chosen.constraint_ceiling)
    if chosen.gradient_penalty:
        loss = with_gradient_penalty(loss, chosen.gradient_penalty)
    return loss


def _make_discriminator(config: TrainConfig, settings: EnvSettings, critics: Encoder) -> Discriminator:
    chosen = config.discriminator
    encoder: FrameEncoder
    match chosen.features:
        case Features.own:
            encoder = make_encoder(config.encoder, discriminator_sizes(config, settings))
        case Features.random:
            encoder = FrozenEncoder(make_encoder(config.encoder, discriminator_sizes(config, settings)))
        case Features.critic:
            encoder = FrozenEncoder(critics)
    discriminator = Discriminator(encoder, dropout=chosen.dropout)
    if chosen.spectral_norm:
        normalise_spectrally(discriminator.trained)
    return discriminator


def discriminator_sizes(config: TrainConfig, settings: EnvSettings) -> dict[str, tuple[int, int]]:
    """The size of what the discriminator sees of each camera; the critic's features always cover the whole image."""
    chosen = config.discriminator
    return crop_sizes(image_sizes(settings.observation), 1.0 if chosen.features is Features.critic else chosen.crop)
