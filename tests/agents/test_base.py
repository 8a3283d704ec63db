"""The crossing from NumPy to torch."""

import numpy as np
import torch

from trailkit.agents.base import as_tensors
from trailkit.replay.transition import ImitationBatch, Pair, Transition


def numpy_transition() -> Transition:
    return Transition(
        observation={"front": np.zeros((2, 4, 4, 3), np.uint8)},
        action=np.zeros((2, 1), np.float32),
        reward=np.zeros((2, 1), np.float32),
        discount=np.ones((2, 1), np.float32),
        next_observation={"front": np.zeros((2, 1, 4, 4, 3), np.uint8)},
        steps=np.ones(2, np.int64),
        age=np.zeros(2, np.int64),
        key=np.zeros(2, np.int64),
        weight=np.ones(2, np.float64),
        probability=np.ones(2, np.float64),
    )


def test_named_tuples_keep_their_types_and_none_stays() -> None:
    batch = as_tensors(ImitationBatch(Pair(numpy_transition(), numpy_transition())))
    assert isinstance(batch, ImitationBatch)
    assert isinstance(batch.train.agent, Transition)
    assert batch.constraint is None
    assert batch.train.agent.observation["front"].dtype == torch.uint8


def test_tensors_share_the_arrays_memory() -> None:
    transition = numpy_transition()
    tensors = as_tensors(transition)
    transition.action[0, 0] = 0.5
    assert tensors.action[0, 0] == 0.5


def test_a_read_only_array_is_copied_without_a_warning() -> None:
    array = np.zeros(3)
    array.flags.writeable = False
    tensor = as_tensors(array)
    assert isinstance(tensor, torch.Tensor)
    tensor += 1
    assert array.sum() == 0
