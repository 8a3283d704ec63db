"""Each sentence's rule, on both sides of its threshold."""

import csv
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from trailkit.agents.run.configuration import configure
from trailkit.agents.run.findings import findings, late_metrics
from trailkit.configs.schema import TrainConfig

# Of a run that goes well: TRAIL on reach, after 900 steps.
_WELL = {
    "critic_loss": 2.2,
    "policy_loss": 0.2,
    "policy_loss_known": 0.2,
    "disc_loss": 1.4,
    "disc_acc": 0.86,
    "disc_acc_constraint": 0.48,
    "disc_score_known": 0.79,
    "disc_score_holdout": 0.75,
    "top_atom_mass": 0.08,
    "bottom_atom_mass": 0.0,
    "action_entropy": 0.5,
    "action_saturation": 0.3,
    "early_stopped": 1.0,
    "episode_length": 61.0,
}


def said(changes: Mapping[str, float], shares: tuple[float, ...] = (0.3, 0.4), episodes: int = 20) -> list[str]:
    words = ["demos=none", "actor.min_steps=40", "env=reach", f"evaluation.episodes={episodes}"]
    config = configure("train", TrainConfig, words)
    return findings({**_WELL, **changes}, config, shares)


@pytest.mark.parametrize(
    ("below", "above", "sentence"),
    [
        (
            {"disc_score_holdout": 0.5},
            {"disc_score_holdout": 0.48},
            "kept back .0.48. from those it trains on .0.79.: it mem.* or lower discriminator.crop=0.75",
        ),
        ({"disc_acc_constraint": 0.64}, {"disc_acc_constraint": 0.66}, "the constraint does not hold: .* 66% of"),
        ({"disc_acc": 0.96}, {"disc_acc": 0.98}, "tells agent from expert in 98% of frames"),
        (
            {"policy_loss_holdout": 0.59},
            {"policy_loss_holdout": 0.61},
            r"errs 3\.0 times as much on the demonstrations kept back",
        ),
        ({"top_atom_mass": 0.59}, {"top_atom_mass": 0.61}, "61% of the critic's targets lie at the end"),
        ({"bottom_atom_mass": 0.59}, {"bottom_atom_mass": 0.61}, "61% of the critic's targets lie at the beginning"),
        ({"action_saturation": 0.89}, {"action_saturation": 0.91}, "91% of the policy's actions are at their limits"),
        ({"action_entropy": 0.06}, {"action_entropy": 0.04}, "the same whatever it sees .*0.04 of 1"),
        ({"episode_length": 49.0}, {"episode_length": 47.0}, "100% of episodes are given up after 47 steps"),
        ({"critic_loss": 1e9}, {"critic_loss": float("nan")}, "the run has diverged, critic_loss not finite"),
    ],
)
def test_each_sentence_has_a_threshold(below: Mapping[str, float], above: Mapping[str, float], sentence: str) -> None:
    assert said(below) == []
    (found,) = said(above)
    assert re.search(sentence, found)


def test_a_run_that_solves_its_task_is_not_blamed_for_what_it_does_well() -> None:
    unusual = {"disc_acc": 0.99, "episode_length": 41.0, "top_atom_mass": 0.4, "action_saturation": 1.0}
    assert said(unusual, (0.5, 0.9)) == []


def test_before_the_first_evaluation_no_cause_of_failure_is_looked_for() -> None:
    unusual = {"disc_acc": 0.99, "episode_length": 41.0, "top_atom_mass": 0.7, "action_entropy": 0.0}
    assert said(unusual, ()) == []
    assert len(said(unusual, (0.3,))) == 4
    assert len(said({"disc_acc_constraint": 0.9, "disc_score_holdout": 0.1}, ())) == 2


def test_episodes_that_end_after_a_fixed_number_of_steps_are_no_finding() -> None:
    words = ["demos=none", "env=reach", "actor.early_stop=fixed", "actor.fixed_steps=30"]
    assert findings({**_WELL, "episode_length": 30.0}, configure("train", TrainConfig, words), (0.3,)) == []


