"""What small networks, as they were initialised, make of a few steps."""

import numpy as np
import pytest
import torch

from trailkit.agents.base import as_tensors
from trailkit.agents.run import build
from trailkit.agents.run.build_env import env_settings
from trailkit.agents.run.configuration import configure
from trailkit.agents.run.evaluation.episodes import Moment
from trailkit.agents.run.evaluation.explain import MAP_EVERY, explain, stopped
from trailkit.configs.schema import TrainConfig

STEPS = 6
_WORDS = ["env.height=36", "env.width=36", "env.cameras=[front,wrist]", "demos=none"]


def made(method: str, *words: str) -> build.Agent:
    config = configure("train", TrainConfig, [*_WORDS, f"method={method}", *words])
    agent = build.make_agent(config, env_settings(config.env))
    agent.stop.load(agent.learner.parameters())
    return agent


def pictures(count: int, seed: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    return {camera: random.integers(0, 256, (count, 36, 36, 3), np.uint8) for camera in ("front", "wrist")}


@pytest.fixture(scope="module")
def moments() -> list[Moment]:
    random, seen = np.random.default_rng(0), pictures(STEPS, 0)
    proprio, action = random.normal(size=(STEPS, 20)).astype(np.float32), random.uniform(-1, 1, (STEPS, 4))
    return [
        Moment(
            {**{camera: seen[camera][i] for camera in seen}, "proprio": proprio[i]}, action[i].astype("f4"), 0.0, False
        )
        for i in range(STEPS)
    ]


def test_all_networks_of_trail_are_asked(moments: list[Moment]) -> None:
    agent, compared = made("trail", "env.proprioception=false"), as_tensors(pictures(1, 1))
    moments = [moment._replace(observation=_without_proprio(moment)) for moment in moments]
    found = explain(agent, moments, compared)
    assert agent.reward_model is not None and agent.critic is not None
    assert found.discriminator is not None and found.critic is not None
    observation = as_tensors({name: np.stack([m.observation[name] for m in moments]) for name in compared})
    np.testing.assert_array_equal(found.actions, np.stack([moment.action for moment in moments]))
    assert torch.equal(torch.from_numpy(found.discriminator.scores), agent.reward_model.rewards(observation))
    np.testing.assert_allclose(found.distributions.sum(1), 1, rtol=1e-5)
    np.testing.assert_allclose(found.critic.scores, found.distributions @ found.atoms, rtol=1e-4, atol=1e-4)
    for judge in (found.discriminator, found.critic):
        assert judge.maps.shape == (-(-STEPS // MAP_EVERY), 16, 2 * 16)
    with torch.no_grad():
        logits, other = (agent.reward_model.discriminator(each) for each in (observation, compared))
    added = found.discriminator.maps.sum((1, 2))
    np.testing.assert_allclose(added, (logits[::MAP_EVERY] - other).numpy(), rtol=1e-3, atol=1e-4)


def _without_proprio(moment: Moment) -> dict[str, np.ndarray]:
    return {name: value for name, value in moment.observation.items() if name != "proprio"}


def test_the_step_at_which_an_actor_gives_up_is_found() -> None:
    agent = made("trail", "env.proprioception=false", "actor.patience=2", "actor.min_steps=3")
    assert agent.reward_model is not None
    seen = pictures(40, 2)
    with torch.no_grad():
        ascending = torch.argsort(agent.reward_model.discriminator(as_tensors(seen))).tolist()
    moments = [Moment({camera: seen[camera][i] for camera in seen}, np.zeros(4, "f4"), 0.0, False) for i in ascending]
    # The first picture is not judged; of scores that only rise, each from the second on exceeds the median.
    assert stopped(agent, moments[:6]) == 2
    assert stopped(agent, moments[5::-1]) is None


def test_a_reward_belongs_to_the_observation_that_it_came_with() -> None:
    agent = made("d4pgfd", "env.proprioception=false", "actor.early_stop=ground_truth", "actor.patience=1")
    moments = [Moment({}, np.zeros(4, "f4"), reward, False) for reward in (0.0, 0.0, 1.0, 0.0, 0.0)]
    assert stopped(agent, moments) == 2


def test_a_cloned_policy_has_only_its_actions_to_show(moments: list[Moment]) -> None:
    found = explain(made("bc", "env.proprioception=false"), moments, as_tensors(pictures(1, 1)))
    assert (found.discriminator, found.critic, found.stopped) == (None, None, None)
    assert found.distributions.shape == (STEPS, 0)
