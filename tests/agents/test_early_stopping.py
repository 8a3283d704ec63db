"""Actor early stopping: the table of scores, and the rules on a discriminator, on steps and on rewards."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from transitions import IMAGE_SIZE, IMAGE_SIZES

from trailkit.agents.base import StopRule
from trailkit.agents.early_stopping import AboveMedian, AfterSteps, ByDiscriminator, ByReward, Never
from trailkit.agents.networks.encoders import CompactEncoder
from trailkit.discriminators.discriminator import Discriminator

STEPS = 200


def stopping_step(scores: Sequence[float], patience: int = 10, min_steps: int = 0) -> int | None:
    exceeded = AboveMedian(patience, min_steps)
    return next((step for step, score in enumerate(scores, 1) if exceeded(float(score))), None)


def test_a_constant_score_never_stops() -> None:
    assert stopping_step([0.3] * STEPS) is None


def test_a_rising_score_stops_at_step_11() -> None:
    assert stopping_step(range(STEPS)) == 11


def test_a_jump_at_step_60_stops_at_step_70() -> None:
    assert stopping_step([0.0] * 60 + [1.0] * 140) == 70


def test_min_steps_keeps_an_episode_going() -> None:
    assert stopping_step(range(STEPS), min_steps=40) == 40


def test_one_score_at_the_median_begins_the_count_anew() -> None:
    assert stopping_step([*range(10), 0, *range(100, 120)]) == 21


def test_independent_noise_stops_few_episodes() -> None:
    rng = np.random.default_rng(0)
    stops = [stopping_step(rng.normal(size=STEPS)) for _ in range(1000)]
    assert np.mean([step is not None for step in stops]) == pytest.approx(0.08, abs=0.025)


def test_slow_noise_stops_nearly_all_and_early() -> None:
    rng = np.random.default_rng(0)
    stops = []
    for _ in range(1000):
        scores = [rng.normal() / np.sqrt(1 - 0.9**2)]
        for innovation in rng.normal(size=STEPS - 1):
            scores.append(0.9 * scores[-1] + innovation)
        stops.append(stopping_step(scores))
    assert np.mean([step is not None for step in stops]) == pytest.approx(0.99, abs=0.012)
    assert np.median([step or STEPS for step in stops]) == pytest.approx(39, abs=3)


def brightness_discriminator() -> Discriminator:
    """Scores a frame by one direction of an untrained encoder's output: some frames more than others."""
    torch.manual_seed(0)
    return Discriminator(CompactEncoder(IMAGE_SIZES, embedding=8), hidden=())


def test_the_discriminator_s_rule_takes_over_published_weights_and_forgets_at_reset() -> None:
    discriminator = brightness_discriminator()
    frames = [{"front": np.full((IMAGE_SIZE, IMAGE_SIZE, 3), level, np.uint8)} for level in range(0, 250, 20)]
    stop = ByDiscriminator(discriminator, patience=3)
    flat = {name: torch.zeros_like(weight) for name, weight in discriminator.state_dict().items()}
    stop.load({"discriminator": flat})
    assert not any(stop(frame, 1.0) for frame in frames)  # a constant discriminator

    stop.load({"discriminator": discriminator.state_dict()})
    logits = [discriminator({"front": torch.from_numpy(frame["front"])[None]}).item() for frame in frames]
    rising = [frames[i] for i in np.argsort(logits)]
    for _ in range(2):
        stop.reset()
        assert [stop(frame, 0.0) for frame in rising[:4]] == [False, False, False, True]


def test_frames_before_min_steps_count_as_if_each_had_been_scored_at_once() -> None:
    discriminator, rng = brightness_discriminator(), np.random.default_rng(0)
    for _ in range(20):
        frames = rng.integers(0, 256, (60, 1, 1, 1), np.uint8) * np.ones((IMAGE_SIZE, IMAGE_SIZE, 3), np.uint8)
        one_by_one, together = AboveMedian(2, 40, 1e-4), ByDiscriminator(discriminator, 2, 40)
        logits = [discriminator({"front": torch.from_numpy(frame)[None]}).item() for frame in frames]
        drawn = np.empty_like(frames[0])  # the one buffer of an environment
        for step, (frame, logit) in enumerate(zip(frames, logits, strict=True), 1):
            drawn[:] = frame
            stops = together({"front": drawn}, 0.0)
            assert stops == one_by_one(logit), step
            if stops:
                break


def test_frames_before_min_steps_are_scored_together_and_those_of_an_episode_that_ends_before_never() -> None:
    stop = ByDiscriminator(brightness_discriminator(), patience=2, min_steps=40)
    asked: list[int] = []
    stop._discriminator.register_forward_pre_hook(lambda _, given: asked.append(len(given[0]["front"])))
    for steps in (30, 45):
        stop.reset()
        for _ in range(steps):
            stop({"front": np.zeros((IMAGE_SIZE, IMAGE_SIZE, 3), np.uint8)}, 0.0)
    assert asked == [40, 1, 1, 1, 1, 1]


def test_a_picture_that_stands_still_does_not_stop_an_episode() -> None:
    """Though of one frame a network's output differs in its last bits by what it is batched with."""
    frame = np.random.default_rng(0).integers(0, 256, (IMAGE_SIZE, IMAGE_SIZE, 3), np.uint8)
    stop = ByDiscriminator(brightness_discriminator(), patience=2, min_steps=40)
    assert not any(stop({"front": frame}, 0.0) for _ in range(STEPS))
    nearly = AboveMedian(patience=2, min_steps=40, margin=1e-4)
    assert not any(nearly(score) for score in [0.3] * 40 + [0.3 + 1e-6] * 40)
    assert stopping_step([0.3] * 40 + [0.3 + 1e-6] * 40, patience=2, min_steps=40) == 42


def stops_after(stop: StopRule, rewards: Sequence[float]) -> int | None:
    stop.reset()
    return next((step for step, reward in enumerate(rewards, 1) if stop({}, reward)), None)


@pytest.mark.parametrize("rule", [Never(), AfterSteps(3), ByReward()], ids=lambda rule: type(rule).__name__)
def test_rules_without_a_discriminator_need_no_weights(rule: StopRule) -> None:
    assert isinstance(rule, StopRule)
    rule.load({})


def test_never_goes_on() -> None:
    assert stops_after(Never(), [1.0] * STEPS) is None


def test_a_fixed_number_of_steps_is_counted_anew_in_each_episode() -> None:
    stop = AfterSteps(20)
    assert [stops_after(stop, [0.0] * STEPS) for _ in range(2)] == [20, 20]


def test_the_reward_s_rule_stops_ten_steps_after_the_task_is_solved_for_good() -> None:
    stop = ByReward(patience=10)
    solved_for_a_moment = [0.0] * 20 + [1.0] * 9 + [0.0] * 31
    assert stops_after(stop, solved_for_a_moment + [1.0] * 140) == 70
    assert stops_after(stop, [0.0] * STEPS) is None
    assert stops_after(stop, [0.0] * 10 + [1.0] * 190) == 20  # solved in half of the steps: the median is 1/2 then
