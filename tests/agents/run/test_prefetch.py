"""Batches drawn ahead: in order, each while the one before is used, and without waiting for what nobody needs."""

import threading
from collections.abc import Iterator
from contextlib import nullcontext

import numpy as np
import pytest
import torch

from trailkit.agents.run.prefetch import ahead_on_gpu

CPU = torch.device("cpu")


class Stream:
    def __init__(self, device: torch.device) -> None: ...

    def synchronize(self) -> None: ...


@pytest.fixture(autouse=True)
def without_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "Stream", Stream)
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: nullcontext())


def test_batches_come_in_order_and_the_next_is_drawn_while_one_is_used() -> None:
    drawn = [threading.Event() for _ in range(5)]

    def batches() -> Iterator[np.ndarray]:
        for number in range(5):
            drawn[number].set()
            yield np.array([number])

    ahead = ahead_on_gpu(batches(), CPU)
    for number in range(4):
        batch = next(ahead)
        assert isinstance(batch, torch.Tensor)
        assert batch.item() == number
        assert drawn[number + 1].wait(10)
    ahead.close()


def test_an_error_of_the_replay_reaches_who_asks() -> None:
    def batches() -> Iterator[np.ndarray]:
        yield np.zeros(1)
        raise TimeoutError("no episodes")

    ahead = ahead_on_gpu(batches(), CPU)
    next(ahead)
    with pytest.raises(TimeoutError, match="no episodes"):
        next(ahead)


def test_whoever_is_done_does_not_wait_for_a_batch_that_never_comes() -> None:
    comes = threading.Event()

    def batches() -> Iterator[np.ndarray]:
        yield np.zeros(1)
        comes.wait(60)
        yield np.zeros(1)

    ahead = ahead_on_gpu(batches(), CPU)
    next(ahead)
    closing = threading.Thread(target=ahead.close)
    closing.start()
    closing.join(5)
    comes.set()
    assert not closing.is_alive()
