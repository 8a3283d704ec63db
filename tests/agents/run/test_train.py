"""Whole trainings, as short as can be: 40 steps an episode, small pictures, the in-process replay."""

import csv
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from trailkit.agents.base import Policy
from trailkit.agents.run import train
from trailkit.agents.run.build_data import holdout_episodes
from trailkit.agents.run.cli import main
from trailkit.agents.run.configuration import configure, load_config
from trailkit.agents.run.evaluation.episodes import EpisodeResult
from trailkit.agents.run.evaluation.evaluate import Evaluation, evaluate
from trailkit.agents.run.evaluation.saved import checkpoints
from trailkit.agents.run.train import Trainer, resume, start
from trailkit.configs.choices import EarlyStop
from trailkit.configs.schema import TrainConfig
from trailkit.envs.errors import UserError
from trailkit.envs.tasks.environment import TaskEnvironment
from trailkit.replay.base import Table
from trailkit.replay.spill import Spill

_ENV = ["env=lift", "env.height=36", "env.width=36", "env.episode_steps=40"]
_SHORT = [
    *_ENV,
    "replay=memory",
    "threads=1",
    "agent.batch_size=4",
    "actor.random_steps=40",
    "actor.min_steps=10",
    "actor.patience=3",
    "evaluation.every=1000000",
    "checkpoint_every=10",
    "seed=1",
]
_CLOCKS = {"seconds", "actor_steps_per_second", "learner_steps_per_second", "batch_wait_share"}


