"""The methods as compositions of the same parts: each runs, and goes on exactly from its state."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from transitions import IMAGE_SIZES, random_imitation_batch, small_networks

from trailkit.agents.adversarial import Adversarial
from trailkit.agents.base import Learner
from trailkit.agents.bc import BC
from trailkit.agents.d4pg import D4PG, D4PGSettings
from trailkit.agents.networks.encoders import CompactEncoder
from trailkit.agents.prioritized import Prioritized
from trailkit.discriminators.adversarial_reward import AdversarialReward
from trailkit.discriminators.augmentation import Augmentation, crop_sizes
from trailkit.discriminators.base import DiscriminatorLoss
from trailkit.discriminators.discriminator import Discriminator
from trailkit.discriminators.environment_reward import EnvironmentReward
from trailkit.discriminators.frozen import FrozenEncoder
from trailkit.discriminators.losses import (
    binary_cross_entropy,
    positive_unlabelled,
    with_accuracy_constraint,
    with_gradient_penalty,
)
from trailkit.discriminators.oracle_reward import OracleReward
from trailkit.discriminators.spectral import normalise_spectrally
from trailkit.replay.transition import ImitationBatch, PrioritizedBatch


def adversarial(loss: DiscriminatorLoss) -> Adversarial:
    crops = crop_sizes(IMAGE_SIZES)
    discriminator = Discriminator(CompactEncoder(crops, embedding=16))
    return Adversarial(
        AdversarialReward(discriminator, Augmentation(IMAGE_SIZES, crops), loss), D4PG(*small_networks())
    )


def on_the_critic_s_features() -> Adversarial:
    policy, critic = small_networks()
    discriminator = Discriminator(FrozenEncoder(policy.encoder))
    augmentation = Augmentation(IMAGE_SIZES, IMAGE_SIZES)
    return Adversarial(AdversarialReward(discriminator, augmentation, binary_cross_entropy), D4PG(policy, critic))


def regularised() -> Adversarial:
    discriminator = Discriminator(CompactEncoder(IMAGE_SIZES, embedding=16), dropout=0.5)
    normalise_spectrally(discriminator)
    reward = AdversarialReward(discriminator, Augmentation(IMAGE_SIZES, IMAGE_SIZES), positive_unlabelled(0.3))
    return Adversarial(reward, D4PG(*small_networks()))


METHODS: dict[str, Callable[[], Learner[Any]]] = {
    "bc": lambda: BC(small_networks()[0]),
    "d4pgfd": lambda: Adversarial(EnvironmentReward(), D4PG(*small_networks(), D4PGSettings(bc_weight=0.5))),
    "gail": lambda: adversarial(binary_cross_entropy),
    "dac": lambda: adversarial(with_gradient_penalty(binary_cross_entropy)),
    "trail": lambda: adversarial(with_accuracy_constraint(binary_cross_entropy)),
    "gail_critic": on_the_critic_s_features,
    "gail, regularised": regularised,
    "oracle": lambda: Adversarial(OracleReward(), D4PG(*small_networks())),
    "ddpgfd": lambda: Prioritized(D4PG(*small_networks(), D4PGSettings(one_step_weight=1.0)), 1.0),
}


def batch_for(method: str, seed: int) -> Any:
    batch: ImitationBatch = random_imitation_batch(seed)
    match method:
        case "bc":
            return batch.train.expert
        case "ddpgfd":
            return PrioritizedBatch(batch.train.expert, torch.tensor([1.0, 0.5, 0.2, 0.8]), expert_rows=2)
        case _:
            return batch


@pytest.mark.parametrize("method", METHODS)
def test_a_method_goes_on_from_its_state_to_the_last_bit(method: str) -> None:
    torch.manual_seed(0)
    learner = METHODS[method]()
    assert isinstance(learner, Learner)
    for seed in range(3):
        learner.step(batch_for(method, seed))
    state = copy.deepcopy(learner.state_dict())
    expected = [learner.step(batch_for(method, seed)) for seed in range(3, 6)]
    weights = learner.parameters()["policy"]

    resumed = METHODS[method]()
    resumed.load_state_dict(state)
    assert [resumed.step(batch_for(method, seed)) for seed in range(3, 6)] == expected
    for name, weight in resumed.parameters()["policy"].items():
        assert torch.equal(weight, weights[name]), name


@pytest.mark.parametrize("method", METHODS)
def test_a_seed_gives_the_same_run_twice(method: str) -> None:
    runs = []
    for _ in range(2):
        torch.manual_seed(3)
        learner = METHODS[method]()
        runs.append([learner.step(batch_for(method, seed)) for seed in range(3)])
    assert runs[0] == runs[1]
    assert all(isinstance(value, float) for value in runs[0][-1].values())
