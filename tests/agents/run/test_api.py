"""The verbs as functions, with an environment, a stack, a loss and an expert that are not trailkit's own."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imageio.v3
import numpy as np
import pytest
import torch

from trailkit.agents.run import api
from trailkit.agents.run.configuration import load_config
from trailkit.agents.run.evaluation.evaluate import Evaluation
from trailkit.agents.run.evaluation.saved import SavedAgents
from trailkit.demos.store import DemoStore
from trailkit.envs.errors import UserError
from trailkit.envs.make import _asked as signature

ARM = {
    "env": "gymnasium",
    "env.id": "arm:Arm-v0",
    "env.proprio": {"joint": "[0:2]"},
    "env.episode_steps": 40,
    "env.height": 36,
    "env.width": 36,
}
SMALL = {"threads": 1, "agent.batch_size": 4, "evaluation.every": 1000, "encoder.stack": "own_parts:Stack"}


@pytest.fixture(scope="module")
def demos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("api") / "demos"
    return api.record(ARM, device="scripted", expert="own_parts:turn_to_the_ball", episodes=4, out=out)


@pytest.fixture(scope="module")
def run(demos: Path) -> Path:
    return api.train(ARM | SMALL, method="bc", demos=demos, steps=4, checkpoint_every=2, out=demos.parent / "run")


def evaluated(run: Path, workers: int = 1, checkpoint: str = "last") -> Evaluation:
    found = api.evaluate(run=run, episodes=3, workers=workers, checkpoint=checkpoint)
    assert isinstance(found, Evaluation)
    return found


@pytest.mark.render
def test_an_expert_of_one_s_own_demonstrates(demos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = DemoStore.open(demos)
    assert [row.success for row in store.manifest.episodes] == 4 * [True]
    assert store.source == {"device": "scripted", "seed": 0, "noise": 0.2, "expert": "own_parts:turn_to_the_ball"}
    assert api.record(ARM, device="scripted", expert="own_parts:turn_to_the_ball", episodes=4, out=demos) == demos
    assert "already holds 4 episodes" in capsys.readouterr().out


@pytest.mark.render
def test_processes_beside_this_one_find_what_the_user_brought(run: Path) -> None:
    one, two = evaluated(run), evaluated(run, workers=2)
    assert one == two
    assert 0 <= one.interval.low <= one.success <= one.interval.high <= 1
    assert evaluated(run, checkpoint="untrained") != one


@pytest.mark.render
def test_all_checkpoints_are_told_by_their_names(run: Path) -> None:
    found = api.evaluate(run=run, checkpoint="all", episodes=2, workers=1)
    assert isinstance(found, dict)
    assert list(found) == ["000000000", "000000002", "000000004"]


@pytest.mark.render
def test_a_policy_acts_without_its_environment(run: Path, demos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved = SavedAgents(run)
    episode = DemoStore.open(demos).read(0)
    seen = [{name: values[step] for name, values in episode.observation.items()} for step in (0, 5)]
    expected = [saved.policy_at("000000004").act(observation) for observation in seen]
    saved.env.close()

    monkeypatch.setattr("trailkit.envs.make.ExternalEnvironment", None)
    signature.cache_clear()
    policy = api.policy(run, 4)
    policy.reset()
    for observation, action in zip(seen, expected, strict=True):
        np.testing.assert_array_equal(policy.act({**observation, "more": 1}), action)
    (low,), (high,) = policy.signature.low, policy.signature.high
    assert policy.in_units([-1.0]) == low < high == policy.in_units([1.0])
    assert policy.settings.observation.cameras == ("own",)
    picture = seen[0]["own"]
    for wrong, message in (
        ({"own": picture}, r"the observation lacks 'proprio' \[2\]: it has own"),
        (
            {"own": picture / 255, "proprio": [0, 0]},
            r"'own' is float64 \[36, 36, 3\]: expected uint8 \[36, 36, 3\]",
        ),
        ({"own": picture[:9], "proprio": [0, 0]}, r"'own' is uint8 \[9, 36, 3\]: expected uint8 \[36, 36, 3\]"),
        ({"own": picture, "proprio": [0]}, r"'proprio' is int64 \[1\]: expected numbers \[2\]"),
    ):
        with pytest.raises(UserError, match=message):
            policy.act(wrong)
    for checkpoint in ("all", "untrained"):
        with pytest.raises(UserError, match="give a learner step, last or best"):
            api.policy(run, checkpoint)


@pytest.mark.render
def test_a_contact_sheet_is_drawn(run: Path, tmp_path: Path) -> None:
    (path,) = api.render(run=run, episodes=2, height=48, width=64, out=tmp_path / "sheet.png")
    assert imageio.v3.imread(path).shape == (2 * (48 + 8), 8 * 64, 3)


@pytest.mark.render
@pytest.mark.slow
def test_an_adversarial_run_has_stack_and_loss_and_goes_on(demos: Path, tmp_path: Path) -> None:
    keys = {
        **ARM,
        **SMALL,
        "replay": "memory",
        "discriminator.loss": "own_parts:hinge",
        "actor.random_steps": 20,
        "evaluation.every": 5,
        "evaluation.episodes": 2,
    }
    run = api.train(keys, method="trail", demos=demos, steps=3, out=tmp_path / "run")
    assert api.resume(run, steps=5) == run
    config = load_config(run)
    assert (config.steps, config.encoder.stack, config.discriminator.loss) == (5, "own_parts:Stack", "own_parts:hinge")
    evaluated(run)
    (row,) = api.compare(run, out=tmp_path / "table.md")
    assert (row.method, row.learner_steps, row.episodes) == ("trail", 5, 3)
    assert (tmp_path / "table.md").exists()


@pytest.mark.parametrize(
    ("call", "keys", "message"),
    [
        (api.record, {"env": "reahc"}, "unknown env 'reahc': did you mean 'reach'"),
        (api.record, {**ARM, "device": "random", "expert": "a:b"}, "expert=a:b needs device=scripted"),
        (api.train, {"method": "bc", "stepps": 3}, "unknown key 'stepps': did you mean 'steps'"),
        (api.evaluate, {"run": "nowhere", "episodes": 0}, "an evaluation needs at least one"),
        (api.evaluate, {"run": "nowhere", "checkpoint": "all", "suite": "shifts"}, "give one of them"),
        (api.render, {"run": "nowhere"}, "nowhere holds no run"),
        (api.resume, "nowhere", "nowhere holds no run"),
        (api.compare, "nowhere", "nowhere holds no run"),
    ],
)
def test_a_mistake_is_raised_and_ends_nothing(call: Callable[[Any], Any], keys: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        call(keys)


@pytest.mark.render
def test_an_expert_that_is_not_there_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="unknown name in own_parts 'turn_to_the_bal': did you mean"):
        api.record(ARM, device="scripted", expert="own_parts:turn_to_the_bal", out=tmp_path / "demos")
    assert not (tmp_path / "demos").exists()


def test_an_interrupted_training_raises_what_an_interrupted_cell_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trailkit.agents.run.train.start", lambda words: sys.exit(0))
    with pytest.raises(KeyboardInterrupt):
        api.train(method="bc")


@pytest.mark.render
def test_threads_of_torch_are_as_many_as_before(run: Path) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        evaluated(run)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


@pytest.mark.render
@pytest.mark.slow
def test_a_thread_may_train(demos: Path, tmp_path: Path) -> None:
    def train() -> None:
        found.append(api.train(ARM | SMALL, method="bc", demos=demos, steps=2, out=tmp_path / "run"))

    found: list[Path] = []
    thread = threading.Thread(target=train)
    thread.start()
    thread.join()
    assert found == [tmp_path / "run"]


@pytest.mark.render
@pytest.mark.slow
def test_a_script_needs_no_guard_and_is_not_run_again_by_its_workers(run: Path, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "print('begun')\n"
        "from trailkit.agents.run import api\n"
        f"print(api.evaluate(run={str(run)!r}, episodes=3, workers=2).success)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["begun", str(evaluated(run).success)]
