"""An update as one CUDA graph."""

from collections.abc import Callable, Mapping, Sequence
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
            copy_into(self._batch, batch)
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
        graph = torch.cuda.CUDAGraph()
        for generator in self._generators:
            graph.register_generator_state(generator)
        # Other threads go on copying batches to the GPU meanwhile.
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            self._metrics = self._update(batch)
        self._batch, self._graph = batch, graph


def copy_into(kept: Any, new: Any) -> None:
    """Copies the tensors of nested tuples and mappings into those of others like them."""
    match kept:
        case Tensor():
            if kept.shape != new.shape or kept.dtype != new.dtype:
                raise ValueError(
                    f"a batch of {new.dtype} {list(new.shape)}: before it was {kept.dtype} {list(kept.shape)}"
                )
            kept.copy_(new)
        case Mapping():
            if kept.keys() != new.keys():
                raise ValueError(f"a batch of {', '.join(new)}: before it was {', '.join(kept)}")
            for name, value in kept.items():
                copy_into(value, new[name])
        case tuple():
            for part, other in zip(kept, new, strict=True):
                copy_into(part, other)
