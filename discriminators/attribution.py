"""Which parts of an image a number depends on, such as the discriminator's logit or the critic's value.

Each cell of a grid over the images gets its Shapley value in the game of turning a reference image into the image in
question: how much revealing the cell changes the number, averaged over the orders in which cells are revealed and
estimated from random orders (Castro et al. 2009, "Polynomial calculation of the Shapley value based on sampling"). The
values of all cells sum to the difference between the two images' numbers. References are images to compare with, such
as the expert's for an agent's image: what both have in common gets no value.
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
    """Estimates how much each cell contributes to a function of the images.

    Args:
        function: Maps the cameras' images to one number for each element of the batch.
        frames: The images in question, [B, H, W, 3] a camera.
        references: The images to compare with, [R, H, W, 3] a camera; each order draws one of them for each frame.
        cells: Cells along each side of an image.
        orders: In how many orders cells are revealed; every second one reverses the one before, which reduces noise.
        seed: Seeds the orders and the choice of references.

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
    """The height and row, and the width and column, of a cell."""
    return (images.shape[1], place // cells), (images.shape[2], place % cells)


def _edges(cells: int, side: int, index: int) -> slice:
    """The pixels of cell `index` along a side; if `cells` does not divide it, cell sizes differ by one pixel."""
    return slice(side * index // cells, side * (index + 1) // cells)
