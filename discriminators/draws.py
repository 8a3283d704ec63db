"""Random numbers that are drawn where they are used, so that an update on a GPU neither waits nor copies for them."""

import torch
from torch import Tensor


def make_generator(device: torch.device | str, seed: int) -> torch.Generator:
    """A seeded generator of numbers on a device."""
    return torch.Generator(device).manual_seed(seed)


def restore(generator: torch.Generator, state: Tensor) -> None:
    """Goes on from a state that `get_state` returned.

    That of another kind of device says nothing to this one, which goes on with its own numbers then: a training that
    is moved from a GPU to a CPU is another one in its last digits anyway.
    """
    if state.numel() == generator.get_state().numel():
        generator.set_state(state)
