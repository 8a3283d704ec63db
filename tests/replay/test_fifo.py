"""Tests of the queue that an in-process replay keeps its books in."""

from collections import deque

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from trailkit.replay.fifo import FifoArray


@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 400)), max_size=30))
def test_it_behaves_as_a_queue(moves: list[tuple[int, int]]) -> None:
    fifo, model, number = FifoArray(), deque[int](), 0
    for arriving, leaving in moves:
        fifo.extend(np.arange(number, number + arriving))
        model.extend(range(number, number + arriving))
        number += arriving
        taken = [model.popleft() for _ in range(min(leaving, len(model)))]
        assert fifo.take(leaving).tolist() == taken
        assert fifo.values.tolist() == list(model)
        assert len(fifo) == len(model)
