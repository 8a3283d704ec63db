"""Discriminators on features that are not theirs: whose weights stay, and whose changes they see."""

import copy

import pytest
import torch
from torch import nn
from transitions import IMAGE_SIZES, random_imitation_batch, random_transition, small_networks

from trailkit.agents.adversarial import Adversarial
from trailkit.agents.d4pg import D4PG
from trailkit.agents.early_stopping import ByDiscriminator
from trailkit.agents.networks.encoders import CompactEncoder
from trailkit.discriminators.adversarial_reward import AdversarialReward
from trailkit.discriminators.augmentation import Augmentation
from trailkit.discriminators.base import DiscriminatorLoss, FrameEncoder
from trailkit.discriminators.discriminator import Discriminator
from trailkit.discriminators.frozen import FrozenEncoder
from trailkit.discriminators.losses import binary_cross_entropy, with_gradient_penalty


def reward_on(encoder: FrameEncoder, loss: DiscriminatorLoss = binary_cross_entropy) -> AdversarialReward:
    return AdversarialReward(Discriminator(FrozenEncoder(encoder)), Augmentation(IMAGE_SIZES, IMAGE_SIZES), loss)


def same(network: nn.Module, other: nn.Module) -> list[bool]:
    return [torch.equal(*pair) for pair in zip(network.parameters(), other.parameters(), strict=True)]


@pytest.mark.parametrize("loss", [binary_cross_entropy, with_gradient_penalty(binary_cross_entropy)])
def test_the_head_is_trained_and_the_encoder_is_not(loss: DiscriminatorLoss) -> None:
    torch.manual_seed(0)
    encoder = CompactEncoder(IMAGE_SIZES, embedding=16)
    model = reward_on(encoder, loss)
    before = copy.deepcopy(model.discriminator)
    model.update(random_imitation_batch(0))
    assert all(same(encoder, before.encoder.encoder))  # type: ignore[arg-type]
    assert not any(same(model.discriminator.head, before.head))
    assert all(weight.grad is None for weight in encoder.parameters())


def test_embeddings_are_the_encoder_s_and_gradients_reach_the_frames() -> None:
    encoder = CompactEncoder(IMAGE_SIZES, embedding=16)
    frames = random_transition(0).observation["front"].float().div(255).requires_grad_()
    embedding = FrozenEncoder(encoder)({"front": frames})
    assert torch.equal(embedding, encoder({"front": frames}))
    embedding.sum().backward()
    assert frames.grad is not None and frames.grad.any()


def test_features_are_those_of_the_critic_of_now() -> None:
    torch.manual_seed(0)
    policy, critic = small_networks()
    model = reward_on(policy.encoder)
    rl = D4PG(policy, critic)
    learner = Adversarial(model, rl)
    frames = {"front": random_transition(0).observation["front"]}
    embedded = model.discriminator.encoder(frames)
    before = copy.deepcopy(policy.encoder)
    learner.step(random_imitation_batch(0))
    assert not any(same(policy.encoder, before))
    assert not torch.equal(model.discriminator.encoder(frames), embedded)
    assert torch.equal(model.discriminator.encoder(frames), policy.encoder(frames))

    stop = ByDiscriminator(reward_on(before).discriminator)
    stop.load(learner.parameters())
    assert torch.equal(stop._discriminator(frames), model.discriminator(frames))
