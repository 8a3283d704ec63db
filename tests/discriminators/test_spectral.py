"""Spectral normalisation: what torch's singular values say of the weights that are used."""

import copy

import torch
from torch import nn
from transitions import IMAGE_SIZES, random_imitation_batch, random_transition

from trailkit.agents.early_stopping import ByDiscriminator
from trailkit.agents.networks.encoders import CompactEncoder
from trailkit.discriminators.adversarial_reward import AdversarialReward, AdversarialRewardSettings
from trailkit.discriminators.augmentation import Augmentation
from trailkit.discriminators.discriminator import Discriminator
from trailkit.discriminators.frozen import FrozenEncoder
from trailkit.discriminators.losses import binary_cross_entropy
from trailkit.discriminators.spectral import normalise_spectrally


def normalised(frozen: bool = False) -> Discriminator:
    torch.manual_seed(0)
    encoder = CompactEncoder(IMAGE_SIZES, embedding=16)
    discriminator = Discriminator(FrozenEncoder(encoder) if frozen else encoder)
    normalise_spectrally(discriminator.trained)
    return discriminator


def largest_singular_values(network: nn.Module) -> list[float]:
    layers = [layer for layer in network.modules() if isinstance(layer, nn.Linear | nn.Conv2d)]
    return [torch.linalg.svdvals(layer.weight.detach().flatten(1))[0].item() for layer in layers]


def reward(discriminator: Discriminator) -> AdversarialReward:
    augmentation = Augmentation(IMAGE_SIZES, IMAGE_SIZES)
    return AdversarialReward(
        discriminator, augmentation, binary_cross_entropy, settings=AdversarialRewardSettings(learning_rate=1e-2)
    )


def test_all_layers_have_a_norm_of_one_and_keep_it_while_they_train() -> None:
    model = reward(normalised())
    before = copy.deepcopy(model.discriminator)
    for seed in range(20):
        model.update(random_imitation_batch(seed))
    values = largest_singular_values(model.discriminator)
    assert len(values) == 3 + 1 + 3
    torch.testing.assert_close(torch.tensor(values), torch.ones(7), atol=0.05, rtol=0)
    assert not torch.equal(model.discriminator.head[0].weight, before.head[0].weight)  # type: ignore[arg-type]


def test_without_normalisation_they_have_others() -> None:
    values = largest_singular_values(Discriminator(CompactEncoder(IMAGE_SIZES, embedding=16)))
    assert max(abs(value - 1) for value in values) > 0.2


def test_judging_changes_nothing() -> None:
    model = reward(normalised())
    before = {name: value.clone() for name, value in model.discriminator.state_dict().items()}
    first, again = (model.reward(random_transition(0)) for _ in range(2))
    assert torch.equal(first, again)
    assert all(torch.equal(before[name], value) for name, value in model.discriminator.state_dict().items())


def test_an_actor_s_copy_judges_alike() -> None:
    model = reward(normalised())
    stop = ByDiscriminator(normalised())
    model.update(random_imitation_batch(0))
    stop.load({"discriminator": model.weights()})
    frames = {"front": random_transition(0).observation["front"]}
    torch.testing.assert_close(stop._discriminator(frames), model.discriminator(frames))


def test_features_that_are_not_trained_are_left_as_they_are() -> None:
    discriminator = normalised(frozen=True)
    torch.manual_seed(0)
    untouched = CompactEncoder(IMAGE_SIZES, embedding=16)
    assert largest_singular_values(discriminator.encoder) == largest_singular_values(untouched)  # type: ignore[arg-type]
    torch.testing.assert_close(largest_singular_values(discriminator.head), [1.0, 1.0, 1.0], atol=0.05, rtol=0)