def test_of_a_run_that_has_diverged_nothing_else_is_said() -> None:
    assert len(said({"policy_loss": float("inf"), "action_entropy": 0.0, "disc_acc": 1.0}, (0.0,))) == 1


def test_a_constraint_that_does_not_hold_is_mended_by_what_is_not_yet_done() -> None:
    config = configure("train", TrainConfig, ["demos=none", "preset=paper"])
    (sentence,) = findings({"disc_acc_constraint": 0.9}, config, (0.6,))
    assert "set discriminator.flip_labels=true discriminator.constraint_ceiling=null" in sentence
    words = ["demos=none", "discriminator.flip_labels=true", "discriminator.constraint_ceiling=null"]
    (sentence,) = findings({"disc_acc_constraint": 0.9}, configure("train", TrainConfig, words), (0.6,))
    assert "lower discriminator.learning_rate" in sentence


def test_a_discriminator_that_sees_whole_pictures_is_not_told_to_crop_them() -> None:
    config = configure("train", TrainConfig, ["demos=none", "method=gail_critic"])
    (sentence,) = findings({"disc_score_known": 0.9, "disc_score_holdout": 0.5}, config, (0.6,))
    assert sentence.endswith("it memorises; record more of them")


def test_where_an_audit_cannot_look_a_render_does() -> None:
    others = ["env=gymnasium", "env.id=Pusher-v5", "env.success=never"]
    for words, advice in ((["env=reach"], "trailkit demos audit"), (others, "trailkit render overlay=true")):
        config = configure("train", TrainConfig, ["demos=none", *words])
        (sentence,) = findings({"disc_acc": 0.99}, config, (0.2,))
        assert advice in sentence


def test_success_that_fell_and_success_that_never_came_are_said() -> None:
    assert said({}, (0.2, 1.0, 0.81), 1000) == []
    assert said({}, (0.2, 1.0, 0.8), 1000) == [
        "success fell from 100% to 80%: checkpoint=best is the one that was evaluated best"
    ]
    # With 20 episodes chance does as much, the more so the more evaluations there are to choose the best among.
    assert said({}, (0.2, 0.9, 0.7)) == []
    assert len(said({}, (0.2, 1.0, 0.75))) == 1
    assert said({}, (0.2, *[0.9] * 10, 1.0, 0.75)) == []
    assert said({}, (0.0, 0.0)) == ["none of 2 evaluations solved an episode"]
    assert said({}, ()) == []


def test_success_fell_by_the_episodes_that_were_played() -> None:
    config = configure(
        "train", TrainConfig, ["demos=none", "actor.min_steps=40", "env=reach", "evaluation.episodes=50"]
    )
    assert len(findings(_WELL, config, (0.2, 1.0, 0.8))) == 1
    assert findings(_WELL, config, (0.2, 1.0, 0.8), [50, 50, 5]) == []
    assert len(findings(_WELL, config, (0.2, 1.0, 0.2), [50, 50, 5])) == 1


def test_metrics_that_a_method_has_not_say_nothing() -> None:
    config = configure("train", TrainConfig, ["demos=none", "method=bc"])
    assert findings({"bc_loss": 0.1}, config, (0.6,)) == []


def test_the_last_quarter_of_the_rows_counts(tmp_path: Path) -> None:
    assert late_metrics(tmp_path) == {}
    with (tmp_path / "metrics.csv").open("w") as file:
        rows = csv.writer(file)
        rows.writerow(["step", "actor_steps", "seconds", "disc_acc", "eval_success", "disc_loss"])
        for step in range(8):
            rows.writerow([step, 4 * step, 1.0, step / 10, "", "nan"])
            rows.writerow([step, 4 * step, 1.0, "", 0.5, ""])
    found = late_metrics(tmp_path)
    assert found["disc_acc"] == pytest.approx(0.65)
    assert "eval_success" not in found
    assert str(found["disc_loss"]) == "nan"
