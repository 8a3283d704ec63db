import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from trailkit.demos.formats.adopt import Words, _actions, adopt
from trailkit.demos.formats.base import Contents, completed
from trailkit.demos.match import check_fits
from trailkit.envs.errors import UserError
from trailkit.envs.settings import ActionSpace, EnvSettings, External, ObservationSettings, Origin


def others(length=4, actions=4, size=(16, 20), scale=1.0, **observations):
    """An episode with names that trailkit does not have."""
    rows = length + 1
    found = {
        "agentview": np.zeros((rows, *size, 3), np.uint8),
        "hand": np.full((rows, *size, 3), 9, np.uint8),
        "arm": np.full((rows, 18), 0.5),
        "tool": np.full((rows, 3), 2.0),
    }
    return completed({**found, **observations}, np.full((length, actions), scale), None, None, None, {"name": "one"})


def adopted(*episodes, task="lift", **words):
    manifest, found = adopt(Contents(iter(episodes), None, task), Words(**words), Path("others.hdf5"))
    return manifest, list(found)


CAMERAS = {"front": "agentview", "wrist": "hand"}


def test_observations_get_trailkits_names():
    manifest, [episode] = adopted(others(), cameras=CAMERAS, proprio=["tool", "arm"])
    assert set(episode.observation) == {"front", "wrist", "proprio"}
    assert episode.observation["wrist"].max() == 9
    assert episode.observation["proprio"].dtype == np.float32
    np.testing.assert_array_equal(episode.observation["proprio"][0], [2] * 3 + [0.5] * 18)
    assert manifest.settings.observation == ObservationSettings(("front", "wrist"), 16, 20)


def test_episodes_tell_where_they_are_from_and_of_which_environment():
    manifest, [episode] = adopted(others(), cameras=CAMERAS)
    assert manifest.source == {"device": "import", "from": "others.hdf5"}
    assert episode.metadata["environment"] == manifest.settings.to_dict()
    assert (episode.metadata["from"], episode.metadata["name"]) == ("others.hdf5", "one")


def test_cameras_that_have_trailkits_names_need_no_words():
    pictures = np.ones((5, 16, 16, 3), np.uint8)
    manifest, [episode] = adopted(others(left=pictures), cameras=None)
    assert manifest.settings.observation == ObservationSettings(("left",), 16, 16, proprioception=False)
    assert set(episode.observation) == {"left"}


@pytest.mark.parametrize(("size", "space"), [(4, ActionSpace.CARTESIAN), (9, ActionSpace.JOINT)])
def test_actions_tell_their_space(size, space):
    manifest, _ = adopted(others(actions=size), cameras=CAMERAS)
    assert manifest.settings.action_space is space


@pytest.mark.parametrize(
    ("episode", "words", "message"),
    [
        (others(), {}, "its cameras are agentview, hand, trailkit's front, .*cameras=front:agentview, or cameras=none"),
        (others(), {"cameras": {"top": "hand"}}, "unknown camera 'top'"),
        (others(), {"cameras": {"front": "handy"}}, "unknown observation 'handy': did you mean 'hand'"),
        (others(), {"cameras": {}, "proprio": []}, "must hold a camera or proprioception"),
        (
            others(actions=7),
            {"cameras": CAMERAS},
            r"its actions have 7 numbers, trailkit's 4 \(cartesian\) or 9 \(joint\)",
        ),
        (others(arm={"joints": np.zeros(5)}), {}, "of its observations, arm cannot be used, expected arrays"),
        (others(arm=(np.zeros(5),), hand=["a"] * 5), {}, "of its observations, hand, arm cannot be used"),
        (others(hand=np.zeros((5, 16), np.uint8)), {"cameras": {"front": "hand"}}, r"camera 'hand' is uint8 \[5, 16\]"),
        (others(hand=np.zeros((5, 16, 20, 3))), {"cameras": {"front": "hand"}}, "camera 'hand' is float64 .*uint8"),
        (others(size=(8, 8)), {"cameras": CAMERAS}, "image size 8x8: height and width must lie within"),
        (others(), {"cameras": CAMERAS, "task": "life"}, "unknown task 'life': did you mean .*'lift'"),
    ],
)
def test_what_cannot_be_used_is_named_before_anything_is_read(episode, words, message):
    with pytest.raises(UserError, match=f"^others.hdf5(, demonstration 0)?: .*{message}"):
        adopt(Contents(iter([episode]), None, "lift"), Words(**words), Path("others.hdf5"))


@pytest.mark.parametrize(
    ("episode", "words", "message"),
    [
        (others(scale=3.5), {}, "actions of up to 3.5: expected all within -1 and 1"),
        (others(), {"proprio": ["arm"]}, "proprioception of 18 numbers, trailkit's has 21: .*proprio=none"),
        (
            others(arm={"joints": np.zeros(5)}),
            {"proprio": ["tool", "arm"]},
            "observation 'arm' is a dict: expected an array of 5",
        ),
        (
            others(arm=(np.zeros(5),)),
            {"proprio": ["tool", "arm"]},
            "observation 'arm' is a tuple: expected an array of 5 rows",
        ),
        (others(hand=[0] * 5), {}, "observation 'hand' is a list: expected an array of 5 rows"),
        (
            others(hand=np.zeros((6, 16, 20, 3), np.uint8)),
            {},
            r"observation 'hand' has the shape \[6, 16, 20, 3\]: .* 5 ",
        ),
        (
            others(arm=np.zeros((4, 18))),
            {"proprio": ["tool", "arm"]},
            r"observation 'arm' has the shape \[4, 18\]: .* 5 rows",
        ),
        (
            others(arm=np.float64(1)),
            {"proprio": ["tool", "arm"]},
            "observation 'arm' is a float64: expected an array of 5 rows",
        ),
        (
            others(arm=np.full((5, 18), "x")),
            {"proprio": ["tool", "arm"]},
            "observation 'arm' is of type <U1, expected numbers",
        ),
        (others(scale=np.inf), {}, "actions of up to inf: expected all within -1 and 1"),
        (others(length=9), {"episode_steps": 8}, "9 steps: .*episode_steps=9 or more"),
        (others(length=201), {}, "201 steps: .*episode_steps=201 or more"),
    ],
)
def test_an_episode_that_cannot_be_used_is_named(episode, words, message):
    _, episodes = adopt(
        Contents(iter([others(), episode]), None, "lift"), Words(cameras=CAMERAS, **words), Path("others.hdf5")
    )
    with pytest.raises(UserError, match=f"^others.hdf5, demonstration [01]: {message}"):
        list(episodes)


