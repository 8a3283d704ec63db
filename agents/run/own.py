"""Parts of a run that users bring by their import paths, tried before anything is made of them."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import nn

from trailkit.agents.networks.testing import check_stack
from trailkit.discriminators.base import DiscriminatorLoss
from trailkit.discriminators.testing import check_loss
from trailkit.envs.errors import UserError
from trailkit.envs.imports import imported, one_line


def own_stack(path: str, sizes: Mapping[str, tuple[int, int]], frame_stack: int = 1) -> Callable[[], nn.Module]:
    """What `encoder.stack` names: makes a module that maps images to [B, C, h, w].

    Args:
        path: MODULE:NAME.
        sizes: Height and width of each camera's images.
        frame_stack: How many frames of three channels these are made of.

    Raises:
        UserError: If there is no such thing, or it does not keep the contract of `check_stack` with such images.
    """
    stack: Callable[[], nn.Module] = imported("encoder.stack", path)
    for height, width in sorted(set(sizes.values())):
        with _kept(f"encoder.stack={path}", f" on images {[height, width, 3 * frame_stack]}"), torch.enable_grad():
            check_stack(stack, height, width, 3 * frame_stack)
    return stack


def own_loss(path: str) -> DiscriminatorLoss:
    """What `discriminator.loss` names.

    Raises:
        UserError: If there is no such thing, or it does not keep the contract of `check_loss`.
    """
    loss: DiscriminatorLoss = imported("discriminator.loss", path)
    with _kept(f"discriminator.loss={path}"):
        check_loss(loss)
    return loss


@contextmanager
def _kept(said: str, tried: str = "") -> Iterator[None]:
    """Turns what a contract names, and what fails under it, into one line about what the user said."""
    try:
        yield
    except AssertionError as error:
        raise UserError(f"{said}: {' '.join(str(error).split())}") from error
    except Exception as error:
        raise UserError(f"{said} fails{tried}: {one_line(error)}") from error
