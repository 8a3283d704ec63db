"""The adversarial learner: fresh rewards, masked, on the rows that it should learn from."""

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor
from transitions import IMAGE_SIZES, random_imitation_batch

from trailkit.agents.adversarial import Adversarial, ReinforcementLearner, Update
from trailkit.agents.base import Parameters
from trailkit.agents.losses import n_step_return
from trailkit.agents.networks.encoders import CompactEncoder
from trailkit.discriminators.adversarial_reward import AdversarialReward, AdversarialRewardSettings
from trailkit.discriminators.augmentation import Augmentation, crop_sizes
from trailkit.discriminators.discriminator import Discriminator
from trailkit.discriminators.environment_reward import EnvironmentReward
from trailkit.discriminators.losses import binary_cross_entropy, with_accuracy_constraint
from trailkit.discriminators.oracle_reward import OracleReward
from trailkit.replay.transition import ImitationBatch, Pair, Transition


class Recorder:
    """A learner that keeps what it was given."""

    batch: Transition
    expert_rows: int
    followed = 0

    def update(self, batch: Transition, expert_rows: int = 0) -> dict[str, Tensor]:
        self.batch, self.expert_rows = batch, expert_rows
        return {"rows": torch.tensor(float(len(batch.steps)))}

    def follow(self) -> None:
        self.followed += 1

    def parameters(self) -> Parameters:
        return {"policy": {}}

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None: ...


def reward_model(learning_rate: float = 1e-2) -> AdversarialReward:
    torch.manual_seed(0)
    crops = crop_sizes(IMAGE_SIZES)
    return AdversarialReward(
        Discriminator(CompactEncoder(crops, embedding=16)),
        Augmentation(IMAGE_SIZES, crops),
        binary_cross_entropy,
        settings=AdversarialRewardSettings(learning_rate),
    )


def real_steps(batch: Transition) -> Tensor:
    return torch.arange(batch.reward.shape[1]) < batch.steps[:, None]


def test_rewards_come_from_the_discriminator_that_was_just_updated() -> None:
    model, rl = reward_model(), Recorder()
    batch = random_imitation_batch(0)
    stale = model.reward(batch.train.agent)
    Adversarial(model, rl).step(batch)
    fresh = model.reward(batch.train.agent)
    real = real_steps(batch.train.agent)
    assert torch.equal(rl.batch.reward[:4][real], fresh[real])
    assert not torch.allclose(stale[real], fresh[real])


def test_padding_earns_nothing() -> None:
    rl = Recorder()
    Adversarial(reward_model(), rl).step(random_imitation_batch(0))
    padding = ~real_steps(rl.batch)
    assert padding.any()
    assert (rl.batch.reward[padding] == 0).all()
    assert (rl.batch.reward[~padding] > 0).all()


def test_an_end_is_worth_what_staying_in_its_state_for_ever_is() -> None:
    rl, gamma = Recorder(), 0.98
    pair = random_imitation_batch(0).train
    ended = pair.expert._replace(discount=torch.tensor([1.0, 0.0, 1.0]).expand(4, 3), steps=torch.tensor([1, 2, 2, 2]))
    Adversarial(OracleReward(), rl, after_end=gamma / (1 - gamma)).step(ImitationBatch(Pair(pair.agent, ended)))
    reward, discount, steps = rl.batch.reward[4:], rl.batch.discount[4:], rl.batch.steps[4:]
    assert reward.tolist() == [[1, 0, 0]] + 3 * [[1, pytest.approx(50), 0]]
    returned, bootstrapped = n_step_return(reward, discount, steps, gamma)
    assert returned.tolist() == [1, *3 * [pytest.approx(1 / (1 - gamma))]]
    assert bootstrapped.tolist() == [pytest.approx(gamma), 0, 0, 0]


