from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given, settings
from hypothesis import strategies as st

from trailkit.agents.run.configuration import configure
from trailkit.agents.run.words import words
from trailkit.configs.schema import RecordConfig, TrainConfig
from trailkit.envs.errors import UserError

_TEXT = st.text(st.characters(exclude_categories=["C"]), max_size=12).filter(lambda text: "$" not in text)
_PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | _TEXT


def read(word: str) -> Any:
    (override,) = OverridesParser.create().parse_overrides([word])
    assert not override.is_sweep_override()
    return override.value()


@settings(deadline=None)  # Hydra makes its parser with the first word
@given(_PLAIN | st.lists(_PLAIN, max_size=3))
def test_hydra_reads_what_was_given(value: Any) -> None:
    (word,) = words({"key": value})
    assert read(word) == value


def test_a_dict_s_keys_may_be_any_that_hydra_knows() -> None:
    value = {"joint": "[0:2]", "a.b": {"c": [1, None]}, "with space": True, "a:b=c,d": "'", "(x)": 1e-5}
    (word,) = words({"key": value})
    assert read(word) == value


def test_numbers_of_numpy_and_paths_are_taken_too() -> None:
    assert words({"a": np.int64(3), "b": np.float32(0.5), "c": Path("x y"), "d": (1, 2)}) == [
        "a=3",
        "b=0.5",
        "c='x y'",
        "d=[1,2]",
    ]


def test_choices_of_groups_and_values_come_to_the_same_as_the_command_s() -> None:
    by_hand = [
        "method=bc",
        "env=reach",
        "agent.batch_size=64",
        "demos=d",
        "actor.exploration=[0.1,0.2]",
        "minutes=null",
    ]
    keys = {"method": "bc", "env": "reach", "agent.batch_size": 64, "demos": Path("d"), "actor.exploration": [0.1, 0.2]}
    assert configure("train", TrainConfig, words({**keys, "minutes": None})) == configure("train", TrainConfig, by_hand)


def test_mappings_of_the_user_s_own_arrive() -> None:
    keys = {
        "env": "gymnasium",
        "env.id": "arm:Arm-v0",
        "env.proprio": {"joint": "[0:2]"},
        "env.kwargs": {"tells": True},
    }
    env = configure("record", RecordConfig, words(keys)).env
    assert (env.id, env.proprio, env.kwargs) == ("arm:Arm-v0", {"joint": "[0:2]"}, {"tells": True})


def test_what_the_command_has_no_word_for_is_refused() -> None:
    with pytest.raises(UserError, match=r"encoder\.stack is given a function: give its import path, MODULE:NAME"):
        words({"encoder.stack": read})
    with pytest.raises(UserError, match="steps is given a set: give a number, a string, a list or a dict"):
        words({"steps": {1}})
