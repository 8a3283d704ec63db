"""An update as one CUDA graph: what the update written out gives, where there is a GPU to try it on."""

from functools import partial

import pytest
import torch
from transitions import IMAGE_SIZES, random_imitation_batch, small_networks

from trailkit.agents.adversarial import Adversarial
from trailkit.agents.cuda_graph import Graphed, copy_into
from trailkit.agents.d4pg import D4PG
from trailkit.agents.networks.encoders import CompactEncoder
from trailkit.discriminators.adversarial_reward import AdversarialReward
from trailkit.discriminators.augmentation import Augmentation, crop_sizes
from trailkit.discriminators.base import DiscriminatorLoss
from trailkit.discriminators.discriminator import Discriminator
from trailkit.discriminators.losses import binary_cross_entropy, with_accuracy_constraint, with_gradient_penalty
from trailkit.replay.transition import ImitationBatch

on_a_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
LOSSES = {
    "trail": with_accuracy_constraint(binary_cross_entropy),
    "dac": with_gradient_penalty(binary_cross_entropy),
}


def learner(loss: DiscriminatorLoss, graphed: bool) -> Adversarial:
    torch.manual_seed(0)
    crops = crop_sizes(IMAGE_SIZES)
    policy, critic = (network.cuda() for network in small_networks())
    rl = D4PG(policy, critic)
    discriminator = Discriminator(CompactEncoder(crops, embedding=16)).cuda()
    reward = AdversarialReward(discriminator, Augmentation(IMAGE_SIZES, crops).cuda(), loss)
    if not graphed:
        return Adversarial(reward, rl)
    return Adversarial(reward, rl, wrap=partial(Graphed, generators=[reward.generator, rl.generator]))


def on_gpu(seed: int) -> ImitationBatch:
    def moved(node):
        match node:
            case torch.Tensor():
                return node.cuda()
            case dict():
                return {name: moved(value) for name, value in node.items()}
            case tuple():
                return type(node)(*map(moved, node))
        return node

    return moved(random_imitation_batch(seed))


@on_a_gpu
@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_it_learns_what_the_update_written_out_learns(loss: DiscriminatorLoss) -> None:
    plain, graphed = learner(loss, graphed=False), learner(loss, graphed=True)
    for seed in range(12):
        expected, found = plain.step(on_gpu(seed)), graphed.step(on_gpu(seed))
        assert found == pytest.approx(expected, rel=2e-2, abs=2e-3), seed


@on_a_gpu
def test_it_goes_on_from_a_state_that_it_is_given() -> None:
    one, other = (learner(LOSSES["trail"], graphed=True) for _ in range(2))
    for seed in range(6):
        one.step(on_gpu(seed))
    other.load_state_dict(one.state_dict())
    for seed in range(6, 12):
        assert other.step(on_gpu(seed)) == pytest.approx(one.step(on_gpu(seed)), rel=2e-2, abs=2e-3)


def test_a_batch_is_copied_by_the_names_of_its_parts() -> None:
    kept = {"left": torch.zeros(2), "right": (torch.zeros(2), None)}
    copy_into(kept, {"right": (torch.full((2,), 2.0), None), "left": torch.ones(2)})
    assert torch.equal(kept["left"], torch.ones(2))
    assert torch.equal(kept["right"][0], torch.full((2,), 2.0))


@pytest.mark.parametrize(
    "other",
    [{"left": torch.zeros(1)}, {"left": torch.zeros(2, dtype=torch.uint8)}, {"right": torch.zeros(2)}, {}],
    ids=["a row for two", "other numbers", "another name", "nothing"],
)
def test_a_batch_unlike_the_one_before_is_refused(other: dict[str, torch.Tensor]) -> None:
    with pytest.raises(ValueError, match="before it was"):
        copy_into({"left": torch.zeros(2)}, other)
