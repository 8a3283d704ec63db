"""Batches that are on the GPU before they are asked for."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

from trailkit.agents.base import as_tensors

Batch = TypeVar("Batch")


def on_device(batches: Iterator[Batch], device: torch.device) -> Iterator[Batch]:
    """Turns batches of arrays into such of tensors, each when it is asked for."""
    return (as_tensors(batch, device) for batch in batches)


def ahead_on_gpu(batches: Iterator[Batch], device: torch.device) -> Iterator[Batch]:
    """Draws each batch and copies it to the GPU while the one before is learned from, in a thread and a stream.

    Only for endless batches that may be drawn while others write to where they come from. Whoever asks for a batch must
    be done with the one before: on the GPU, too, where its memory is used again. A checkpoint meanwhile finds the state
    of what is sampled from one batch ahead, so that a run that is resumed from it leaves that batch out.
    """
    stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    def draw() -> Batch:
        with torch.cuda.stream(stream):
            batch = as_tensors(next(batches), device)
        stream.synchronize()
        return batch

    thread = ThreadPoolExecutor(1, "batches")
    try:
        upcoming = thread.submit(draw)
        while True:
            batch = upcoming.result()
            upcoming = thread.submit(draw)
            yield batch
    finally:
        thread.shutdown(wait=False, cancel_futures=True)  # it may be waiting for episodes that never come
