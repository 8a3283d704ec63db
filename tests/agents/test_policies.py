"""Policies: ranges, seeds, and weights taken over."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from transitions import ACTION_SIZE, random_transition, small_networks

from trailkit.agents.base import Policy, as_tensors
from trailkit.agents.networks.heads import PolicyNetwork
from trailkit.agents.policies import ExplorationPolicy, GreedyPolicy, RandomPolicy


def observation() -> dict[str, np.ndarray]:  # type: ignore[type-arg]
    return {name: value[0].numpy() for name, value in random_transition(0).observation.items()}


@pytest.mark.parametrize(
    "policy",
    [
        GreedyPolicy(small_networks()[0]),
        ExplorationPolicy(small_networks()[0], deviations=(2.0,)),
        RandomPolicy(ACTION_SIZE),
    ],
    ids=lambda policy: type(policy).__name__,
)
def test_actions_are_float32_within_bounds(policy: Policy) -> None:
    assert isinstance(policy, Policy)
    for _ in range(20):
        policy.reset()
        action = policy.act(observation())
        assert action.dtype == np.float32
        assert action.shape == (ACTION_SIZE,)
        assert np.abs(action).max() <= 1


def test_greedy_does_what_the_loaded_network_says() -> None:
    acting, learned = small_networks()[0], small_networks()[0]
    torch.nn.init.normal_(learned.head.joint[2].weight)  # type: ignore[arg-type]
    policy = GreedyPolicy(acting)
    before = policy.act(observation())
    policy.load({"policy": learned.state_dict()})
    with torch.no_grad():
        batch = {name: torch.from_numpy(value)[None] for name, value in observation().items()}
        expected = learned(batch)[0].numpy()
    np.testing.assert_array_equal(policy.act(observation()), expected)
    assert not np.allclose(before, expected)


@pytest.mark.parametrize("make", [GreedyPolicy, lambda network: ExplorationPolicy(network, deviations=(0.0,))])
def test_a_policy_of_stacked_frames_remembers_until_the_next_episode(make: Callable[[PolicyNetwork], Policy]) -> None:
    network = small_networks(frame_stack=2)[0]
    torch.nn.init.normal_(network.head.joint[2].weight)  # type: ignore[arg-type]
    policy = make(network)
    first, second = observation(), {**observation(), "front": random_transition(1).observation["front"][0].numpy()}

    def expected(*seen: dict[str, np.ndarray]) -> np.ndarray:  # type: ignore[type-arg]
        pictures = np.concatenate([each["front"] for each in seen], -1)
        with torch.no_grad():
            return network(as_tensors({"front": pictures[None], "proprio": first["proprio"][None]}))[0].numpy()

    for _ in range(2):
        policy.reset()
        np.testing.assert_array_equal(policy.act(first), expected(first, first))
        np.testing.assert_array_equal(policy.act(second), expected(first, second))
    assert not np.allclose(expected(first, second), expected(second, second))


def test_a_policy_keeps_its_weights_when_the_network_it_came_from_learns_on() -> None:
    network = small_networks()[0]
    policy = GreedyPolicy(network)
    before = policy.act(observation())
    torch.nn.init.normal_(network.head.joint[2].weight)  # type: ignore[arg-type]
    np.testing.assert_array_equal(policy.act(observation()), before)


def test_exploration_is_reproducible_and_its_deviation_drawn_for_each_episode() -> None:
    network = small_networks()[0]
    policies = [ExplorationPolicy(network, deviations=(0.0, 0.3), seed=7) for _ in range(2)]
    noisy = []
    for _ in range(20):
        for policy in policies:
            policy.reset()
        first, second = (policy.act(observation()) for policy in policies)
        np.testing.assert_array_equal(first, second)
        noisy.append(not np.array_equal(first, GreedyPolicy(network).act(observation())))
    assert any(noisy)
    assert not all(noisy)


def test_noise_goes_on_into_the_next_steps_and_its_deviation_stays() -> None:
    network = small_networks()[0]
    for parameter in network.parameters():
        torch.nn.init.zeros_(parameter)  # so that the action is the noise
    policy = ExplorationPolicy(network, deviations=(0.2,), correlation=0.7, seed=0)
    noise = np.stack([policy.act(observation()) for _ in range(4000)])
    assert noise.std() == pytest.approx(0.2, rel=0.05)
    assert np.corrcoef(noise[:-1].ravel(), noise[1:].ravel())[0, 1] == pytest.approx(0.7, abs=0.03)


@pytest.mark.parametrize(
    "make", [lambda: ExplorationPolicy(small_networks()[0], seed=3), lambda: RandomPolicy(3, seed=3)]
)
def test_noise_that_episodes_were_played_with_does_not_come_again(
    make: Callable[[], ExplorationPolicy | RandomPolicy],
) -> None:
    torch.manual_seed(0)
    begun = make()
    state = begun.state_dict()
    played = begun.act(observation())

    def goes_on(episodes_since: int) -> NDArray[np.float32]:
        torch.manual_seed(0)
        policy = make()
        policy.load_state_dict(state, episodes_since)
        return policy.act(observation())

    np.testing.assert_array_equal(goes_on(0), played)
    assert not np.isclose(goes_on(1), played).any()
    assert not np.isclose(goes_on(2), goes_on(1)).any()
