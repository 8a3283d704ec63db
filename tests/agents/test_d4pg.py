"""D4PG: what trains what, how targets move, and that it learns."""

from itertools import pairwise

import pytest
import torch
from torch import Tensor
from transitions import ACTION_SIZE, IMAGE_SIZE, PROPRIO_SIZE, random_transition, small_networks

from trailkit.agents.d4pg import D4PG, D4PGSettings
from trailkit.replay.transition import Transition


def copy_of(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in state.items()}


def changed(before: dict[str, Tensor], after: dict[str, Tensor]) -> bool:
    return any(not torch.equal(before[name], after[name]) for name in before)


def test_the_critics_loss_alone_trains_the_encoder() -> None:
    torch.manual_seed(0)
    policy, critic = small_networks()
    before = copy_of(policy.encoder.state_dict()), copy_of(policy.head.state_dict()), copy_of(critic.state_dict())
    D4PG(policy, critic, D4PGSettings(learning_rate_critic=0.0)).step(random_transition(0))
    assert not changed(before[0], policy.encoder.state_dict())
    assert not changed(before[2], critic.state_dict())
    assert changed(before[1], policy.head.state_dict())
    D4PG(policy, critic, D4PGSettings(learning_rate_policy=0.0)).step(random_transition(0))
    assert changed(before[0], policy.encoder.state_dict())


def test_hard_targets_are_copied_every_period_and_stand_still_between() -> None:
    policy, critic = small_networks()
    learner = D4PG(policy, critic, D4PGSettings(target_period=3, target_tau=1.0))
    targets = []
    for seed in range(4):
        learner.step(random_transition(seed))
        targets.append(copy_of(learner.state_dict()["target_critic"]))
        if seed == 2:
            assert not changed(targets[-1], critic.state_dict())
    assert [changed(first, second) for first, second in pairwise(targets)] == [False, True, False]


@pytest.mark.parametrize("part", ["encoder", "policy's head", "critic"])
def test_targets_come_from_the_target_networks(part: str) -> None:
    torch.manual_seed(0)
    policy, critic = small_networks()
    torch.nn.init.normal_(critic.joint[2].weight)  # type: ignore[arg-type]
    still = D4PGSettings(
        learning_rate_critic=0.0, learning_rate_policy=0.0, random_shift=0, target_period=2, target_tau=1
    )
    learner, batch = D4PG(policy, critic, still), random_transition(0)
    means = [learner.step(batch)["target_mean"]]
    changed_part = {"encoder": policy.encoder, "policy's head": policy.head, "critic": critic}[part]
    with torch.no_grad():
        for weight in changed_part.parameters():
            weight.add_(0.1 * torch.randn_like(weight))
    means += [learner.step(batch)["target_mean"] for _ in range(2)]
    assert means[0] == means[1] != means[2]


def test_the_published_policy_is_the_average_and_later_updates_do_not_change_it() -> None:
    policy, critic = small_networks()
    start = copy_of(policy.state_dict())
    learner = D4PG(policy, critic, D4PGSettings(average_tau=0.25))
    learner.step(random_transition(0))
    published = learner.parameters()["policy"]
    for name, weight in published.items():
        torch.testing.assert_close(weight, start[name].lerp(policy.state_dict()[name], 0.25))
    kept = copy_of(dict(published))
    learner.step(random_transition(1))
    assert not changed(kept, dict(published))


def test_a_termination_stops_the_bootstrap_and_a_truncation_does_not() -> None:
    torch.manual_seed(0)
    policy, critic = small_networks()
    batch = random_transition(0)._replace(reward=torch.zeros(4, 3))
    settings = D4PGSettings(learning_rate_critic=0.0, learning_rate_policy=0.0, random_shift=0)
    running = D4PG(policy, critic, settings).step(batch)
    ended = D4PG(policy, critic, settings).step(batch._replace(discount=torch.zeros(4, 3)))
    assert ended["target_mean"] == pytest.approx(0.0, abs=1e-4)
    assert running["target_mean"] == pytest.approx(50.0, abs=2.0)  # the support's middle, before learning


