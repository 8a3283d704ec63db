"""The discriminator, its reward and its diagnostics."""

import pytest
import torch
from torch import Tensor
from transitions import IMAGE_SIZE, IMAGE_SIZES, random_imitation_batch, random_transition

from trailkit.agents.networks.encoders import CompactEncoder
from trailkit.discriminators.adversarial_reward import AdversarialReward, AdversarialRewardSettings
from trailkit.discriminators.augmentation import Augmentation, AugmentationSettings, crop_sizes
from trailkit.discriminators.base import Logits, RewardModel
from trailkit.discriminators.diagnostics import diagnose, mean_score
from trailkit.discriminators.discriminator import Discriminator, drop
from trailkit.discriminators.environment_reward import EnvironmentReward
from trailkit.discriminators.losses import binary_cross_entropy, with_accuracy_constraint
from trailkit.discriminators.oracle_reward import OracleReward
from trailkit.discriminators.rewards import minus_log_one_minus_d
from trailkit.replay.transition import ImitationBatch, Pair, Transition

CROPS = crop_sizes(IMAGE_SIZES)


def make_discriminator() -> Discriminator:
    torch.manual_seed(0)
    return Discriminator(CompactEncoder(CROPS, embedding=16))


def make_reward() -> AdversarialReward:
    loss = with_accuracy_constraint(binary_cross_entropy)
    return AdversarialReward(make_discriminator(), Augmentation(IMAGE_SIZES, CROPS), loss)


def test_only_the_centre_of_an_image_is_judged() -> None:
    discriminator = make_discriminator()
    frames: Tensor = random_transition(0).observation["front"]
    logits = discriminator({"front": frames})
    assert logits.shape == (4,)
    (crop, _), border = CROPS["front"], (IMAGE_SIZE - CROPS["front"][0]) // 2
    centre = frames[:, border : border + crop, border : border + crop]
    torch.testing.assert_close(discriminator({"front": centre}), logits)
    frames[:, :border] = 0
    torch.testing.assert_close(discriminator({"front": frames}), logits)


def test_of_stacked_frames_the_newest_alone_is_judged() -> None:
    model, batch = make_reward(), random_imitation_batch(0)
    newest, older = random_transition(0), random_transition(1)

    def stacked(transition: Transition) -> Transition:
        changes = {
            name: {
                camera: torch.cat([getattr(older, name)[camera], images], -1) if images.dtype == torch.uint8 else images
                for camera, images in getattr(transition, name).items()
            }
            for name in ("observation", "next_observation")
        }
        return transition._replace(**changes)

    assert torch.equal(model.reward(stacked(newest)), model.reward(newest))
    sources = [Pair(*map(stacked, pair)) for pair in batch if pair is not None]
    assert torch.equal(make_reward().update(ImitationBatch(*sources))["disc_loss"], model.update(batch)["disc_loss"])


def test_proprioception_is_not_looked_at() -> None:
    assert make_discriminator().cameras == ("front",)


def test_rewards_are_given_for_each_next_observation() -> None:
    model, transition = make_reward(), random_transition(0)
    reward = model.reward(transition)
    assert reward.shape == (4, 3)
    with torch.no_grad():
        one = model.discriminator({"front": transition.next_observation["front"][2:3, 1]})
    torch.testing.assert_close(reward[2, 1], minus_log_one_minus_d(one)[0])


def test_entries_are_dropped_and_the_others_make_up_for_them() -> None:
    dropped = drop(torch.ones(100, 100), 0.2, torch.Generator().manual_seed(0))
    assert set(dropped.flatten().tolist()) == {0.0, 1.25}
    assert (dropped == 0).float().mean().item() == pytest.approx(0.2, abs=0.02)


