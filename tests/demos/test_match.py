import dataclasses

import pytest
from demonstrations import SETTINGS, make_episode

from trailkit.demos.match import check_fits, differences
from trailkit.envs.errors import UserError
from trailkit.envs.settings import EnvSettings, External, Origin

REACH = dataclasses.replace(SETTINGS, task="reach", episode_steps=9)


def test_differences_are_told_in_the_words_of_the_configuration():
    assert differences(SETTINGS, SETTINGS) == ""
    assert differences(REACH, SETTINGS) == "task is reach, not lift, episode_steps is 9, not 12"
    assert differences(SETTINGS, SETTINGS, 0.1, 0.05) == "control rate is 10 Hz, not 20 Hz"


def test_what_is_the_same_in_another_order_is_no_difference():
    one, other = (
        EnvSettings(
            "Pusher-v5",
            external=External(Origin.GYMNASIUM, kwargs=kwargs),
            appearance=appearance,
        )
        for kwargs, appearance in (
            ({"a": 1, "b": [2, 3]}, ("light", "arm_colour")),
            ({"b": (2.0, 3), "a": 1.0}, ("arm_colour", "light")),
        )
    )
    assert differences(one, other, 0.05, 0.05) == ""
    third = dataclasses.replace(other, external=External(Origin.GYMNASIUM, kwargs={"a": 2}))
    assert differences(one, third, 0.05, 0.05) == 'kwargs is {"a": 1, "b": [2, 3]}, not {"a": 2}'


def test_an_episode_fits_the_environment_that_it_tells():
    check_fits(make_episode(environment=SETTINGS.to_dict()), SETTINGS)
    check_fits(make_episode(), SETTINGS)


@pytest.mark.parametrize(
    ("told", "message"),
    [
        (REACH.to_dict(), "recorded in another environment: task is reach, not lift"),
        ({"task": "lift"}, "environment settings lack the key"),
        (3, "environment settings are 3: expected a mapping"),
    ],
)
def test_an_episode_that_tells_of_another_environment_does_not_fit(told, message):
    with pytest.raises(UserError, match=message):
        check_fits(make_episode(environment=told), SETTINGS)
