"""What cells add to functions of which it is known."""

import itertools

import pytest
import torch
from torch import Tensor

from trailkit.discriminators.attribution import attribute
from trailkit.replay.transition import Observation


def pictures(count: int, seed: int, height: int = 8, width: int = 12) -> Observation:
    generator = torch.Generator().manual_seed(seed)
    return {
        camera: torch.randint(256, (count, height, width, 3), dtype=torch.uint8, generator=generator)
        for camera in ("front", "wrist")
    }


def test_of_a_sum_each_cell_gets_its_own_part() -> None:
    frames, reference = pictures(3, 0), pictures(1, 1)
    weights = {camera: torch.randn(8, 12, 3, generator=torch.Generator().manual_seed(2)) for camera in frames}

    def function(shown: Observation) -> Tensor:
        return sum(((shown[camera] * weights[camera]).sum((1, 2, 3)) for camera in shown), torch.zeros(()))

    found = attribute(function, frames, reference, cells=4, orders=2)
    for camera in frames:
        parts = (frames[camera].float() - reference[camera].float()) * weights[camera]
        expected = parts.sum(3).view(3, 4, 2, 4, 3).sum((2, 4))
        torch.testing.assert_close(found[camera], expected, rtol=1e-4, atol=1e-1)


def exact(function: object, frame: Tensor, reference: Tensor, cells: int) -> Tensor:
    """The Shapley values by all orders."""
    assert callable(function)
    size = frame.shape[1] // cells
    values = torch.zeros(cells * cells)
    orders = list(itertools.permutations(range(cells * cells)))
    for order in orders:
        shown = reference.clone()
        before = function({"front": shown})
        for cell in order:
            rows, columns = (slice(each * size, (each + 1) * size) for each in divmod(cell, cells))
            shown[:, rows, columns] = frame[:, rows, columns]
            now = function({"front": shown})
            values[cell] += (now - before)[0] / len(orders)
            before = now
    return values.view(1, cells, cells)


def test_the_values_are_shapleys() -> None:
    frame, reference = torch.full((1, 4, 4, 3), 200, dtype=torch.uint8), torch.zeros(1, 4, 4, 3, dtype=torch.uint8)

    def either_corner(shown: Observation) -> Tensor:
        corners = shown["front"][:, [0, 3], [0, 3], 0].float() / 200
        return torch.maximum(corners[:, 0], corners[:, 1]) + corners.prod(1) * (shown["front"][:, 0, 3, 0] > 0)

    expected = exact(either_corner, frame, reference, 2)
    assert expected[0, 0, 0].item() == pytest.approx(0.5 + 1 / 3)
    found = attribute(either_corner, {"front": frame}, {"front": reference}, cells=2, orders=2000)["front"]
    torch.testing.assert_close(found, expected, rtol=0, atol=0.03)


def test_the_values_sum_up_to_the_difference() -> None:
    frames, references = pictures(4, 0), pictures(1, 1)

    def function(shown: Observation) -> Tensor:
        return torch.tanh(shown["front"].float().mean((1, 2, 3)) - 127) * shown["wrist"].float().std((1, 2, 3))

    found = attribute(function, frames, references, cells=3, orders=3)
    totals = sum((each.sum((1, 2)) for each in found.values()), torch.zeros(()))
    torch.testing.assert_close(totals, function(frames) - function(references), rtol=1e-4, atol=1e-3)


def test_frames_and_references_stay_as_they_were() -> None:
    frames, references = pictures(2, 0), pictures(2, 1)
    attribute(lambda shown: shown["front"].float().sum((1, 2, 3)), frames, references, cells=2, orders=2)
    for before, after in ((pictures(2, 0), frames), (pictures(2, 1), references)):
        assert all(torch.equal(before[camera], after[camera]) for camera in before)


def test_orders_are_drawn_by_the_seed() -> None:
    frames, references = pictures(2, 0), pictures(5, 1)

    def function(shown: Observation) -> Tensor:
        return shown["front"].float().amax((1, 2, 3)) * shown["wrist"].float().mean((1, 2, 3))

    one, same, other = (attribute(function, frames, references, 2, 2, seed)["front"] for seed in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