def test_entries_are_dropped_in_training_alone_and_as_the_generator_says() -> None:
    torch.manual_seed(0)
    discriminator = Discriminator(CompactEncoder(CROPS, embedding=16), dropout=0.5)
    frames = random_transition(0).observation
    first, again, other = (discriminator(frames, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    whole = make_discriminator()
    whole.load_state_dict(discriminator.state_dict())
    assert torch.equal(discriminator(frames), whole(frames))
    assert torch.equal(whole(frames), whole(frames, torch.Generator()))


def test_an_update_drops_entries_and_a_reward_does_not() -> None:
    torch.manual_seed(0)
    model = AdversarialReward(
        Discriminator(CompactEncoder(IMAGE_SIZES, embedding=16), dropout=0.5),
        Augmentation(IMAGE_SIZES, IMAGE_SIZES, AugmentationSettings(0, 0, 0, 0, 0, 0)),
        binary_cross_entropy,
        settings=AdversarialRewardSettings(learning_rate=0.0),
    )
    batch = random_imitation_batch(0)
    assert model.update(batch)["disc_loss"] != model.update(batch)["disc_loss"]
    assert torch.equal(*(model.reward(batch.train.agent) for _ in range(2)))


@pytest.mark.parametrize(
    "model", [make_reward(), EnvironmentReward(), OracleReward()], ids=lambda model: type(model).__name__
)
def test_reward_models_keep_the_interface(model: RewardModel) -> None:
    assert isinstance(model, RewardModel)
    model.update(random_imitation_batch(0))
    assert model.reward(random_transition(0)).shape == (4, 3)
    model.load_state_dict(model.state_dict())
    before = {name: weight.clone() for name, weight in model.weights().items()}
    weights = model.weights()
    model.update(random_imitation_batch(1))
    assert all(torch.equal(weights[name], before[name]) for name in before)  # weights() are a copy


def test_the_discriminator_tells_sources_apart_once_trained() -> None:
    torch.manual_seed(0)
    model = AdversarialReward(
        make_discriminator(),
        Augmentation(IMAGE_SIZES, CROPS),
        binary_cross_entropy,
        settings=AdversarialRewardSettings(learning_rate=1e-3),
    )
    batch = random_imitation_batch(0)._replace(constraint=None)
    bright = {"front": batch.train.expert.next_observation["front"] // 2 + 128}
    batch = batch._replace(train=batch.train._replace(expert=batch.train.expert._replace(next_observation=bright)))
    metrics = [model.update(batch) for _ in range(200)]
    # Averaged: now and then a frame's colours are changed so much that it passes for the other source's.
    assert sum(metric["disc_loss"] for metric in metrics[-50:]) / 50 < 0.5 * metrics[0]["disc_loss"]
    assert sum(metric["disc_acc"] for metric in metrics[-50:]) / 50 > 0.9
    assert mean_score(model.discriminator, {"front": bright["front"].flatten(0, 1)}) > 0.7
    assert "disc_acc_constraint" not in metrics[-1]


def test_diagnostics_count_by_source() -> None:
    train = Logits(expert=torch.tensor([1.0, 0, -1, 3]), agent=torch.tensor([-1.0, 0]))
    constraint = Logits(expert=torch.tensor([-1.0]), agent=torch.tensor([1.0]))
    metrics = {name: value.item() for name, value in diagnose(train, constraint).items()}
    assert metrics["disc_acc_expert"] == 0.75
    assert metrics["disc_acc_agent"] == 0.5
    assert metrics["disc_acc"] == 0.625
    assert metrics["disc_acc_constraint"] == 0.0
    assert metrics["disc_constraint_fired"] == 0.0
    assert metrics["disc_score_constraint_agent"] == pytest.approx(0.731059)
    assert diagnose(train, Logits(torch.zeros(1), torch.zeros(1)))["disc_constraint_fired"] == 1


def test_logits_have_a_histogram_whose_end_bins_have_what_lies_beyond() -> None:
    train = Logits(expert=torch.tensor([-70.0, -3.9, -0.1, 3.5, 99.0]), agent=torch.tensor([0.0]))
    metrics = {name: value.item() for name, value in diagnose(train, None).items()}
    shares = {name: value for name, value in metrics.items() if name.startswith("disc_logits_expert[")}
    assert len(shares) == 16
    expected = {"disc_logits_expert[-4]": 0.4, "disc_logits_expert[-0.5]": 0.2, "disc_logits_expert[3.5]": 0.4}
    assert {name: share for name, share in shares.items() if share} == pytest.approx(expected)
    assert metrics["disc_logits_agent[0]"] == 1
    assert not any("constraint" in name for name in metrics)


def test_the_mean_score_does_not_depend_on_the_chunks() -> None:
    discriminator = make_discriminator()
    frames = {"front": random_transition(0, batch=7).observation["front"]}
    assert mean_score(discriminator, frames, chunk=3) == pytest.approx(mean_score(discriminator, frames), abs=1e-6)