def test_the_target_looks_at_the_last_real_observation() -> None:
    torch.manual_seed(0)
    policy, critic = small_networks()
    torch.nn.init.normal_(critic.joint[2].weight)  # type: ignore[arg-type]
    settings = D4PGSettings(learning_rate_critic=0.0, learning_rate_policy=0.0, random_shift=0)
    batch = random_transition(0)._replace(steps=torch.full((4,), 2))
    seen = D4PG(policy, critic, settings).step(batch)["target_mean"]
    for index, matters in ((0, False), (1, True), (2, False)):
        other = {name: value.clone() for name, value in batch.next_observation.items()}
        other["front"][:, index] = 255 - other["front"][:, index]
        other["proprio"][:, index] += 1
        result = D4PG(policy, critic, settings).step(batch._replace(next_observation=other))["target_mean"]
        assert (result != seen) == matters


def test_behaviour_cloning_pulls_towards_the_experts_rows_only() -> None:
    torch.manual_seed(0)
    batch = random_transition(0, batch=8)
    batch = batch._replace(action=torch.cat([-torch.ones(4, ACTION_SIZE), torch.ones(4, ACTION_SIZE)]))
    policy, critic = small_networks()
    learner = D4PG(policy, critic, D4PGSettings(bc_weight=10.0, learning_rate_policy=1e-2, random_shift=0))
    for _ in range(40):
        learner.step(batch, expert_rows=4)
    with torch.no_grad():
        cloned = policy(batch.observation)
    assert cloned[4:].mean() > 0.9
    assert cloned[:4].mean() > -0.5


def test_metrics_tell_the_sources_apart() -> None:
    policy, critic = small_networks()
    batch = random_transition(0)._replace(
        reward=torch.tensor([[1.0, 1, 0], [1, 0, 0], [3, 3, 3], [3, 0, 0]]), steps=torch.tensor([2, 1, 3, 1])
    )
    learner = D4PG(policy, critic)
    metrics = learner.step(batch, expert_rows=2)
    assert (metrics["reward_mean_agent"], metrics["reward_mean_expert"]) == (1.0, 3.0)
    assert "reward_mean_expert" not in learner.step(batch)


def test_mass_on_the_top_atom_shows_that_the_support_is_too_small() -> None:
    policy, critic = small_networks()
    batch = random_transition(0)._replace(reward=torch.full((4, 3), 200.0), steps=torch.full((4,), 3))
    assert D4PG(policy, critic).step(batch)["top_atom_mass"] == pytest.approx(1.0, abs=1e-5)


def test_mass_on_the_bottom_atom_shows_it_too() -> None:
    policy, critic = small_networks()
    batch = random_transition(0)._replace(reward=torch.full((4, 3), -200.0), steps=torch.full((4,), 3))
    assert D4PG(policy, critic).step(batch)["bottom_atom_mass"] == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("source", ["pixels", "proprio"])
def test_a_one_step_problem_is_learned(source: str) -> None:
    """The reward is minus the distance of the action from a target that the observation tells."""
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    policy, critic = small_networks(hidden=(300, 300))
    learner = D4PG(
        policy,
        critic,
        D4PGSettings(
            v_min=-3.0,
            v_max=0.0,
            learning_rate_policy=3e-3,
            learning_rate_critic=3e-3,
            target_tau=0.05,
            average_tau=0.05,
            random_shift=2,
        ),
    )

    def batch(rows: int) -> tuple[Transition, Tensor]:
        side = torch.randint(2, (rows,), generator=generator)
        target = (side - 0.5)[:, None]
        images = torch.full((rows, IMAGE_SIZE, IMAGE_SIZE, 3), 100, dtype=torch.uint8)
        proprio = torch.zeros(rows, PROPRIO_SIZE)
        if source == "pixels":
            images[:, 8:16, 8:16] += (100 * side[:, None, None, None]).to(torch.uint8)
        else:
            proprio[:, :1] = target
        action = 2 * torch.rand(rows, ACTION_SIZE, generator=generator) - 1
        return Transition(
            observation={"front": images, "proprio": proprio},
            action=action,
            reward=-(action - target).abs().mean(1, keepdim=True),
            discount=torch.zeros(rows, 1),
            next_observation={"front": images[:, None], "proprio": proprio[:, None]},
            steps=torch.ones(rows, dtype=torch.int64),
            age=torch.zeros(rows, dtype=torch.int64),
            key=torch.arange(rows),
            weight=torch.ones(rows),
            probability=torch.ones(rows),
        ), target

    for _ in range(300):
        learner.step(batch(32)[0])
    transition, target = batch(64)
    policy.load_state_dict(learner.parameters()["policy"])
    with torch.no_grad():
        assert (policy(transition.observation) - target).abs().mean() < 0.25  # 0.5 without learning
