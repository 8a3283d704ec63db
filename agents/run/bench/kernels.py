"""The floor under an update: what its convolutions and matrix products take by themselves.

An update is made once while what PyTorch is asked for is listened to; then each convolution and product, forwards and
backwards, is made alone, on tensors of the same shapes, strides and types.
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
    """What makes one tensor as fast to work on as another."""

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
    """Notes the calls that do the work."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.calls: list[tuple[Any, Any]] = []  # operation, and its arguments with layouts in place of tensors

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.overloadpacket.__name__ in _NAMES:
            self.calls.append((func, tree_map_only(Tensor, _Layout.of, (args, kwargs or {}))))
        return func(*args, **(kwargs or {}))


def kernels_of(update: Callable[[], object]) -> Callable[[], None]:
    """Makes an update once, and returns what makes its convolutions and products alone, without gradients."""
    with _Listener() as listener:
        update()
    made = [
        (func, *tree_map_only(_Layout, _Layout.make, arguments))  # a tensor of its own for each, as in the update
        for func, arguments in listener.calls
    ]

    @torch.no_grad()
    def call_all() -> None:
        for func, args, kwargs in made:
            func(*args, **kwargs)

    return call_all
