"""Random numbers drawn on the device that uses them, so that an update on a GPU needs no copy or synchronisation."""

import hashlib

import torch
from torch import Tensor


def make_generator(device: torch.device | str, seed: int) -> torch.Generator:
    """A seeded random number generator on a device."""
    return torch.Generator(device).manual_seed(seed)


def restore(generator: torch.Generator, state: Tensor) -> None:
    """Restores a state that `get_state` returned.

    A state from another kind of device has another length and is only used as a seed: the draws that follow are
    equally random, but do not continue the saved sequence.
    """
    if state.numel() == generator.get_state().numel():
        generator.set_state(state)
    else:
        digest = hashlib.sha256(state.numpy().tobytes()).digest()
        generator.manual_seed(int.from_bytes(digest[:7], "big"))