def test_the_frame_that_an_episode_ends_in_is_learned_from() -> None:
    """It is paid gamma / (1 - gamma) times more, if it is an end, and no step leaves it."""
    model = reward_model(learning_rate=1e-3)
    generator = torch.Generator().manual_seed(0)
    noise = torch.randint(0, 256, (8, *IMAGE_SIZES["front"], 3), dtype=torch.uint8, generator=generator)
    dark, bright = noise // 4, 255 - noise // 4  # a fall, say, that ends the agent's episodes
    agent, expert = (
        Transition({"front": dark}, None, None, None, {"front": after[:, None]}, *5 * [None])
        for after in (bright, dark)
    )
    for _ in range(100):
        model.update(ImitationBatch(Pair(agent, expert)))
    paid = model.rewards({"front": torch.cat([bright, dark])}).view(2, 8).mean(1)  # -log(1 - D)
    assert paid[0] < 0.1
    assert paid[1] > 1


def test_the_agents_rows_come_first_and_the_experts_follow() -> None:
    rl = Recorder()
    batch = random_imitation_batch(0)
    metrics = Adversarial(reward_model(), rl).step(batch)
    assert isinstance(rl, ReinforcementLearner)
    assert rl.expert_rows == 4
    assert metrics["rows"] == 8
    assert torch.equal(rl.batch.action, torch.cat([batch.train.agent.action, batch.train.expert.action]))


def test_without_demos_in_replay_no_action_of_the_experts_is_used() -> None:
    rl = Recorder()
    batch = random_imitation_batch(0)
    Adversarial(reward_model(), rl, demos_in_replay=False).step(batch)
    assert rl.expert_rows == 0
    assert torch.equal(rl.batch.action, batch.train.agent.action)


def test_the_oracle_pays_for_real_steps_of_the_experts_alone() -> None:
    rl = Recorder()
    batch = random_imitation_batch(0)
    Adversarial(OracleReward(), rl).step(batch)
    assert not rl.batch.reward[:4].any()
    assert torch.equal(rl.batch.reward[4:], real_steps(batch.train.expert).float())
    Adversarial(OracleReward(), rl, demos_in_replay=False).step(batch)
    assert not rl.batch.reward.any()


def test_the_environments_reward_is_passed_on_as_it_was_stored() -> None:
    rl = Recorder()
    batch = random_imitation_batch(0)
    learner = Adversarial(EnvironmentReward(), rl)
    learner.step(batch)
    assert torch.equal(rl.batch.reward, torch.cat([batch.train.agent.reward, batch.train.expert.reward]))
    assert set(learner.parameters()) == {"policy"}


def test_actors_get_the_policy_and_the_discriminator() -> None:
    parameters = Adversarial(reward_model(), Recorder()).parameters()
    assert set(parameters) == {"policy", "discriminator"}
    Discriminator(CompactEncoder(crop_sizes(IMAGE_SIZES), embedding=16)).load_state_dict(
        dict(parameters["discriminator"])
    )


def test_the_constraint_needs_its_frames() -> None:
    model = reward_model()
    constrained = AdversarialReward(
        model.discriminator,
        Augmentation(IMAGE_SIZES, crop_sizes(IMAGE_SIZES)),
        with_accuracy_constraint(binary_cross_entropy),
    )
    with pytest.raises(ValueError, match="needs constraining frames"):
        constrained.update(random_imitation_batch(0)._replace(constraint=None))


def test_what_wraps_the_update_is_given_it_anew_with_another_state() -> None:
    wrapped: list[Update] = []
    called: list[int] = []

    def wrap(update: Update) -> Update:
        number = len(wrapped)
        wrapped.append(update)

        def wrapping(batch: ImitationBatch) -> Mapping[str, Tensor]:
            called.append(number)
            return update(batch)

        return wrapping

    rl = Recorder()
    learner = Adversarial(reward_model(), rl, wrap=wrap)
    learner.step(random_imitation_batch(0))
    learner.load_state_dict(learner.state_dict())
    learner.step(random_imitation_batch(1))
    assert called == [0, 1]
    assert rl.followed == 2
