"""The lower bound of an update's time: its convolutions and matrix products alone.

PyTorch's operations are recorded during one update; then each convolution and product, forward and backward, is run
alone, on tensors of the same shapes, strides and dtypes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only

_NAMES = frozenset({"convolution", "convolution_backward", "mm", "addmm", "bmm", "baddbmm", "mv", "addmv", "dot"})


@dataclass(frozen=True)
class _Layout:
    """The properties of a tensor that determine the speed of operations on it."""

    shape: tuple[int, ...]
    stride: tuple[int, ...]
    dtype: torch.dtype
    device: torch.device

    @classmethod
    def of(cls, tensor: Tensor) -> "_Layout":
        return cls(tuple(tensor.shape), tensor.stride(), tensor.dtype, tensor.device)

    def make(self) -> Tensor:
        return torch.empty_strided(self.shape, self.stride, dtype=self.dtype, device=self.device).normal_()


class _Listener(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Records the calls that do the work."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.calls: list[tuple[Any, Any]] = []  # operation, and its arguments with layouts in place of tensors

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.overloadpacket.__name__ in _NAMES:
            self.calls.append((func, tree_map_only(Tensor, _Layout.of, (args, kwargs or {}))))
        return func(*args, **(kwargs or {}))


def kernels_of(update: Callable[[], object]) -> Callable[[], None]:
    """Makes an update once, and returns a function that runs only its convolutions and products, without gradients."""
    with _Listener() as listener:
        update()
    made = [
        (func, *tree_map_only(_Layout, _Layout.make, arguments))  # a separate tensor for each, as in the update
        for func, arguments in listener.calls
    ]

    @torch.no_grad()
    def call_all() -> None:
        for func, args, kwargs in made:
            func(*args, **kwargs)

    return call_all
