"""Random numbers that are drawn where they are used, so that an update on a GPU neither waits nor copies for them."""

import hashlib

import torch
from torch import Tensor


def make_generator(device: torch.device | str, seed: int) -> torch.Generator:
    """A seeded generator of numbers on a device."""
    return torch.Generator(device).manual_seed(seed)


def restore(generator: torch.Generator, state: Tensor) -> None:
    """Goes on from a state that `get_state` returned.

    That of another kind of device, which is of another length, only seeds this one: what is drawn from there on is as
    random, and not what was drawn before.
    """
    if state.numel() == generator.get_state().numel():
        generator.set_state(state)
    else:
        digest = hashlib.sha256(state.numpy().tobytes()).digest()
        generator.manual_seed(int.from_bytes(digest[:7], "big"))
