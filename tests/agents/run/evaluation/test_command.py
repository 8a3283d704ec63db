"""Evaluating and rendering what a run left behind: behaviour cloning, for as long as it takes to succeed at times."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from trailkit.agents.run.cli import main
from trailkit.agents.run.configuration import configure
from trailkit.agents.run.evaluation import workers as workers_module
from trailkit.agents.run.evaluation.command import evaluate_run, render_run
from trailkit.agents.run.evaluation.elsewhere import HERE, Elsewhere
from trailkit.agents.run.evaluation.episodes import EpisodeResult
from trailkit.agents.run.evaluation.evaluate import Evaluation
from trailkit.agents.run.evaluation.saved import checkpoints
from trailkit.agents.run.evaluation.shifts import shift_table, shifts
from trailkit.agents.run.evaluation.workers import Workers, workers_for, workers_here
from trailkit.configs.schema import EnvConfig, EvaluateConfig, RenderConfig
from trailkit.envs.errors import UserError

_ENV = ["env=reach", "env.height=36", "env.width=36", "env.episode_steps=60"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved")
    main(["record", "device=scripted", *_ENV, "episodes=20", f"out={folder / 'demos'}"])
    words = [*_ENV, "method=bc", f"demos={folder / 'demos'}", "steps=1200", "checkpoint_every=600", "threads=1"]
    words += ["agent.batch_size=16", "agent.learning_rate=0.001", "evaluation.every=9000"]
    main(["train", *words, f"out={folder / 'run'}"])
    return folder / "run"


def evaluations(run: Path, *words: str) -> dict[str, Evaluation]:
    config = configure("evaluate", EvaluateConfig, [f"run={run}", "episodes=5", *words])
    with workers_for(config) as workers:
        return dict(evaluate_run(config, workers))


def test_one_or_two_workers_now_or_later_come_to_the_same(run: Path) -> None:
    once, again, by_two = (evaluations(run, f"workers={count}") for count in (1, 1, 2))
    assert once == again == by_two
    (result,) = once.values()
    assert 0 < result.average_return
    assert [episode.episode_ix for episode in result.episodes] == [0, 1, 2, 3, 4]
    assert evaluations(run, "workers=1", "seed=1") != once


def test_all_checkpoints_are_evaluated_each_into_a_folder_of_its_own(run: Path) -> None:
    found = evaluations(run, "workers=1", "checkpoint=all")
    assert list(found) == ["000000000", "000000600", "000001200"]
    assert found["000000000"] != found["000001200"]
    for name, result in found.items():
        folder = run / "evaluations" / name / "seed0_episodes5"
        info = json.loads((folder / "eval_info.json").read_text())
        assert info["overall"]["n_episodes"] == 5
        with (folder / "episodes.csv").open() as file:
            rows = list(csv.DictReader(file))
        assert [int(row["seed"]) for row in rows] == [episode.seed for episode in result.episodes]
        assert [row["success"] for row in rows] == [str(episode.success) for episode in result.episodes]
    assert evaluations(run, "workers=1", "checkpoint=1200")["000001200"] == found["000001200"]


def test_a_policy_may_be_tried_in_another_task(run: Path) -> None:
    here, there = evaluations(run, "workers=1"), evaluations(run, "workers=1", "task=lift", "video=true")
    assert here != there
    folder = run / "evaluations" / "000001200" / "seed0_episodes5_lift"
    (video,) = json.loads((folder / "eval_info.json").read_text())["overall"]["video_paths"]
    assert Path(video).stat().st_size > 1000
    with pytest.raises(UserError, match="lif"):
        evaluations(run, "workers=1", "task=lif")
    with pytest.raises(UserError, match="lif"):
        evaluations(run, "workers=2", "task=lif")


def test_the_suite_tries_all_shifts_on_the_same_starts(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["evaluate", f"run={run}", "suite=shifts", "episodes=3", "workers=1"])
    printed = capsys.readouterr().out
    here = run / "evaluations" / "000001200"
    assert printed == (here / "shifts_seed0_episodes3.md").read_text()
    header, _, first, *rest = printed.splitlines()
    assert header.startswith("| step 1200 | success")
    assert first.startswith("| as trained | ")
    names = [line.split(" | ")[0].removeprefix("| ") for line in rest]
    assert names == ["arm_colour", "table_colour", "light", "camera_pose", "all of these"]
    usual, light = (
        json.loads((here / f"seed0_episodes3{suffix}" / "eval_info.json").read_text()) for suffix in ("", "_light")
    )
    assert [each["seed"] for each in usual["per_episode"]] == [each["seed"] for each in light["per_episode"]]
    assert usual["per_episode"] != light["per_episode"]
    by_hand = evaluations(run, "workers=1", "appearance=[light]", "episodes=3")["000001200"]
    assert by_hand.info()["per_episode"] == light["per_episode"]
    assert (
        evaluations(run, "workers=1", "appearance=[]", "episodes=3")["000001200"].info()["per_episode"]
        == (usual["per_episode"])
    )


def test_distractions_are_tried_beside_the_runs_own_evaluation(run: Path) -> None:
    usual = evaluations(run, "workers=1", "episodes=3")["000001200"].info()["per_episode"]
    distracted = evaluations(run, "workers=1", "distract=[camera,colours]", "episodes=3")["000001200"]
    found = distracted.info()["per_episode"]
    assert [each["seed"] for each in found] == [each["seed"] for each in usual] and found != usual
    assert (run / "evaluations" / "000001200" / "seed0_episodes3_camera_colours" / "episodes.csv").exists()
    assert evaluations(run, "workers=1", "distract=[]", "episodes=3")["000001200"].info()["per_episode"] == usual


def test_what_a_suite_and_an_appearance_may_be_is_said(run: Path) -> None:
    with pytest.raises(UserError, match="unknown appearance 'lihgt': did you mean 'light'"):
        evaluations(run, "workers=1", "appearance=[lihgt]")
    with pytest.raises(
        UserError, match="suite=shifts chooses environments: leave out task=, appearance= and distract="
    ):
        evaluations(run, "suite=shifts", "task=lift")


def test_shifts_are_changes_of_what_the_run_saw() -> None:
    trained = EnvConfig(task="lift", appearance=["light"])
    found = shifts(trained)
    assert found["as trained"] == HERE
    assert found["light"].appearance == ()
    assert found["arm_colour"].appearance == ("arm_colour", "light")
    assert found["all of these"].appearance == ("arm_colour", "camera_pose", "table_colour")
    assert found["distractors"] == Elsewhere(task="lift_distracted")
    assert "distractors" not in shifts(EnvConfig(task="reach"))
    assert [str(place) for place in (HERE, found["light"], found["distractors"])] == ["", "_usual", "_lift_distracted"]


def test_the_table_has_each_change_beside_the_first() -> None:
    def result(*solved: bool) -> Evaluation:
        episodes = [EpisodeResult(i, i, 0.0, 0.0, each, each, 9, None) for i, each in enumerate(solved)]
        return Evaluation(0, tuple(episodes), 1.0)

    table = shift_table("000000600", {"as trained": result(*8 * [True]), "light": result(*8 * [False])})
    assert table.splitlines()[2:] == [
        "| as trained | 100% [68, 100] of 8 |  |  |",
        "| light | 0% [0, 32] of 8 | -100 | 0.0078 |",
    ]


def test_what_is_missing_or_damaged_is_named(run: Path, tmp_path: Path) -> None:
    assert checkpoints(run, "untrained") == ["untrained"]
    with pytest.raises(UserError, match="no checkpoint of step 3: it has 000000000, 000000600, 000001200"):
        checkpoints(run, "3")
    with pytest.raises(UserError, match="give a learner step, last, best, all or untrained"):
        checkpoints(run, "newest")
    (tmp_path / "config.yaml").write_bytes((run / "config.yaml").read_bytes())
    with pytest.raises(UserError, match="holds no checkpoint yet"):
        checkpoints(tmp_path, "last")
    copied = tmp_path / "checkpoints" / "000000600"
    copied.mkdir(parents=True)
    for path in (run / "checkpoints" / "000000600").iterdir():
        content = bytearray(path.read_bytes())
        content[-100 % len(content)] ^= 1
        (copied / path.name).write_bytes(content)
    for count in (1, 2):
        with pytest.raises(UserError, match="000000600 is damaged"):
            evaluations(tmp_path, f"workers={count}", "checkpoint=600")


def test_checkpoints_that_a_training_removes_meanwhile_are_evaluated_all_the_same(run: Path, tmp_path: Path) -> None:
    going_on = Path(shutil.copytree(run, tmp_path / "run", symlinks=True))
    config = configure("evaluate", EvaluateConfig, [f"run={going_on}", "episodes=1", "checkpoint=all", "workers=1"])
    found = {}
    with workers_for(config) as workers:
        for name, result in evaluate_run(config, workers):
            found[name] = result
            shutil.rmtree(going_on / "checkpoints", ignore_errors=True)
    assert list(found) == ["000000000", "000000600", "000001200"]


def test_the_best_is_told_by_the_training_s_own_evaluations(run: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"the training of .* has evaluated none of 000000000, 000000600, 000001200"):
        checkpoints(run, "best")
    copy = Path(shutil.copytree(run, tmp_path / "run", symlinks=True))
    for step, solved in ((600, 3), (900, 9), (1200, 1)):
        path = copy / "evaluations" / f"{step:09d}" / "eval_info.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"aggregated": {"pc_success": solved}}))
    assert checkpoints(copy, "best") == ["000000600"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("height: 36\n  width: 36", "height: 64\n  width: 64", r"encoder\.project\.weight has shape \[64, \d+\] there"),
        (
            "action_space: cartesian",
            "action_space: joint",
            r"head\.\S+\.weight has shape \[4, 200\] there, not \[9, 200\]",
        ),
    ],
)
def test_an_environment_that_does_not_fit_the_policy_is_told_by_weight_and_shape(
    run: Path, tmp_path: Path, old: str, new: str, message: str
) -> None:
    shutil.copytree(run / "checkpoints", tmp_path / "checkpoints", symlinks=True)
    config = (run / "config.yaml").read_text()
    assert old in config
    (tmp_path / "config.yaml").write_text(config.replace(old, new))
    with pytest.raises(UserError, match=rf"do not fit its config\.yaml: {message}") as caught:
        evaluations(tmp_path, "workers=1")
    assert "\n" not in str(caught.value)


def test_a_worker_that_dies_is_an_error(run: Path) -> None:
    with Workers(run, 3) as workers, pytest.raises(UserError, match="a worker of the evaluation died"):
        played = workers.play("000001200", 1000, 0)
        next(played)
        assert workers._pool is not None
        os.kill(next(iter(workers._pool._processes)), signal.SIGKILL)
        list(played)


def test_workers_end_with_what_they_work_for(run: Path) -> None:
    words = ["evaluate", f"run={run}", "episodes=10000", "workers=3"]
    command = subprocess.Popen([sys.executable, "-m", "trailkit.agents.run.cli", *words])
    working: list[psutil.Process] = []
    while len(working) < 2:  # for longer than it takes to begin
        assert command.poll() is None
        left = psutil.Process(command.pid).children(recursive=True)
        working = [process for process in left if process.cpu_times().user > 5]
        time.sleep(0.1)
    command.kill()
    command.wait()
    assert psutil.wait_procs(left, timeout=20)[1] == []


def test_workers_are_as_many_as_are_of_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers_module.os, "sched_getaffinity", lambda _: set(range(64)), raising=False)
    assert (workers_here(50), workers_here(3)) == (8, 3)


def test_one_checkpoint_is_rendered_at_a_time(run: Path) -> None:
    words = [f"run={run}", "episodes=1", "height=48", "width=64"]
    (video,) = render_run(configure("render", RenderConfig, [*words, "checkpoint=600"]))
    assert video == run / "videos" / "000000600" / "eval_episode_0.mp4"
    with pytest.raises(UserError, match="one checkpoint at a time"):
        render_run(configure("render", RenderConfig, [*words, "checkpoint=all"]))
