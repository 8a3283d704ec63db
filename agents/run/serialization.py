"""Nested state as JSON and named tensors, exactly and without pickling.

JSON holds the structure of the state and everything small; what JSON cannot express is an object with one key that
starts with "$":

    {"$tensor": name}            a torch tensor; {"$channels_last": name} one in that memory format
    {"$array": name}             a NumPy array
    {"$float": "nan"}            a float that is not finite
    {"$tuple": [...]}            a tuple
    {"$mapping": [[key, value]]} a mapping with keys that are not strings (optimizers number their parameters)
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

Tensors = dict[str, torch.Tensor]


def pack(state: Any) -> tuple[Any, Tensors]:
    """Splits state into a JSON document and the tensors that it names.

    NumPy scalars become Python numbers, and every mapping becomes a dict.

    Raises:
        TypeError: If something cannot be represented; names its location.
    """
    tensors: Tensors = {}
    return _pack(state, "state", tensors), tensors


def unpack(document: Any, tensors: Mapping[str, torch.Tensor]) -> Any:  # noqa: PLR0911 (a case for each kind)
    """Restores what `pack` split; tensors are on the CPU."""
    match document:
        case list():
            return [unpack(entry, tensors) for entry in document]
        case {"$tensor": name}:
            return tensors[name]
        case {"$channels_last": name}:
            return tensors[name].contiguous(memory_format=torch.channels_last)
        case {"$array": name}:
            return tensors[name].numpy()
        case {"$float": text}:
            return float(text)
        case {"$tuple": entries}:
            return tuple(unpack(entry, tensors) for entry in entries)
        case {"$mapping": pairs}:
            return {unpack(key, tensors): unpack(value, tensors) for key, value in pairs}
        case dict():
            return {key: unpack(value, tensors) for key, value in document.items()}
        case _:
            return document


def _pack(value: Any, place: str, tensors: Tensors) -> Any:  # noqa: PLR0911 (a case for each kind)
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return float(value) if math.isfinite(value) else {"$float": str(float(value))}
        case np.generic():
            return _pack(value.item(), place, tensors)
        case torch.Tensor():
            kind = "$channels_last" if _is_channels_last(value) else "$tensor"
            # A separate copy: tensors of one state may be views of each other, which safetensors rejects.
            copy = value.detach().cpu().clone(memory_format=torch.contiguous_format)
            return {kind: _put(copy, place, tensors)}
        case np.ndarray() if value.dtype.kind in "biuf":
            return {"$array": _put(torch.from_numpy(np.array(value, order="C")), place, tensors)}
        case list():
            return [_pack(entry, f"{place}/{index}", tensors) for index, entry in enumerate(value)]
        case tuple() if type(value) is tuple:
            return {"$tuple": [_pack(entry, f"{place}/{index}", tensors) for index, entry in enumerate(value)]}
        case Mapping() if all(isinstance(key, str) and not key.startswith("$") for key in value):
            return {key: _pack(entry, f"{place}/{key}", tensors) for key, entry in value.items()}
        case Mapping() if all(isinstance(key, str | int) for key in value):
            return {"$mapping": [[key, _pack(entry, f"{place}/{key}", tensors)] for key, entry in value.items()]}
        case _:
            raise TypeError(f"{place} is a {type(value).__name__}: a checkpoint cannot hold that")


def _put(tensor: torch.Tensor, place: str, tensors: Tensors) -> str:
    """Stores a tensor under its location, or a variant of it: the keys 1 and "1" would share one."""
    while place in tensors:
        place += "'"
    tensors[place] = tensor
    return place


def _is_channels_last(tensor: torch.Tensor) -> bool:
    return tensor.dim() == 4 and not tensor.is_contiguous() and tensor.is_contiguous(memory_format=torch.channels_last)
