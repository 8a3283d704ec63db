"""Runs that are begun, gone on with or left, whoever calls."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from trailkit.agents.run.cli import main
from trailkit.agents.run.configuration import load_config
from trailkit.agents.run.evaluation.saved import checkpoints
from trailkit.agents.run.going_on import changes, done
from trailkit.agents.run.provenance import read_provenance
from trailkit.configs.choices import LaunchKind, ReplayBackend
from trailkit.envs.errors import UserError

_ENV = ["env=reach", "env.height=36", "env.width=36", "env.episode_steps=20", "env.trial_steps=5"]


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    demos = str(tmp_path / "demos")
    main(["record", "device=random", *_ENV, "episodes=2", "keep_failures=true", f"out={demos}"])
    short = ["replay=memory", "threads=1", "agent.batch_size=4", "actor.random_steps=20", "checkpoint_every=2"]
    return [*_ENV, *short, f"demos={demos}", "evaluation.every=100", f"out={tmp_path / 'run'}", "resume=auto"]


def train(words: Sequence[str]) -> None:
    main(["train", *words])


def test_a_command_that_is_given_again_begins_goes_on_and_then_does_nothing(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    for steps, times in ((2, 1), (2, 1), (4, 2), (4, 2)):
        train([*words, f"steps={steps}"])
        assert len(read_provenance(run)) == times
        assert checkpoints(run, "last") == [f"{steps:09d}"]
    assert f"{run} is done; evaluate with" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        train([*words, "steps=4", "agent.n_step=2"])
    assert "was begun with another agent.n_step: move it away" in capsys.readouterr().err


def test_a_folder_in_which_no_run_has_begun_is_no_hindrance(words: list[str], tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".lock").touch()  # by a process that was killed at once
    train([*words, "steps=1"])
    assert checkpoints(tmp_path / "run", "last") == ["000000001"]


def test_a_run_that_has_had_its_time_is_done(words: list[str], tmp_path: Path) -> None:
    run = tmp_path / "run"
    train([*words, "steps=100000", "minutes=0.001"])
    config = load_config(run)
    assert int(checkpoints(run, "last")[0]) < 1000
    assert done(run, config)
    config.minutes = 60
    assert not done(run, config)


def test_what_says_where_a_run_runs_may_change(words: list[str], tmp_path: Path) -> None:
    run = tmp_path / "run"
    train([*words, "steps=1"])
    there = load_config(run, ["launch=ray", "launch.actors=3", "launch.learner_gpus=1", "device=cpu", "replay=reverb"])
    assert (there.launch.kind, there.launch.actors, there.device) == (LaunchKind.ray, 3, "cpu")
    assert there.replay.backend is ReplayBackend.reverb
    assert changes(run, there) == [
        *("replay.backend='reverb'", "launch.kind='ray'", "launch.actors=3", "launch.learner_gpus=1.0", "device='cpu'")
    ]
    with pytest.raises(UserError, match=r"launch.actors is of launch=ray"):
        load_config(run, ["launch.actors=3"])
    with pytest.raises(UserError, match=r"'agent.gamma=0.5' cannot change in a run"):
        load_config(run, ["agent.gamma=0.5"])


def test_the_path_of_moved_demonstrations_is_taken_as_it_is(words: list[str], tmp_path: Path) -> None:
    train([*words, "steps=1"])
    for path in ("2024_11_28", "1e3", "true", "läuf: a", "a=b"):
        assert load_config(tmp_path / "run", [f"demos={path}", "steps=2"]).demos == path
    assert load_config(tmp_path / "run", ["demos=~/d"]).demos == str(Path("~/d").expanduser())


def test_from_many_processes_to_one_the_settings_of_many_are_left_behind(words: list[str], tmp_path: Path) -> None:
    run = tmp_path / "run"
    train([*words, "steps=1"])
    text = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(text.replace("kind: inline", "kind: ray").replace("actors: 2", "actors: 8"))
    assert load_config(run).launch.actors == 8
    assert load_config(run, ["launch=inline"]).launch.kind is LaunchKind.inline
