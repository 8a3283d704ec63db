"""An update as one CUDA graph."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor

Batch = TypeVar("Batch")
_EAGER = 3  # updates made as they are written: they make the optimisers' states, and let cuDNN choose its algorithms


class Graphed(Generic[Batch]):
    """Launches the kernels of an update together, as they were recorded: one by one that takes longer than they run.

    The update must do the same with every batch: no number of it may be looked at on the CPU, and all batches have the
    same shapes. See "Accelerating PyTorch with CUDA Graphs"
    (https://pytorch.org/blog/accelerating-pytorch-with-cuda-graphs).
    """

    def __init__(
        self, update: Callable[[Batch], Mapping[str, Tensor]], generators: Sequence[torch.Generator] = ()
    ) -> None:
        """Records nothing yet.

        Args:
            update: learns from a batch of tensors on a GPU, and returns scalars there.
            generators: all of the GPU's that it draws from.
        """
        self._update = update
        self._generators = generators
        self._calls = 0
        self._graph: torch.cuda.CUDAGraph | None = None
        self._batch: Batch
        self._metrics: Mapping[str, Tensor]

    def __call__(self, batch: Batch) -> Mapping[str, Tensor]:
        """Makes an update; what it returns is overwritten by the next."""
        self._calls += 1
        if self._calls <= _EAGER:
            return self._make_aside(batch)
        if self._graph is None:
            self._record(batch)
        else:
            for kept, new in zip(_tensors(self._batch), _tensors(batch), strict=True):
                kept.copy_(new)
        assert self._graph is not None
        self._graph.replay()
        return self._metrics

    def _make_aside(self, batch: Batch) -> Mapping[str, Tensor]:
        """Makes an update as it is written, on a stream of its own, as those have to be that go before a recording."""
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            metrics = self._update(batch)
        torch.cuda.current_stream().wait_stream(stream)
        return metrics

    def _record(self, batch: Batch) -> None:
        """Records an update on the memory of this batch, into which those to come are copied; makes none."""
        self._batch, self._graph = batch, torch.cuda.CUDAGraph()
        for generator in self._generators:
            self._graph.register_generator_state(generator)
        # Other threads go on copying batches to the GPU meanwhile.
        with torch.cuda.graph(self._graph, capture_error_mode="thread_local"):
            self._metrics = self._update(batch)


def _tensors(node: Any) -> Iterator[Tensor]:
    """Yields the tensors of nested tuples and mappings, in order."""
    match node:
        case Tensor():
            yield node
        case Mapping():
            for value in node.values():
                yield from _tensors(value)
        case tuple():
            for part in node:
                yield from _tensors(part)
