"""Generators: their own state is gone on from to the last bit, a foreign one gives other numbers."""

import torch

from trailkit.discriminators.generators import make_generator, restore


def draw(generator: torch.Generator) -> list[float]:
    return torch.rand(4, generator=generator).tolist()


def test_its_own_state_gives_the_same_numbers() -> None:
    generator, other = make_generator("cpu", 1), make_generator("cpu", 2)
    draw(generator)
    restore(other, generator.get_state())
    assert draw(other) == draw(generator)


def test_the_state_of_another_device_gives_new_numbers_and_the_same_ones_each_time() -> None:
    foreign = torch.arange(16, dtype=torch.uint8)  # as long as a CUDA generator's
    drawn = []
    for state in (foreign, foreign, foreign + 1):
        generator = make_generator("cpu", 1)
        restore(generator, state)
        drawn.append(draw(generator))
    assert drawn[0] == drawn[1] != drawn[2]
    assert draw(make_generator("cpu", 1)) not in drawn
