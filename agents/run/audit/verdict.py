"""The conclusions of an audit, in plain words."""

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from trailkit.agents.run.audit.cues import Cue
from trailkit.agents.run.audit.scoring import Accuracy
from trailkit.configs.choices import Constraint

# A cue counts as found if the lower end of the accuracy's interval is above this.
FOUND = 0.55
# If a test gives the probability of a difference by chance, that must be below this, and the accuracy itself above
# `FOUND`. In simulation, 25 placements that leave half of the workspace empty, for which the accuracy is three in four
# at best, pass as the trainer's in one of fifty sets.
CHANCE = 0.05
# A cue counts as absent if the interval's upper end is below this: the best for a block that is never in one half.
ABSENT = 0.75
# Mean difference of the same states rendered twice, in levels of 255, up to which they count as equal: OpenGL drivers
# differ by one in rounding, and the discriminator's augmentation adds noise of 8.
SUBTLE = 2.0
# Share of the episodes whose early frames may show the task solved: the paper allows initial states that are solved by
# chance, and a tenth of the constraining frames cannot make the discriminator unlearn the task.
SOLVED = 0.1
UNEXPLAINED = "something else"


class Finding(StrEnum):
    """The result for a cue."""

    FOUND = "found"
    ABSENT = "absent"
    UNCLEAR = "unclear"  # too few episodes to tell
    UNSEEN = "not judged"


class Verdict(NamedTuple):
    """What to do, and why."""

    found: list[str]  # names of cues
    unclear: list[str]
    constraint: Constraint
    early_steps: int
    words: str


def finding(judged: Accuracy | None, difference: float | None = None, chance: float | None = None) -> Finding:
    """What an accuracy on held-out episodes says about a cue.

    Args:
        judged: The accuracy; None if the cue is not visible.
        difference: The difference of the same states rendered twice, in levels of 255.
        chance: The probability of such a difference by chance.
    """
    if judged is None:
        return Finding.UNSEEN
    if difference is not None and difference < SUBTLE:
        return Finding.ABSENT
    if judged.low > FOUND if chance is None else judged.mean > FOUND and chance < CHANCE:
        return Finding.FOUND
    return Finding.ABSENT if judged.high < ABSENT else Finding.UNCLEAR


def shown_early(cue: Cue) -> Finding:
    """What early frames say about a cue."""
    return finding(cue.early, cue.difference, cue.chance)


def decide(
    cues: Sequence[Cue], start: Accuracy, whole: Accuracy, early_solved: Sequence[float], demonstrations: int
) -> Verdict:
    """Draws the conclusion.

    Args:
        cues: The judged cues.
        start: The accuracy of the probe of early frames on the first frames of episodes, before anything moved.
        whole: The accuracy of the other probe on frames of whole episodes.
        early_solved: For each early age, the share of the demonstrations in which the task is solved by then.
        demonstrations: The number of demonstrations.
    """
    early = [cue.name for cue in cues if shown_early(cue) is Finding.FOUND]
    late = [cue.name for cue in cues if cue.name not in early and finding(cue.spread, cue.difference) is Finding.FOUND]
    if not early and finding(start) is Finding.FOUND:
        early = [UNEXPLAINED]
    unclear = [cue.name for cue in cues if shown_early(cue) is Finding.UNCLEAR]
    steps = sum(1 for share in early_solved if share <= SOLVED)
    constraint = Constraint.none
    if early or late:
        constraint = Constraint.random if late or not steps else Constraint.early
    words = [_on_cues(early, late), *_on_constraint(constraint, steps, len(early_solved), late)]
    if unclear:
        words.append(
            f"{demonstrations} demonstrations are too few to tell of {_listed(unclear)}: record more, or use TRAIL to "
            "be on the safe side."
        )
    if finding(whole) is not Finding.FOUND:
        words.append(
            "Not even whole episodes differ from random play: what the demonstrations show does not show in these "
            "pictures, so that no discriminator will teach it."
        )
    return Verdict([*early, *late], unclear, constraint, max(1, steps), " ".join(words))


def _on_cues(early: list[str], late: list[str]) -> str:
    if early == [UNEXPLAINED]:
        return (
            "The first frames alone tell the demonstrations from the trainer's environment, though none of the cues "
            "that were judged does by itself: a discriminator can cheat. The occlusion map shows where it looks."
        )
    if not early and not late:
        return "No cue beside the task tells the demonstrations from the trainer's environment."
    said = [f"A discriminator can cheat: {_listed(early)} alone tell{_s(early)} the demonstrations."] if early else []
    if late:
        said.append(f"Later in the episodes {_listed(late)} {'too ' if early else ''}tell{_s(late)} them.")
    return " ".join(said)


def _on_constraint(constraint: Constraint, steps: int, asked: int, late: list[str]) -> list[str]:
    match constraint:
        case Constraint.none:
            return ["GAIL would do: method=gail, which is discriminator.constraint=none."]
        case Constraint.random:
            why = "early frames do not show that" if late else "the earliest frames show the task solved"
            return [
                f"TRAIL is needed, and its early frames will not do ({why}): method=trail "
                "discriminator.constraint=random, with random_demos recorded in the demonstrations' own environment."
            ]
    advice = "TRAIL is needed: method=trail discriminator.constraint=early"
    if steps < asked:
        return [f"{advice} env.early_steps={steps}, since from then on the task is solved in some demonstrations."]
    return [f"{advice}."]


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _s(names: list[str]) -> str:
    return "s" if len(names) == 1 else ""
