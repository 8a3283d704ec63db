"""Probes tell apart what can be told apart, on episodes that they did not see, and say where they look."""

import torch

from trailkit.agents.networks.encoders import CompactEncoder
from trailkit.discriminators.augmentation import Augmentation
from trailkit.discriminators.discriminator import Discriminator
from trailkit.discriminators.probe import Fold, Labelled, ProbeSettings, occlusion, probe

SIZE = 32
SIZES = {"front": (SIZE, SIZE)}
PATCH = slice(4, 12), slice(20, 28)
FEW_STEPS = ProbeSettings(steps=60, batch=16)


def frames_of(episodes: int, marked: bool) -> Labelled:
    """Eight frames of each episode of noise; in those of the experts a patch is bright, if marked."""
    generator = torch.Generator().manual_seed(3)
    images = torch.randint(90, 111, (2 * episodes * 8, SIZE, SIZE, 3), dtype=torch.uint8, generator=generator)
    episode = torch.arange(len(images)) // 8
    expert = episode < episodes
    if marked:
        images[expert, PATCH[0], PATCH[1]] += 120
    return Labelled({"front": images}, expert, episode % 4)


def probes_of(labelled: Labelled, seed: int = 0) -> list[Fold]:
    augmentation = Augmentation(SIZES, SIZES)
    return list(probe(labelled, lambda: Discriminator(CompactEncoder(SIZES, 16)), augmentation, seed, FEW_STEPS))


def held_out_accuracy(labelled: Labelled) -> float:
    right = [(fold.logits >= 0) == labelled.expert[fold.held] for fold in probes_of(labelled)]
    return torch.cat(right).float().mean().item()


def test_a_mark_is_found_in_episodes_that_were_held_out() -> None:
    assert held_out_accuracy(frames_of(8, marked=True)) > 0.95


def test_noise_is_not_told_apart() -> None:
    assert 0.3 < held_out_accuracy(frames_of(8, marked=False)) < 0.7


def test_each_frame_is_held_out_once_with_all_its_episode() -> None:
    labelled = frames_of(4, marked=False)
    folds = probes_of(labelled)
    assert torch.cat([fold.held for fold in folds]).sort().values.tolist() == list(range(len(labelled.expert)))
    for fold in folds:
        assert len(labelled.fold[fold.held].unique()) == 1


def test_the_same_seed_gives_the_same_probes_whatever_was_drawn_before() -> None:
    labelled = frames_of(4, marked=False)
    first = probes_of(labelled, seed=5)
    torch.rand(7)
    again = probes_of(labelled, seed=5)
    other = probes_of(labelled, seed=6)
    assert all(torch.equal(one.logits, two.logits) for one, two in zip(first, again, strict=True))
    assert not torch.equal(first[0].logits, other[0].logits)


def test_probing_leaves_the_random_numbers_of_the_program_alone() -> None:
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    probes_of(frames_of(4, marked=False))
    assert torch.equal(torch.rand(1), expected)


def test_the_occlusion_map_is_brightest_at_the_mark() -> None:
    labelled = frames_of(8, marked=True)
    fold = probes_of(labelled)[0]
    frames = {"front": labelled.frames["front"][fold.held]}
    fill = {"front": labelled.frames["front"].float().mean(0).byte()}
    found = occlusion(fold.discriminator, frames, fill)["front"]
    assert found.shape == (SIZE, SIZE)
    at_mark = found[PATCH].mean()
    found[PATCH] = 0
    assert at_mark > 4 * found.mean()


def test_what_covers_nothing_new_moves_no_logit() -> None:
    labelled = frames_of(4, marked=False)
    plain = torch.full((3, SIZE, SIZE, 3), 100, dtype=torch.uint8)
    found = occlusion(probes_of(labelled)[0].discriminator, {"front": plain}, {"front": plain[0]})["front"]
    assert found.abs().max() == 0
