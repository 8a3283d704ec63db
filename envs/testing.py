"""The contract of an environment as a test: for trailkit's own environments and for users'."""

from typing import Any

import numpy as np
from dm_env import StepType, specs

from trailkit.envs.environment import Environment


def check_environment(env: Environment, steps: int = 10) -> None:
    """Plays two episodes with the same seed, and checks everything that trailkit relies on.

    Observations fit their specs, are copies and depend only on seed and actions, as do rewards; an episode starts with
    `reset` and ends within its time limit; discounts are 1 except for 0 at a termination.

    Args:
        env: An environment as `trailkit.envs.make.make_environment` returns it.
        steps: The maximum number of steps of each episode.

    Raises:
        AssertionError: Names what is violated.
    """
    first, again = (_episode(env, steps) for _ in range(2))
    assert len(first) == len(again), "an episode's length does not follow from its seed"
    for number, (one, other) in enumerate(zip(first, again, strict=True)):
        for name, value in one.observation.items():
            np.testing.assert_array_equal(value, other.observation[name], f"{name} at step {number}, seeds being equal")
        assert one.reward == other.reward, f"rewards of step {number} differ, seeds being equal"
    assert env.render(height=48, width=64).shape == (48, 64, 3), "render gives another size than asked for"


def _episode(env: Environment, steps: int) -> list[Any]:
    random = np.random.RandomState(0)
    env.seed(1)
    timestep = env.reset()
    assert timestep.step_type is StepType.FIRST, "reset must begin an episode"
    assert timestep.reward is None, "a first step has no reward"
    played = [timestep]
    while not timestep.last() and len(played) <= steps:
        timestep = env.step(random.uniform(-1.0, 1.0, env.action_spec().shape).astype(np.float32))
        _check_step(env, timestep)
        played.append(timestep)
    assert len(played) - 1 <= env.settings.episode_steps, "an episode outlasts episode_steps"
    _check_observations(env, played)
    return played


def _check_step(env: Environment, timestep: Any) -> None:
    assert np.isfinite(timestep.reward), f"the reward is {timestep.reward}"
    assert timestep.discount == 1.0 or (timestep.last() and timestep.discount == 0.0), (
        f"the discount is {timestep.discount}: 1, but for the 0 of a termination"
    )
    assert isinstance(env.solved, bool), "solved must be a bool"


def _check_observations(env: Environment, played: list[Any]) -> None:
    spec = env.observation_spec()
    for timestep in played:
        assert set(timestep.observation) == set(spec), f"observed {set(timestep.observation)}, specified {set(spec)}"
        for name, value in timestep.observation.items():
            spec[name].validate(value)  # type: ignore[no-untyped-call]
    for name in spec:
        kept = [timestep.observation[name] for timestep in played]
        assert not any(np.shares_memory(kept[0], later) for later in kept[1:]), f"{name} is overwritten by later steps"
    for camera in env.settings.observation.cameras:
        assert isinstance(spec[camera], specs.BoundedArray), f"{camera} must have bounds"
