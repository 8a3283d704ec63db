"""An update captured as one CUDA graph."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor

Batch = TypeVar("Batch")
_EAGER = 3  # updates before the capture: they create the optimisers' states, and let cuDNN choose its algorithms


class Graphed(Generic[Batch]):
    """Launches all kernels of an update at once from a recording: launched singly, they take longer than they run.

    The update must do the same for every batch: it must not read values on the CPU, and all batches must have the
    same shapes. See "Accelerating PyTorch with CUDA Graphs"
    (https://pytorch.org/blog/accelerating-pytorch-with-cuda-graphs).
    """

    def __init__(
        self, update: Callable[[Batch], Mapping[str, Tensor]], generators: Sequence[torch.Generator] = ()
    ) -> None:
        """Does not capture anything yet.

        Args:
            update: Learns from a batch of tensors on a GPU, and returns scalars there.
            generators: All GPU generators that it draws from.
        """
        self._update = update
        self._generators = generators
        self._calls = 0
        self._graph: torch.cuda.CUDAGraph | None = None
        self._batch: Batch
        self._metrics: Mapping[str, Tensor]

    def __call__(self, batch: Batch) -> Mapping[str, Tensor]:
        """Makes an update; the next one overwrites the returned metrics."""
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
        """Runs the update eagerly on a side stream: CUDA requires such a warm-up before capture."""
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            metrics = self._update(batch)
        torch.cuda.current_stream().wait_stream(stream)
        return metrics

    def _record(self, batch: Batch) -> None:
        """Captures an update in the memory of this batch, into which later ones are copied; does not run it."""
        graph = torch.cuda.CUDAGraph()
        for generator in self._generators:
            graph.register_generator_state(generator)
        # Meanwhile other threads continue to copy batches to the GPU.
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            self._metrics = self._update(batch)
        self._batch, self._graph = batch, graph


def copy_into(kept: Any, new: Any) -> None:
    """Copies the tensors in nested tuples and mappings into those of another structure of the same form."""
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