@pytest.fixture(scope="module")
def demos(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = str(tmp_path_factory.mktemp("demos") / "scripted")
    main(["record", "device=scripted", *_ENV, "episodes=3", "keep_failures=true", f"out={folder}"])
    return folder


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open() as file:
        return [{name: value for name, value in row.items() if name not in _CLOCKS} for row in csv.DictReader(file)]


@pytest.mark.parametrize(
    "words",
    [
        ["method=bc"],
        ["method=gail"],
        ["method=gail_aes"],
        ["method=gail_random"],
        ["method=gail_critic"],
        ["method=gail_aes_random"],
        ["method=trail"],
        ["method=trail_random", "random_demos={demos}"],
        ["method=dac"],
        ["method=d4pgfd"],
        ["method=dpgfd"],
        ["method=oracle"],
        ["method=ddpgfd"],
        ["method=ddpgfd", "replay=memory", "agent.n_step=1"],
        ["method=gail_critic", "actor.early_stop=adaptive", "discriminator.gradient_penalty=10"],
        ["method=gail", "actor.early_stop=fixed", "actor.fixed_steps=20"],
        ["method=d4pgfd", "actor.early_stop=ground_truth"],
        ["method=gail_aes", "discriminator.spectral_norm=true", "discriminator.dropout=0.5"],
        ["method=trail", "discriminator.label_smoothing=0.1"],
        ["method=trail", "discriminator.positive_prior=0.3"],
        ["method=trail", "demos_in_replay=false", "holdout=1"],
        ["method=trail", "env.seeded=true"],
        ["method=trail", "agent.frame_stack=3", "holdout=1"],
        ["method=bc", "agent.frame_stack=2", "holdout=1"],
        ["method=ddpgfd", "replay=memory", "agent.frame_stack=2"],
        ["method=trail", "preset=paper", "agent.batch_size=4"],
    ],
    ids=" ".join,
)
def test_every_method_is_a_composition_that_trains(words: list[str], demos: str, tmp_path: Path) -> None:
    words = [word.format(demos=demos) for word in words]
    folder = start([*_SHORT, f"demos={demos}", "steps=3", f"out={tmp_path / 'run'}", *words])
    trainer = Trainer(load_config(folder), folder)
    trainer.restore()
    trainer.close()
    assert trainer.learning.steps == 3
    assert (trainer.actor_steps > 40) == ("method=bc" not in words)


def test_two_runs_with_one_seed_give_the_same_metrics(demos: str, tmp_path: Path) -> None:
    words = [*_SHORT, f"demos={demos}", "method=trail", "steps=100", "holdout=1"]
    first, second = (start([*words, f"out={tmp_path / name}"]) for name in ("a", "b"))
    assert len(rows(first)) == 1
    assert rows(first) == rows(second)
    assert float(rows(first)[0]["early_stopped"]) > 0
    other = start([*words, "seed=2", f"out={tmp_path / 'c'}"])
    assert rows(first) != rows(other)


def test_the_ratio_of_samples_to_inserts_is_held(demos: str, tmp_path: Path) -> None:
    words = [*_SHORT, f"demos={demos}", "method=gail", "steps=100", "replay.samples_per_insert=2"]
    folder = start([*words, f"out={tmp_path / 'run'}"])
    # 100 batches of 4 at two samples an insert need 200 steps, and 40 come before; episodes have 40.
    assert rows(folder)[-1]["actor_steps"] == "240"


def test_a_run_killed_ten_times_goes_on_each_time_with_its_replay(demos: str, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    words = [*_SHORT, f"demos={demos}", "method=trail", "steps=100000", "checkpoint_every=5", f"out={folder}"]
    moments = random.Random(0)
    checkpoint = 0
    for _ in range(10):
        run = subprocess.Popen([sys.executable, "-m", "trailkit.agents.run.cli", "train", *words])
        wait_until(lambda before=checkpoint: newest(folder) > before, run)  # type: ignore[misc]
        time.sleep(moments.uniform(0, 1))
        os.kill(run.pid, signal.SIGKILL)
        run.wait()

        checkpoint = newest(folder)
        spilled = Spill(folder / "replay", 10**6)
        trainer = Trainer(load_config(folder), folder)
        trainer.restore()
        assert trainer.learning.steps == checkpoint
        assert (trainer.episodes, trainer.actor_steps) == (spilled.count, spilled.steps)
        assert trainer.replay is not None
        assert trainer.replay.size(Table.MAIN) == spilled.steps
        trainer.close()
        words = [f"resume={folder}"]

    resume(str(folder), [f"steps={checkpoint + 120}"])
    steps = [int(row["step"]) for row in rows(folder)]
    assert steps == sorted({*range(100, checkpoint + 121, 100), checkpoint + 120})


def test_what_replay_has_forgotten_still_counts_after_a_restart(demos: str, tmp_path: Path) -> None:
    words = [*_SHORT, f"demos={demos}", "method=gail", "steps=100", "replay.capacity=100"]
    folder = start([*words, f"out={tmp_path / 'run'}"])
    assert len(list((folder / "replay").glob("episode_*"))) == 2
    trainer = Trainer(load_config(folder), folder)
    trainer.restore()
    trainer.close()
    assert str(trainer.actor_steps) == rows(folder)[-1]["actor_steps"]
    assert trainer.episodes == trainer.actor_steps / 40 > 2


def test_random_frames_outlive_what_replay_forgets(demos: str, tmp_path: Path) -> None:
    words = [*_SHORT, f"demos={demos}", "method=trail_random", f"random_demos={demos}", "replay.capacity=60"]
    folder = start([*words, "steps=100", f"out={tmp_path / 'run'}"])
    trainer = Trainer(load_config(folder), folder)
    trainer.restore()
    assert all(episode.metadata["policy"] != "random" for episode in Spill(folder / "replay", 60).load())
    assert trainer._random_replay is not None
    assert trainer._random_replay.size(Table.MAIN) == 40
    trainer.close()
    resume(str(folder), ["steps=101"])


def test_random_frames_that_replay_still_has_are_kept_from_now_on(demos: str, tmp_path: Path) -> None:
    words = [*_SHORT, f"demos={demos}", "method=trail_random", f"random_demos={demos}", "steps=2"]
    folder = start([*words, f"out={tmp_path / 'run'}"])
    shutil.rmtree(folder / "random")  # as earlier versions left it
    resume(str(folder), ["steps=3"])
    assert len(list((folder / "random").glob("episode_*"))) == 1


def test_a_training_that_cannot_begin_leaves_no_folder(demos: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="torch sees no CUDA device"):
        start([*_SHORT, f"demos={demos}", "device=cuda", f"out={tmp_path / 'run'}"])
    assert not (tmp_path / "run").exists()


def test_demonstrations_recorded_meanwhile_are_not_learned_from(demos: str, tmp_path: Path) -> None:
    recorded = tmp_path / "demos"
    shutil.copytree(demos, recorded)
    folder = start([*_SHORT, f"demos={recorded}", "method=bc", "steps=1", "holdout=1", f"out={tmp_path / 'run'}"])
    record = ["record", "device=scripted", *_ENV, "keep_failures=true", f"out={recorded}"]
    main([*record, "episodes=4"])
    trainer = Trainer(load_config(folder), folder)
    trainer.restore()
    assert trainer.learning.demos.replay.size(Table.MAIN) == 80
    trainer.close()
    shutil.rmtree(recorded)
    main([*record, "episodes=2"])
    with pytest.raises(UserError, match=r"has no longer the 3 demonstrations that .*run began with"):
        resume(str(folder), ["steps=2"])


def test_a_random_policys_episodes_recorded_meanwhile_are_not_learned_from(demos: str, tmp_path: Path) -> None:
    recorded = tmp_path / "random"
    record = ["record", "device=random", *_ENV, f"out={recorded}"]
    main([*record, "episodes=1"])
    words = [*_SHORT, f"demos={demos}", "method=trail_random", f"random_demos={recorded}", "steps=1"]
    folder = start([*words, f"out={tmp_path / 'run'}"])
    main([*record, "episodes=2"])
    trainer = Trainer(load_config(folder), folder)
    trainer.restore()
    assert trainer.learning.demos.random is not None
    assert trainer.learning.demos.random.size(Table.MAIN) == 40
    trainer.close()


def test_a_run_that_has_lost_its_checkpoints_keeps_its_metrics(demos: str, tmp_path: Path) -> None:
    folder = start([*_SHORT, f"demos={demos}", "method=bc", "steps=100", f"out={tmp_path / 'run'}"])
    written = (folder / "metrics.csv").read_text()
    shutil.rmtree(folder / "checkpoints")
    with pytest.raises(UserError, match="has metrics of 100 steps and no checkpoint to go on from"):
        resume(str(folder), ["steps=200"])
    assert (folder / "metrics.csv").read_text() == written


def test_a_run_that_has_hardly_begun_can_be_gone_on_with(demos: str, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    start([*_SHORT, f"demos={demos}", "method=trail", "steps=0", f"out={folder}"])
    resume(str(folder), ["steps=2"])
    trainer = Trainer(load_config(folder), folder)
    trainer.restore()
    trainer.close()
    assert trainer.learning.steps == 2


def test_a_run_that_was_killed_after_its_checkpoint_does_not_draw_the_same_noise_again(
    demos: str, tmp_path: Path
) -> None:
    folder = start([*_SHORT, f"demos={demos}", "method=trail", "steps=2", f"out={tmp_path / 'run'}"])
    ended, killed = (Trainer(load_config(folder), folder) for _ in range(2))
    ended.restore()
    shutil.rmtree(folder / "checkpoints" / "000000002")
    begun = killed.agent.explorer.state_dict()
    killed.restore()
    assert (killed.learning.steps, killed.episodes) == (0, ended.episodes)
    assert killed.agent.explorer.state_dict() not in (begun, ended.agent.explorer.state_dict())
    for trainer in (ended, killed):
        trainer.close()


def test_a_run_on_reverb_goes_on_without_it(demos: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = start([*_SHORT, f"demos={demos}", "method=trail", "steps=2", f"out={tmp_path / 'run'}"])
    trainer = Trainer(load_config(folder), folder)
    state = trainer.learning.restore()
    assert state is not None
    monkeypatch.setattr(trainer.learning, "restore", lambda: {**state, "replay": {}})  # as Reverb leaves it
    trainer.restore()
    assert trainer.replay is not None
    assert trainer.replay.size(Table.MAIN) == trainer.actor_steps > 0
    trainer.close()


def newest(folder: Path) -> int:
    """The step of the newest checkpoint, 0 if there is none."""
    return max((int(path.name) for path in (folder / "checkpoints").glob("0*") if path.suffix == ""), default=0)


def wait_until(condition: Callable[[], bool], run: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert run.poll() is None, "the training ended by itself"
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_sigterm_leaves_a_checkpoint_and_no_error(demos: str, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    words = [*_SHORT, f"demos={demos}", "method=trail", "steps=100000", "checkpoint_every=100000", f"out={folder}"]
    run = subprocess.Popen([sys.executable, "-m", "trailkit.agents.run.cli", "train", *words])
    wait_until(lambda: len(list((folder / "replay").glob("episode_*"))) >= 4, run)
    run.terminate()
    assert run.wait(30) == 0
    assert (folder / "checkpoints" / "last").exists()


def test_an_evaluation_that_is_interrupted_is_made_when_the_run_goes_on(
    demos: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def interrupted(env: TaskEnvironment, policy: Policy, _: int, *words: Any) -> Evaluation:
        calls.append(words)
        if len(calls) == 1:
            signal.raise_signal(signal.SIGTERM)
        return evaluate(env, policy, 2, *words)

    monkeypatch.setattr(train, "evaluate", interrupted)
    folder = tmp_path / "run"
    with pytest.raises(SystemExit) as end:
        start([*_SHORT, f"demos={demos}", "method=trail", "steps=5", "evaluation.every=5", f"out={folder}"])
    assert end.value.code == 0
    assert newest(folder) == 5
    assert not (folder / "evaluations").exists()
    resume(str(folder))
    assert (folder / "evaluations" / "000000005" / "eval_info.json").exists()
    assert len(calls) == 2


def test_the_checkpoint_that_was_evaluated_best_is_kept(
    demos: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    solved = iter([0, 2, 1, 2, 1, 0, 0])

    def known(env: TaskEnvironment, policy: Policy, *_: Any) -> Evaluation:
        left = next(solved)
        episodes = (EpisodeResult(i, i, 0.0, 0.0, i < left, i < left, 9, None) for i in range(2))
        return Evaluation(0, tuple(episodes), 1.0)

    monkeypatch.setattr(train, "evaluate", known)
    words = [*_SHORT, f"demos={demos}", "method=bc", "checkpoint_every=2", "evaluation.every=3", "keep_checkpoints=1"]
    folder = start([*words, "steps=18", f"out={tmp_path / 'run'}"])
    assert checkpoints(folder, "all") == ["000000012", "000000018"]  # of 6 and 12, which are as good, the newer
    assert checkpoints(folder, "best") == ["000000012"]
    resume(str(folder), ["steps=21"])
    assert checkpoints(folder, "all") == ["000000012", "000000021"]


def test_a_run_goes_on_with_demonstrations_that_were_moved(demos: str, tmp_path: Path) -> None:
    there = shutil.copytree(demos, tmp_path / "there")
    folder = start([*_SHORT, f"demos={there}", "method=bc", "steps=2", f"out={tmp_path / 'run'}"])
    moved = there.rename(tmp_path / "moved")
    resume(str(folder), ["steps=3", f"demos={moved}"])
    assert [row["step"] for row in rows(folder)] == ["2", "3"]
    shutil.rmtree(moved)
    main(["record", "device=random", *_ENV, "episodes=3", f"out={moved}"])
    with pytest.raises(UserError, match="has no longer the 3 demonstrations"):
        resume(str(folder), ["steps=4"])


def test_a_full_gpu_is_one_line(demos: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Trainer) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")

    monkeypatch.setattr(Trainer, "run", full)
    with pytest.raises(UserError, match=r"the GPU's memory is full: lower agent\.batch_size"):
        start([*_SHORT, f"demos={demos}", "method=bc", f"out={tmp_path / 'run'}"])


def test_another_simulator_than_the_training_s_is_warned_of(
    demos: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = start([*_SHORT, f"demos={demos}", "method=bc", "steps=1", f"out={tmp_path / 'run'}"])
    resume(str(folder), ["steps=2"])
    assert caplog.text == ""
    note = folder / "provenance.json"
    note.write_text(re.sub(r'"mujoco": "[^"]*"', '"mujoco": "2.0.0"', note.read_text()))
    resume(str(folder), ["steps=3"])
    assert f"{folder} was trained with mujoco 2.0.0, this is " in caplog.text


@pytest.mark.parametrize(
    ("replay", "said"), [("memory", False), pytest.param("reverb", True, marks=pytest.mark.reverb)]
)
def test_an_open_port_is_told_of(
    replay: str, said: bool, demos: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start([*_SHORT, f"demos={demos}", f"replay={replay}", "steps=1", f"out={tmp_path / 'run'}"])
    assert ("Reverb listens on every network interface" in capsys.readouterr().out) == said


def test_training_needs_demonstrations() -> None:
    with pytest.raises(UserError, match="method=trail learns from demonstrations: give demos=DIR"):
        start([])


def test_a_folder_that_exists_is_refused(demos: str, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(UserError, match=r"exists: go on with it by resume=.*, or choose another folder by out="):
        start([*_SHORT, f"demos={demos}", f"out={tmp_path}"])


@pytest.mark.parametrize("word", ["method=gail", "agent.atoms=51", "out=elsewhere", "steps"])
def test_a_run_stays_what_it_is_when_it_is_gone_on_with(word: str, demos: str, tmp_path: Path) -> None:
    folder = start([*_SHORT, f"demos={demos}", "method=bc", "steps=1", f"out={tmp_path / 'run'}"])
    with pytest.raises(UserError, match="cannot change in a run: start another, or give steps"):
        resume(str(folder), [word])
    with pytest.raises(UserError, match="could not be converted to Integer in steps"):
        resume(str(folder), ["steps=many"])
    resume(str(folder), ["steps=2"])
    assert load_config(folder).steps == 2


@pytest.mark.parametrize(("method", "before", "now"), [("trail", "true", "adaptive"), ("gail", "false", "never")])
def test_a_run_of_when_early_stopping_was_on_or_off_can_be_gone_on_with(
    method: str, before: str, now: str, demos: str, tmp_path: Path
) -> None:
    folder = start([*_SHORT, f"demos={demos}", f"method={method}", "steps=1", f"out={tmp_path / 'run'}"])
    config = (folder / "config.yaml").read_text()
    assert f"early_stop: {now}\n" in config
    old = re.sub("  (features|spectral_norm|dropout|label_smoothing|positive_prior|fixed_steps): .*\n", "", config)
    (folder / "config.yaml").write_text(old.replace(f"early_stop: {now}", f"early_stop: {before}"))
    assert load_config(folder).actor.early_stop is EarlyStop[now]
    resume(str(folder), ["steps=2"])
    assert (folder / "config.yaml").read_text() == config.replace("\nsteps: 1\n", "\nsteps: 2\n")


def test_a_folder_without_a_run_cannot_be_gone_on_with(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no run"):
        resume(str(tmp_path))


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("env=reach", "task"),
        ("env.height=64", "36x36"),
        ("env.action_space=joint", "cartesian"),
        ("env.cameras=[front,wrist]", "wrist"),
    ],
)
def test_demonstrations_of_another_environment_are_refused(word: str, message: str, demos: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        start([*_SHORT, f"demos={demos}", f"out={tmp_path / 'run'}", word])
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("words", "recorded", "kept_back"),
    [
        ([], 19, 0),
        ([], 25, 1),
        ([], 100, 5),
        ([], 2000, 25),
        (["demo_limit=25"], 100, 25),
        (["demo_limit=98"], 100, 2),
        (["demo_limit=30"], 20, 0),  # which is refused when they are read
        (["holdout=0"], 100, 0),
        (["holdout=10", "demo_limit=25"], 100, 10),
    ],
)
def test_demonstrations_are_kept_back_where_nobody_says_how_many(
    words: list[str], recorded: int, kept_back: int
) -> None:
    config = configure("train", TrainConfig, ["demos=none", *words])
    assert holdout_episodes(config, recorded) == kept_back


@pytest.mark.parametrize(("method", "metric"), [("trail", "disc_score_holdout"), ("bc", "policy_loss_holdout")])
def test_what_memorises_is_measured_on_demonstrations_kept_back(
    method: str, metric: str, demos: str, tmp_path: Path
) -> None:
    words = [*_SHORT, f"demos={demos}", f"method={method}", "demo_limit=2", "steps=100", f"out={tmp_path / 'run'}"]
    (row,) = rows(start(words))
    assert 0 < float(row[metric]) < 1