def test_what_is_not_an_array_does_no_harm_where_it_is_not_needed():
    _, [episode] = adopted(others(arm={"joints": np.zeros(5)}), cameras=CAMERAS)
    assert set(episode.observation) == {"front", "wrist"}


def test_words_are_read_as_they_are_written():
    said = {"task": "reach", "episode_steps": "50", "cameras": "front:a,wrist:b", "proprio": "x,y", "to": None}
    assert Words.parse(said) == Words("reach", 50, {"front": "a", "wrist": "b"}, ["x", "y"])
    assert Words.parse({"cameras": "none", "proprio": "none"}) == Words(cameras={}, proprio=[])
    assert Words.parse({}) == Words()


@pytest.mark.parametrize(("word", "value"), [("episode_steps", "0"), ("episode_steps", "x"), ("cameras", "agentview")])
def test_words_that_make_no_sense_are_refused(word, value):
    with pytest.raises(UserError, match=f"{word}={value}: expected"):
        Words.parse({word: value})


ARM = EnvSettings(
    "arm:Arm-v0",
    observation=ObservationSettings(("above",), 16, 20),
    episode_steps=6,
    external=External(Origin.GYMNASIUM, proprio={"joint": "[0:2]"}),
)
BLIND = replace(ARM, observation=ObservationSettings(("above",), 16, 20, proprioception=False))


def test_demonstrations_of_any_environment_become_what_would_have_been_recorded_in_it():
    told = np.arange(20.0).reshape(5, 4)
    manifest, [episode] = adopted(
        others(actions=1, scale=-1.0, observation=told), task=None, cameras={"above": "hand"}, environment=ARM
    )
    assert manifest.settings == ARM
    assert manifest.control_timestep == 0.05
    np.testing.assert_array_equal(episode.observation["proprio"], told[:, :2].astype(np.float32))
    np.testing.assert_array_equal(episode.action, np.full((4, 1), -0.5, np.float32))  # of 2, the bound of the arm's own
    check_fits(episode, ARM)


def test_an_action_without_width_is_taken_as_it_is(monkeypatch):
    two = (2, 2, 0.05, (-2.0, 0.5), (2.0, 0.5))
    monkeypatch.setattr(sys.modules[adopt.__module__], "signature", lambda _: two)
    taken = _actions(np.float32([[1.0, 0.5], [-2.0, 0.5]]), BLIND)
    np.testing.assert_array_equal(taken, np.float32([[0.5, 0.0], [-1.0, 0.0]]))


def test_names_of_the_sources_count_more_than_the_environments_own():
    _, [episode] = adopted(
        others(actions=1, pair=np.ones((5, 2))), cameras={"above": "hand"}, proprio=["pair"], environment=ARM
    )
    np.testing.assert_array_equal(episode.observation["proprio"], np.ones((5, 2), np.float32))


@pytest.mark.parametrize(
    ("episode", "words", "message"),
    [
        ({}, {}, "the environment observes above: say which of agentview, hand, .* cameras=above:NAME"),
        ({}, {"cameras": {}}, "the environment observes above"),
        ({}, {"cameras": {"front": "hand"}}, "unknown camera 'front': choose from above"),
        (
            {"size": (32, 24)},
            {"cameras": {"above": "hand"}},
            "pictures of hand are 32x24, .* env.height=32 env.width=24",
        ),
        ({}, {"proprio": []}, "the environment has proprioception: say what it is made of, proprio=NAME"),
        ({}, {}, "unknown entry of the observation in env.proprio.joint 'observation'"),
        ({}, {"proprio": ["tool"]}, "proprioception of 3 numbers, that of arm:Arm-v0 has 2: .*env.proprio"),
        ({}, {"proprio": ["tool"], "environment": BLIND}, "proprio=tool: the environment has none"),
        ({"actions": 4}, {"environment": BLIND}, "its actions have 4 numbers, those of arm:Arm-v0 1"),
        ({"scale": 3.0}, {"environment": BLIND}, "actions of up to 3: expected all within -2 and 2, the environment's"),
        ({"length": 7}, {"environment": BLIND}, "7 steps: .* env.episode_steps=7 or more"),
    ],
)
def test_what_is_not_of_the_environment_is_named(episode, words, message):
    if "cameras" not in words and "observes" not in message:
        words = {"cameras": {"above": "hand"}, **words}
    with pytest.raises(UserError, match=f"^others.hdf5.*: .*{message}"):
        adopted(others(**{"actions": 1, **episode}), task=None, **{"environment": ARM, **words})
