"""Which parts of a picture a number depends on, such as the discriminator's logit or the critic's value.

Each cell of a grid over the pictures gets its Shapley value in the game of changing a reference picture into the one
that is asked about: how much revealing it changes the number, on average over the orders in which cells are revealed,
estimated from random orders (Castro et al. 2009, "Polynomial calculation of the Shapley value based on sampling"). The
values of all cells sum up to the difference that the whole picture makes. References are pictures of what one compares
with, such as the expert's beside the agent's: what both have in common counts for nothing.
"""

from collections.abc import Callable, Iterator

import torch
from jaxtyping import Float, Int
from torch import Tensor

from trailkit.replay.transition import Observation


@torch.no_grad()
def attribute(
    function: Callable[[Observation], Float[Tensor, " batch"]],
    frames: Observation,
    references: Observation,
    cells: int = 16,
    orders: int = 4,
    seed: int = 0,
) -> dict[str, Float[Tensor, "batch cells cells"]]:
    """Finds what each cell adds to a function of the pictures.

    Args:
        function: Of the cameras' pictures, a number for each of the batch.
        frames: The pictures that are asked about, [B, H, W, 3] a camera.
        references: Those to compare with, [R, H, W, 3] a camera; each order takes one of them for each frame.
        cells: On each side of a picture.
        orders: Of revealing the cells; half of them are the other half backwards, which cancels much of the noise.
        seed: Of the orders and the references.

    Returns:
        For each camera, the values of its cells.
    """
    generator = torch.Generator().manual_seed(seed)
    cameras = list(frames)
    count, total = len(frames[cameras[0]]), len(cameras) * cells**2
    values = torch.zeros(count, total)
    for order in _orders(total, orders, generator):
        chosen = torch.randint(len(references[cameras[0]]), (count,), generator=generator)
        shown = {camera: references[camera][chosen] for camera in cameras}
        before = function(shown)
        for cell in order.tolist():
            camera, place = cameras[cell // cells**2], cell % cells**2
            rows, columns = (_edges(cells, side, each) for side, each in _place(shown[camera], place, cells))
            shown[camera][:, rows, columns] = frames[camera][:, rows, columns]
            now = function(shown)
            values[:, cell] += ((now - before) / orders).cpu()
            before = now
    parts = values.view(count, len(cameras), cells, cells).unbind(1)
    return dict(zip(cameras, parts, strict=True))


def _orders(total: int, orders: int, generator: torch.Generator) -> Iterator[Int[Tensor, " total"]]:
    for number in range(orders):
        if number % 2 == 0:
            order = torch.randperm(total, generator=generator)
        yield order if number % 2 == 0 else order.flip(0)


def _place(images: Tensor, place: int, cells: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Height and row, width and column of a cell."""
    return (images.shape[1], place // cells), (images.shape[2], place % cells)


def _edges(cells: int, side: int, index: int) -> slice:
    """The pixels of the cells of an index along a side; those of sides that cells do not divide differ by one."""
    return slice(side * index // cells, side * (index + 1) // cells)
