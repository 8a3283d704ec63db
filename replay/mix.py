"""Combines the agent's and the expert's transitions, as NumPy arrays."""

from collections.abc import Iterator, Sequence

import numpy as np

from trailkit.envs.errors import UserError
from trailkit.replay.transition import ImitationBatch, Observation, Pair, Transition


def concatenate(transitions: Sequence[Transition]) -> Transition:
    """Joins batches of transitions into one, in order.

    Raises:
      UserError: If the batches differ in their observations, their action size or their number of steps.
    """
    first = transitions[0]
    for other in transitions[1:]:
        _check_alike(first, other)
        if first.reward.shape[1:] != other.reward.shape[1:]:
            raise UserError(
                f"windows of {first.reward.shape[1]} and of {other.reward.shape[1]} steps cannot share a batch: "
                "give both sources the same n_step"
            )
    joined = {
        field: np.concatenate([getattr(each, field) for each in transitions])
        for field in ("action", "reward", "discount", "steps", "age", "key", "weight", "probability")
    }
    return Transition(
        observation=_join([each.observation for each in transitions]),
        next_observation=_join([each.next_observation for each in transitions]),
        **joined,
    )


def pairs(agent: Iterator[Transition], expert: Iterator[Transition]) -> Iterator[ImitationBatch]:
    """Yields what GAIL's discriminator trains on: a batch of the agent's and one of the expert's transitions.

    Raises:
      UserError: If the two differ in size or in their observations or actions.
    """
    for of_agent, of_expert in zip(agent, expert, strict=True):
        _check_alike(of_agent, of_expert)
        if len(of_agent.action) != len(of_expert.action):
            raise UserError(
                f"a pair needs as many of the agent's transitions as of the expert's, got {len(of_agent.action)} and "
                f"{len(of_expert.action)}"
            )
        yield ImitationBatch(train=Pair(agent=of_agent, expert=of_expert))


def constrained_pairs(batches: Iterator[ImitationBatch], early: Iterator[Pair]) -> Iterator[ImitationBatch]:
    """Adds constraining sets, I_A and I_E, to batches; TRAIL's constraint uses them (Zolna et al. 2020, §4).

    Raises:
      UserError: If they differ from the batches in their observations or actions.
    """
    for batch, pair in zip(batches, early, strict=True):
        _check_alike(batch.train.agent, pair.agent)
        yield batch._replace(constraint=pair)


def _check_alike(one: Transition, other: Transition) -> None:
    """Raises a `UserError` unless observations and actions have the same names and sizes."""
    sizes = [{name: tuple(value.shape[1:]) for name, value in each.observation.items()} for each in (one, other)]
    if sizes[0] != sizes[1]:
        raise UserError(
            f"two sources disagree on observations: {sizes[0]} and {sizes[1]}. Record the demonstrations with the "
            "cameras and sizes that the environment has"
        )
    if one.action.shape[1:] != other.action.shape[1:]:
        raise UserError(
            f"two sources disagree on the action size: {one.action.shape[1]} and {other.action.shape[1]}. Record the "
            "demonstrations in the action space that the environment has"
        )


def _join(observations: Sequence[Observation]) -> Observation:
    return {name: np.concatenate([each[name] for each in observations]) for name in observations[0]}
