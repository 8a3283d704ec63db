"""An environment described in a file stands for its words."""

from pathlib import Path

import pytest

from trailkit.agents.run.configuration import configure, sweep
from trailkit.configs.choices import EnvKind
from trailkit.configs.schema import EnvConfig, RecordConfig, TrainConfig
from trailkit.envs.errors import UserError

ARM = """
kind: gymnasium
id: arm:Arm-v0
cameras: [above]
proprio: {joint: "[0:2]"}  # not where the ball lies
kwargs: {text: "it's 1, or {2}", flag: true, none: null, numbers: [1, 2.5]}
episode_steps: 15
"""


def written(folder: Path, text: str) -> str:
    (folder / "arm.yaml").write_text(text)
    return f"env={folder}/arm.yaml"


def env_of(*words: str) -> EnvConfig:
    return configure("train", TrainConfig, words).env


def test_a_file_says_what_the_words_would(tmp_path: Path) -> None:
    env = env_of(written(tmp_path, ARM))
    assert (env.kind, env.id, env.task) == (EnvKind.gymnasium, "arm:Arm-v0", "arm:Arm-v0")
    assert (env.cameras, env.proprio, env.episode_steps) == (["above"], {"joint": "[0:2]"}, 15)
    assert env.kwargs == {"text": "it's 1, or {2}", "flag": True, "none": None, "numbers": [1, 2.5]}
    assert env == configure("record", RecordConfig, [written(tmp_path, ARM)]).env


def test_words_count_more_than_the_file_wherever_they_stand(tmp_path: Path) -> None:
    word = written(tmp_path, ARM)
    assert env_of("env.episode_steps=12", word).episode_steps == 12
    assert env_of(word, "env.cameras=[own]").cameras == ["own"]


def test_a_task_of_trailkit_s_can_be_changed_by_a_file(tmp_path: Path) -> None:
    env = env_of(written(tmp_path, "task: reach\nheight: 48\nappearance: [light]"))
    assert (env.task, env.height, env.appearance, env.trial_steps) == ("reach", 48, ["light"], 40)


def test_a_sweep_takes_files(tmp_path: Path) -> None:
    word = written(tmp_path, ARM)
    runs = list(sweep([f"{word},lift", "seed=1,2"]))
    assert [configure("train", TrainConfig, run).env.task for run in runs] == ["arm:Arm-v0"] * 2 + ["lift"] * 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kind: gymnasum\nid: a", "arm.yaml: unknown kind 'gymnasum': did you mean 'gymnasium'"),
        ("id: arm:Arm-v0", "arm.yaml: kind is missing, whose environment it is: give trailkit, gymnasium"),
        ("kind: gymnasium\nid: a\nproprio: '[0:9]'", "gives no names: give env.proprio.NAME=…, or in a file a NAME: …"),
        ("kind: gymnasium\nid: a\nkwargs: [1]", r"'env.kwargs=\[1\]' gives no names: give env.kwargs.NAME=…"),
        ("kind: gymnasium\nhight: 3", "unknown key 'env.hight': did you mean 'env.height'"),
        ("- gymnasium", "arm.yaml: the file must hold keys of env"),
        ("", "arm.yaml: the file must hold keys of env"),
        ("kind: {", "arm.yaml cannot be read: while parsing"),
        ("kind: gymnasium\nid: a\nheight: tall", "tall"),
    ],
)
def test_a_mistake_in_it_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as error:
        env_of(written(tmp_path, text))
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"env=nowhere\.yaml cannot be read: No such file or directory"):
        env_of("env=nowhere.yaml")
