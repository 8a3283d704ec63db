"""Each cue is found where it was planted and not elsewhere."""

import numpy as np
import pytest

from trailkit.agents.run.audit.cues import Pictures, appearance, in_a_row, movement, placement, usual_regions
from trailkit.agents.run.audit.frames import Moments
from trailkit.agents.run.audit.regions import ARM, BACKGROUND
from trailkit.agents.run.audit.scene import Layout
from trailkit.agents.run.audit.verdict import Finding, shown_early

EPISODES, FRAMES, PIXELS = 12, 4, 60
BLOCK = ARM + 1


@pytest.fixture
def random():
    return np.random.default_rng(0)


def moments():
    episode, age = np.divmod(np.arange(EPISODES * FRAMES), FRAMES)
    return Moments(episode, age, age < 2, np.isin(age, (0, 3)))


def pictures(random):
    """Noise: twenty pixels of background, as many of the arm, the rest of the block, in each frame."""
    count = EPISODES * FRAMES
    regions = np.broadcast_to(np.repeat([BACKGROUND, ARM, BLOCK], PIXELS // 3).astype(np.uint8), (count, PIXELS))
    return Pictures(random.integers(60, 120, (count, PIXELS, 3)).astype(np.uint8), regions, moments().episode)


def brightened(side, where):
    pixels = side.pixels.copy()
    pixels[where, 0] += 50
    return side._replace(pixels=pixels)


def found(demos, trainer):
    cues = {cue.name: cue for cue in appearance(demos, trainer, moments(), ["block"], seed=0)}
    early = {name for name, cue in cues.items() if cue.early is not None and cue.early.low > 0.55}
    spread = {name for name, cue in cues.items() if cue.spread is not None and cue.spread.low > 0.55}
    return cues, early, spread


@pytest.mark.parametrize(
    ("region", "name"), [(BACKGROUND, "background"), (ARM, "arm appearance"), (BLOCK, "appearance of block")]
)
def test_a_colour_is_found_in_its_own_region(random, region, name):
    trainer = pictures(random)
    cues, early, spread = found(brightened(trainer, trainer.regions == region), trainer)
    assert early == spread == {"colour", name}
    assert cues[name].difference == pytest.approx(50 / 3)


def test_pictures_that_are_the_same_have_no_cue(random):
    side = pictures(random)
    cues, early, spread = found(side, side)
    assert early == spread == set()
    assert {cue.difference for cue in cues.values()} == {0.0}


def test_a_colour_that_comes_later_is_found_later(random):
    trainer = pictures(random)
    late = (trainer.regions == BACKGROUND) & (moments().age == 3)[:, None]
    _, early, spread = found(brightened(trainer, late), trainer)
    assert early == set()
    assert spread == {"colour", "background"}


def test_what_hardly_shows_is_not_judged(random):
    side = pictures(random)
    hidden = side._replace(regions=np.where(side.regions == BLOCK, BACKGROUND, side.regions))
    cues, _, _ = found(hidden, hidden)
    assert cues["appearance of block"].early is None


def test_without_states_starts_are_compared(random):
    trainer = pictures(random)
    demos = brightened(trainer, trainer.regions == ARM)
    cues = {cue.name: cue for cue in appearance(demos, trainer, None, [], seed=0)}
    assert {name for name, cue in cues.items() if cue.early.low > 0.55} == {"colour", "arm appearance"}
    assert all(cue.spread is None and cue.difference is None for cue in cues.values())


def test_usual_regions_are_those_of_most_of_the_trainers_pictures():
    regions = np.array([[BACKGROUND, ARM, BLOCK, ARM]] * 60 + [[BACKGROUND, ARM, BLOCK, BACKGROUND]] * 40)
    assert usual_regions(regions, 2).tolist() == [[BACKGROUND, ARM, 255, ARM]] * 2
    regions[0, 0] = regions[1, 0] = regions[2, 0] = BLOCK  # a block lies there at times
    assert usual_regions(regions, 1).tolist() == [[255, ARM, 255, ARM]]


def test_the_cameras_pixels_come_in_a_row():
    pictures = {"front": np.zeros((2, 4, 5, 3), np.uint8), "wrist": np.ones((2, 4, 5, 3), np.uint8)}
    assert in_a_row(pictures)[:, :, 0].tolist() == [[0] * 20 + [1] * 20] * 2


def layout(random, count, **fixed):
    anywhere = {name: random.uniform(-0.1, 0.1, (count, 5)) for name in ("block", "distractor")}
    hand = random.uniform(-0.1, 0.1, (count, 4))
    made = {"hand": hand, **anywhere} | {name: np.broadcast_to(at, (count, 5)) for name, at in fixed.items()}
    return Layout(made.pop("hand"), made)


def found_in(demos, trainer):
    return {cue.name for cue in placement(demos, trainer, seed=0) if shown_early(cue) is Finding.FOUND}


def test_placements_drawn_alike_are_seldom_named_however_many_are_asked_for(random):
    named = [found_in(layout(random, 25), layout(random, 200)) for _ in range(20)]
    assert sum(map(bool, named)) <= 3  # one is expected, more than three are once in 60


def test_a_thing_that_lies_on_one_half_is_named(random):
    for _ in range(4):
        demos = layout(random, 25)
        demos.objects["block"][:, 0] = np.abs(demos.objects["block"][:, 0])
        assert "placement of block" in found_in(demos, layout(random, 200))


def test_a_thing_that_always_lies_in_one_place_is_named(random):
    demos, trainer = layout(random, 25, distractor=np.full(5, 0.05)), layout(random, 200)
    named = found_in(demos, trainer)
    assert named == {"placement of distractor", "turn of distractor"}


def test_an_arm_that_always_starts_in_one_place_is_named(random):
    demos = layout(random, 25)._replace(hand=np.full((25, 4), 0.02))
    named = found_in(demos, layout(random, 200))
    assert named == {"start of the arm"}


def test_movement_is_judged_by_age(random):
    when = moments()._replace(early=np.ones(EPISODES * FRAMES, bool))
    start = np.repeat(random.uniform(-0.1, 0.1, (EPISODES, 4)), FRAMES, axis=0)
    still = Layout(start + random.normal(0, 0.002, start.shape), {})
    goes = Layout(still.hand - np.where(when.age > 1, 0.03, 0)[:, None], {})
    judged = movement(goes, still, (when, when), seed=0)
    assert [each.low > 0.55 for each in judged] == [False, True, True]
