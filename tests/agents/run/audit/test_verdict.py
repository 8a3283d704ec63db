"""From accuracies to advice."""

import pytest

from trailkit.agents.run.audit.cues import Cue
from trailkit.agents.run.audit.scoring import Accuracy
from trailkit.agents.run.audit.verdict import UNEXPLAINED, Finding, decide, finding
from trailkit.configs.choices import Constraint

YES, NO, MAYBE = Accuracy(0.95, 0.8, 0.98), Accuracy(0.5, 0.4, 0.6), Accuracy(0.65, 0.5, 0.8)
NEVER = [0.0] * 10  # solved in an early frame


def verdict(*cues, start=NO, whole=YES, solved=NEVER):
    return decide(cues, start, whole, solved, 25)


def test_without_cues_gail_would_do():
    found = verdict(Cue("colour", NO, NO, 0.0))
    assert (found.found, found.constraint) == ([], Constraint.none)
    assert "GAIL would do" in found.words and "TRAIL" not in found.words


def test_a_cue_in_early_frames_asks_for_them_as_the_constraint():
    found = verdict(Cue("arm appearance", YES, YES, 40.0), start=YES)
    assert (found.found, found.constraint, found.early_steps) == (["arm appearance"], Constraint.early, 10)
    assert "arm appearance alone tells" in found.words and "discriminator.constraint=early" in found.words


def test_a_cue_that_early_frames_do_not_show_asks_for_a_random_policy():
    found = verdict(Cue("background", NO, YES, 40.0))
    assert (found.found, found.constraint) == (["background"], Constraint.random)
    assert "random_demos" in found.words


def test_frames_that_show_the_task_solved_are_not_early():
    found = verdict(Cue("placement of block", YES), solved=[0, 0, 0, 0.3, 0.5])
    assert (found.constraint, found.early_steps) == (Constraint.early, 3)
    assert "env.early_steps=3" in found.words


def test_demonstrations_that_begin_with_the_task_solved_have_no_early_frames():
    assert verdict(Cue("placement of block", YES), solved=[0.5, 0.6]).constraint is Constraint.random


def test_what_no_cue_explains_is_named_so():
    found = verdict(Cue("colour", NO, NO, 0.0), start=YES)
    assert (found.found, found.constraint) == ([UNEXPLAINED], Constraint.early)


def test_too_few_demonstrations_are_said_to_be_too_few():
    found = verdict(Cue("placement of block", MAYBE), Cue("turn of block", NO))
    assert found.unclear == ["placement of block"]
    assert "25 demonstrations are too few to tell of placement of block" in found.words


def test_demonstrations_like_random_play_are_said_to_be_so():
    assert "Not even whole episodes differ" in verdict(whole=NO).words


@pytest.mark.parametrize(
    ("judged", "difference", "expected"),
    [
        (None, None, Finding.UNSEEN),
        (YES, None, Finding.FOUND),
        (YES, 1.0, Finding.ABSENT),  # what two drivers of OpenGL differ by
        (YES, 5.0, Finding.FOUND),
        (NO, None, Finding.ABSENT),
        (MAYBE, None, Finding.UNCLEAR),
    ],
)
def test_what_an_accuracy_says_of_a_cue(judged, difference, expected):
    assert finding(judged, difference) is expected


@pytest.mark.parametrize(
    ("judged", "chance", "expected"),
    [
        (MAYBE, 0.01, Finding.FOUND),
        (MAYBE, 0.2, Finding.UNCLEAR),
        (YES, 0.2, Finding.UNCLEAR),  # as one of many placements may come out
        (NO, 0.01, Finding.ABSENT),  # there is a difference, and it is of no use
    ],
)
def test_what_a_test_of_chance_says_of_a_cue(judged, chance, expected):
    assert finding(judged, None, chance) is expected
