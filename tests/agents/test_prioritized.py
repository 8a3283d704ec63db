"""D4PG on batches that are sampled by priority."""

import pytest
import torch
from transitions import random_transition, small_networks

from trailkit.agents.d4pg import D4PG, D4PGSettings
from trailkit.agents.prioritized import Prioritized
from trailkit.replay.transition import PrioritizedBatch

STILL = {"learning_rate_critic": 0.0, "learning_rate_policy": 0.0, "random_shift": 0}


def learner(demo_bonus: float = 0.5, **settings: float) -> tuple[Prioritized, D4PG]:
    torch.manual_seed(0)
    policy, critic = small_networks()
    torch.nn.init.normal_(critic.joint[2].weight)  # type: ignore[arg-type]
    d4pg = D4PG(policy, critic, D4PGSettings(**{**STILL, **settings}))  # type: ignore[arg-type]
    return Prioritized(d4pg, demo_bonus), d4pg


def batch_of(*importance: float, expert_rows: int = 1) -> PrioritizedBatch:
    return PrioritizedBatch(random_transition(0), torch.tensor(importance), expert_rows)


def test_priorities_are_squared_errors_of_one_step_and_squared_slopes_and_a_bonus_for_the_expert() -> None:
    agent, d4pg = learner(one_step_weight=1.0)
    batch = batch_of(1.0, 1.0, 1.0, 1.0)
    agent.step(batch)
    transition = batch.transition
    action = transition.action.clone().requires_grad_()
    value = d4pg.distribution.__wrapped__(d4pg, transition.observation, action) @ d4pg.atoms
    (slope,) = torch.autograd.grad(value.sum(), action)
    arrived = {name: values[:, 0] for name, values in transition.next_observation.items()}
    next_value = d4pg.distribution(arrived, d4pg._policy(arrived).detach()) @ d4pg.atoms  # the targets are copies yet
    error = transition.reward[:, 0] + 0.99 * next_value - value.detach()
    expected = error.square() + slope.square().sum(1) + 1e-3 + torch.tensor([0, 0, 0, 0.5])
    torch.testing.assert_close(agent.priorities, expected, rtol=1e-3, atol=1e-3)


def test_rows_of_no_importance_teach_nothing() -> None:
    results = []
    for reward in (0.0, 100.0):
        agent, d4pg = learner(learning_rate_critic=1e-2, learning_rate_policy=1e-2, average_tau=1.0)
        batch = batch_of(1.0, 0.0, 0.0, 2.0)
        batch.transition.reward[1:3] = reward
        batch.transition.action[1:3] = reward / 100
        agent.step(batch)
        state = d4pg.state_dict()
        results.append(
            torch.cat([weight.flatten() for part in ("policy", "critic") for weight in state[part].values()])
        )
    torch.testing.assert_close(*results)


def test_the_losses_of_one_and_of_n_steps_add_up() -> None:
    batch = batch_of(1.0, 1.0, 1.0, 1.0)
    one_step = batch.transition._replace(steps=torch.ones(4, dtype=torch.int64))
    both = learner(one_step_weight=0.5)[0].step(batch)["critic_loss"]
    n_step = learner()[0].step(batch)["critic_loss"]
    near = learner()[0].step(batch._replace(transition=one_step))["critic_loss"]
    assert both == pytest.approx(n_step + 0.5 * near, rel=1e-5)


def test_weight_decay_draws_all_weights_towards_zero() -> None:
    agent, d4pg = learner(learning_rate_critic=1e-2, learning_rate_policy=1e-2, weight_decay=1e3, average_tau=1.0)
    before = sum(weight.square().sum() for weight in d4pg.parameters()["policy"].values())
    for _ in range(5):
        agent.step(batch_of(1.0, 1.0, 1.0, 1.0))
    assert sum(weight.square().sum() for weight in d4pg.parameters()["policy"].values()) < 0.7 * before


def test_the_share_of_the_expert_is_told_and_may_be_nothing() -> None:
    agent, _ = learner()
    assert agent.step(batch_of(1.0, 1.0, 1.0, 1.0, expert_rows=3))["expert_share"] == 0.75
    assert agent.step(batch_of(1.0, 1.0, 1.0, 1.0, expert_rows=0))["expert_share"] == 0.0
