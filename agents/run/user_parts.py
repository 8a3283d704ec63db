"""Parts of a run that users provide by import path, and how they are tested before a run starts."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from torch import nn

from trailkit.agents.networks.testing import check_stack
from trailkit.discriminators.base import DiscriminatorLoss
from trailkit.discriminators.testing import check_loss
from trailkit.envs.errors import UserError
from trailkit.envs.imports import imported, one_line


def own_stack(path: str) -> Callable[[], nn.Module]:
    """The user's `encoder.stack`, MODULE:NAME: makes a module that maps images to [B, C, h, w].

    Raises:
        UserError: If it does not exist.
    """
    stack: Callable[[], nn.Module] = imported("encoder.stack", path)
    return stack


def own_loss(path: str) -> DiscriminatorLoss:
    """The user's `discriminator.loss`, MODULE:NAME.

    Raises:
        UserError: If it does not exist.
    """
    loss: DiscriminatorLoss = imported("discriminator.loss", path)
    return loss


def check_own_stack(path: str, shapes: Iterable[tuple[int, int, int]]) -> None:
    """Checks that a stack fulfils the contract of `check_stack` with images of each shape [H, W, channels].

    Raises:
        UserError: If it does not, or does not exist.
    """
    stack = own_stack(path)
    for height, width, channels in sorted(set(shapes)):
        with _kept(f"encoder.stack={path}", f" on images {[height, width, channels]}"):
            check_stack(stack, height, width, channels)


def check_own_loss(path: str) -> None:
    """Checks that a loss fulfils the contract of `check_loss`.

    Raises:
        UserError: If it does not, or does not exist.
    """
    loss = own_loss(path)
    with _kept(f"discriminator.loss={path}"):
        check_loss(loss)


@contextmanager
def _kept(said: str, tried: str = "") -> Iterator[None]:
    """Turns contract violations and other errors into a one-line error about the user's setting."""
    try:
        yield
    except AssertionError as error:
        raise UserError(f"{said}: {' '.join(str(error).split())}") from error
    except Exception as error:
        raise UserError(f"{said} fails{tried}: {one_line(error)}") from error
