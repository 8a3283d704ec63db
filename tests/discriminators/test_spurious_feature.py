"""What TRAIL is for, in seconds: a nuisance that betrays the source, beside a faint mark of the task.

A patch of one colour is in all frames of the expert, and one of another colour in all of the agent's. A faint bar is
at the top of frames near success and at the bottom of the others; the early frames of both sources have it at the
bottom. In the frames held out the patches are exchanged. As in TRAIL's Fig. 10, but with an extreme nuisance.
"""

from functools import cache

import torch
from torch import Tensor

from trailkit.agents.networks.encoders import CompactEncoder
from trailkit.discriminators.adversarial_reward import AdversarialReward, AdversarialRewardSettings
from trailkit.discriminators.attribution import attribute
from trailkit.discriminators.augmentation import Augmentation, AugmentationSettings
from trailkit.discriminators.base import DiscriminatorLoss, Logits
from trailkit.discriminators.discriminator import Discriminator
from trailkit.discriminators.losses import balanced_accuracy, binary_cross_entropy, with_accuracy_constraint
from trailkit.replay.transition import ImitationBatch, Pair, Transition

SIZE = 32
SIZES = {"front": (SIZE, SIZE)}
GAIL, TRAIL = binary_cross_entropy, with_accuracy_constraint(binary_cross_entropy)


def frames(count: int, red_patch: bool, success: bool, generator: torch.Generator) -> Tensor:
    images = torch.randint(90, 111, (count, SIZE, SIZE, 3), dtype=torch.uint8, generator=generator)
    images[:, 12:20, 2:10, 0 if red_patch else 2] += 140
    rows = slice(2, 8) if success else slice(24, 30)
    images[:, rows, 14:30] += 25
    return images


def transition(images: Tensor) -> Transition:
    return Transition({"front": images}, None, None, None, {"front": images[:, None]}, *5 * [None])


@cache
def train(loss: DiscriminatorLoss) -> Discriminator:
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    nothing = AugmentationSettings(brightness=0, contrast=0, saturation=0, rotation=0, noise=0, camera_drop=0)
    model = AdversarialReward(
        Discriminator(CompactEncoder(SIZES, embedding=32)),
        Augmentation(SIZES, SIZES, nothing),
        loss,
        settings=AdversarialRewardSettings(learning_rate=1e-3),
    )
    for _ in range(300):
        model.update(
            ImitationBatch(
                train=Pair(
                    agent=transition(frames(16, False, False, generator)),
                    expert=transition(frames(16, True, True, generator)),
                ),
                constraint=Pair(
                    agent=transition(frames(16, False, False, generator)),
                    expert=transition(frames(16, True, False, generator)),
                ),
            )
        )
    return model.discriminator


@torch.no_grad()
def holdout_accuracy(discriminator: Discriminator) -> float:
    generator = torch.Generator().manual_seed(1)
    logits = Logits(
        expert=discriminator({"front": frames(100, False, True, generator)}),
        agent=discriminator({"front": frames(100, True, False, generator)}),
    )
    return balanced_accuracy(*logits).item()


def mass_on_patch(discriminator: Discriminator) -> float:
    """The patch's share of all that moves the logit of the expert's frames, seen beside the agent's."""
    generator = torch.Generator().manual_seed(1)
    expert, agent = frames(16, True, True, generator), frames(16, False, False, generator)
    moved = attribute(discriminator, {"front": expert}, {"front": agent})["front"].abs().sum(0)
    return (moved[6:10, 1:5].sum() / moved.sum()).item()  # cells of two pixels


def test_gail_is_fooled_by_the_nuisance() -> None:
    assert holdout_accuracy(train(GAIL)) < 0.2


def test_trail_judges_by_the_task() -> None:
    assert holdout_accuracy(train(TRAIL)) > 0.8


def test_the_map_of_gails_discriminator_lies_on_the_nuisance_and_that_of_trails_does_not() -> None:
    assert mass_on_patch(train(GAIL)) >= 0.8
    assert mass_on_patch(train(TRAIL)) <= 0.2
