"""Parts of a run that users bring by their import paths, and how they are tried before a run begins."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from torch import nn

from trailkit.agents.networks.testing import check_stack
from trailkit.discriminators.base import DiscriminatorLoss
from trailkit.discriminators.testing import check_loss
from trailkit.envs.errors import UserError
from trailkit.envs.imports import imported, one_line


def own_stack(path: str) -> Callable[[], nn.Module]:
    """What `encoder.stack` names, MODULE:NAME: makes a module that maps images to [B, C, h, w].

    Raises:
        UserError: If there is no such thing.
    """
    stack: Callable[[], nn.Module] = imported("encoder.stack", path)
    return stack


def own_loss(path: str) -> DiscriminatorLoss:
    """What `discriminator.loss` names, MODULE:NAME.

    Raises:
        UserError: If there is no such thing.
    """
    loss: DiscriminatorLoss = imported("discriminator.loss", path)
    return loss


def check_own_stack(path: str, shapes: Iterable[tuple[int, int, int]]) -> None:
    """Makes sure that a stack keeps the contract of `check_stack` with images of each shape [H, W, channels].

    Raises:
        UserError: If it does not, or there is no such thing.
    """
    stack = own_stack(path)
    for height, width, channels in sorted(set(shapes)):
        with _kept(f"encoder.stack={path}", f" on images {[height, width, channels]}"):
            check_stack(stack, height, width, channels)


def check_own_loss(path: str) -> None:
    """Makes sure that a loss keeps the contract of `check_loss`.

    Raises:
        UserError: If it does not, or there is no such thing.
    """
    loss = own_loss(path)
    with _kept(f"discriminator.loss={path}"):
        check_loss(loss)


@contextmanager
def _kept(said: str, tried: str = "") -> Iterator[None]:
    """Turns what a contract names, and what fails under it, into one line about what the user said."""
    try:
        yield
    except AssertionError as error:
        raise UserError(f"{said}: {' '.join(str(error).split())}") from error
    except Exception as error:
        raise UserError(f"{said} fails{tried}: {one_line(error)}") from error
