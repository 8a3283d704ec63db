"""Parts of a run that users bring by their import paths, tried before anything is made of them."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from trailkit.discriminators.base import DiscriminatorLoss
from trailkit.discriminators.testing import made_up_judgement
from trailkit.envs.errors import UserError
from trailkit.envs.imports import imported, one_line


def own_stack(path: str, sizes: Mapping[str, tuple[int, int]], frame_stack: int = 1) -> Callable[[], nn.Module]:
    """What `encoder.stack` names: makes a module that maps images to [B, C, h, w].

    Args:
        path: MODULE:NAME.
        sizes: Height and width of each camera's images.
        frame_stack: How many frames of three channels these are made of.

    Raises:
        UserError: If there is no such thing, or it does something else with images of these sizes.
    """
    stack: Callable[[], nn.Module] = imported("encoder.stack", path)
    said = f"encoder.stack={path}"
    with torch.random.fork_rng(devices=[]), torch.no_grad():  # what is made of it later is drawn as if it were not
        for height, width in sorted(set(sizes.values())):
            for dtype in (torch.uint8, torch.float32):
                images = torch.zeros(2, height, width, 3 * frame_stack, dtype=dtype)
                try:
                    made = stack()
                    if not isinstance(made, nn.Module):
                        raise UserError(f"{said} makes a {type(made).__name__}: a torch.nn.Module is expected")
                    maps = made(images)
                except UserError:
                    raise
                except Exception as error:
                    tried = f"{dtype} images {list(images.shape)}"
                    raise UserError(f"{said} fails on {tried}: {one_line(error)}") from error
                _check_maps(said, maps)
    return stack


def _check_maps(said: str, maps: object) -> None:
    if not isinstance(maps, Tensor):
        raise UserError(f"{said} gives a {type(maps).__name__}: one tensor [B, C, h, w] is expected")
    if maps.ndim != 4 or len(maps) != 2 or not maps.numel():
        raise UserError(f"{said} gives {list(maps.shape)} of two images: [2, C, h, w] is expected")
    if not maps.is_floating_point():
        raise UserError(f"{said} gives {maps.dtype}: float32 is expected")


def own_loss(path: str) -> DiscriminatorLoss:
    """What `discriminator.loss` names.

    Raises:
        UserError: If there is no such thing, or it is no scalar with a gradient.
    """
    loss: DiscriminatorLoss = imported("discriminator.loss", path)
    said = f"discriminator.loss={path}"
    with torch.random.fork_rng(devices=[]):
        try:
            value = loss(made_up_judgement())
        except Exception as error:
            raise UserError(f"{said} fails: {one_line(error)}") from error
    if not isinstance(value, Tensor) or value.shape != ():
        shape = f"a tensor {list(value.shape)}" if isinstance(value, Tensor) else f"a {type(value).__name__}"
        raise UserError(f"{said} gives {shape}: a tensor without axes is expected, such as a mean")
    if not value.requires_grad:
        raise UserError(f"{said} has no gradient: make it of the judgement's own tensors")
    return loss
