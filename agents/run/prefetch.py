"""Copies batches to the GPU before they are requested."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

from trailkit.agents.base import as_tensors

Batch = TypeVar("Batch")


def on_device(batches: Iterator[Batch], device: torch.device) -> Iterator[Batch]:
    """Moves each batch to the device, lazily."""
    return (as_tensors(batch, device) for batch in batches)


def ahead_on_gpu(batches: Iterator[Batch], device: torch.device) -> Iterator[Batch]:
    """Draws each batch and copies it to the GPU while the previous one is learned from, in its own thread and stream.

    Only for endless batches that may be drawn while others write to their source. The caller must be done with the
    previous batch before requesting the next, on the GPU, too, where its memory is reused. A checkpoint then contains
    the sampling state from one batch ahead, so a run resumed from it skips that batch.
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
