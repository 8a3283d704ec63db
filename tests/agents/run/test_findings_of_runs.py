"""Each sentence about what goes wrong, said of a training in which just that was made to go wrong."""

import re
import shutil
from pathlib import Path

import pytest

from trailkit.agents.run.cli import main
from trailkit.agents.run.compare.runs import read_run
from trailkit.agents.run.configuration import load_config
from trailkit.agents.run.findings import findings, late_metrics
from trailkit.agents.run.train import resume, start
from trailkit.envs.errors import UserError

_ENV = ["env=reach", "env.height=32", "env.width=32", "env.episode_steps=41"]
_TRAINING = [
    *_ENV,
    *("replay=memory", "threads=1", "seed=1", "steps=300", "agent.batch_size=16", "actor.random_steps=80"),
    *("evaluation.every=300", "evaluation.episodes=3", "checkpoint_every=100"),
]


@pytest.fixture(scope="module")
def demos(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Demonstrations, and the same ones in another light and other colours."""
    folder = tmp_path_factory.mktemp("demos")
    alike, different = str(folder / "alike"), str(folder / "different")
    main(["record", "device=scripted", *_ENV, "episodes=6", "keep_failures=true", f"out={alike}"])
    main(["demos", "render", alike, "appearance=[arm_colour,table_colour,light]", f"out={different}"])
    return {"alike": alike, "different": different}


def said(run: Path) -> list[str]:
    """What is said of a run that solves nothing, but for that."""
    return findings(late_metrics(run), load_config(run), [0.1])


def test_nothing_is_said_of_a_training_that_goes_well(demos: dict[str, str], tmp_path: Path) -> None:
    for method in ("trail", "bc"):
        assert (
            said(start([*_TRAINING, f"method={method}", f"demos={demos['alike']}", f"out={tmp_path / method}"])) == []
        )


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ["method=trail", "demo_limit=1", "discriminator.augment=false", "discriminator.learning_rate=1e-3"],
            "the discriminator separates the demonstrations kept back .* it memorises",
        ),
        (["method=bc", "demo_limit=1", "agent.random_shift=0"], "the policy errs .* times as much .* it memorises"),
        (
            [
                *("method=trail", "demos=different", "discriminator.flip_labels=false"),
                *("discriminator.augment=false", "discriminator.learning_rate=1e-2"),
            ],
            "the constraint does not hold: .* set discriminator.flip_labels=true discriminator.constraint_ceiling=null",
        ),
        (
            ["method=gail", "demos=different", "discriminator.learning_rate=1e-3"],
            "tells agent from expert in .* frames",
        ),
        (["method=trail", "agent.v_min=-1", "agent.v_max=1"], "targets lie at the end of its support"),
        (
            ["method=trail", "discriminator.reward=log", "agent.v_min=-1", "agent.v_max=1"],
            "targets lie at the beginning of its support",
        ),
        (["method=bc", "agent.learning_rate=0.1"], "of the policy's actions are at their limits"),
        (["method=trail", "agent.learning_rate=1e-9"], "the policy does the same whatever it sees"),
        (["method=trail", "actor.min_steps=20", "actor.patience=2"], "of episodes are given up after"),
    ],
    ids=["memorises", "clones", "unheld", "separate", "top", "bottom", "saturated", "same", "given up"],
)
def test_what_goes_wrong_is_said(words: list[str], sentence: str, demos: dict[str, str], tmp_path: Path) -> None:
    given = [word.replace("demos=different", f"demos={demos['different']}") for word in words]
    found = said(start([*_TRAINING, f"demos={demos['alike']}", f"out={tmp_path / 'run'}", *given]))
    assert any(re.search(sentence, each) for each in found), found


def test_a_training_that_diverges_ends_and_its_checkpoints_are_whole(demos: dict[str, str], tmp_path: Path) -> None:
    run = tmp_path / "run"
    words = [*_TRAINING, "method=trail", f"demos={demos['alike']}", "agent.learning_rate=1e30", f"out={run}"]
    words.append("actor.random_steps=82")  # or the policy would be asked for an action after the first step
    with pytest.raises(UserError, match=r"run has diverged: .*critic_loss.* not finite in learner step 2; start"):
        start(words)
    (sentence,) = said(run)
    assert re.search("the run has diverged, .*critic_loss.* not finite", sentence)
    assert [path.name for path in (run / "checkpoints").glob("[0-9]*")] == ["000000000"]


def test_success_that_never_came_and_success_that_fell_are_said(tmp_path: Path) -> None:
    env = ["env=reach", "env.height=36", "env.width=36", "env.episode_steps=60"]
    good, bad, run = (tmp_path / name for name in ("good", "bad", "run"))
    main(["record", "device=scripted", *env, "episodes=60", f"out={good}"])
    main(["record", "device=random", *env, "episodes=5", f"out={bad}"])
    words = ["method=bc", "threads=1", "agent.batch_size=16", "agent.learning_rate=1e-3", "steps=2000", "seed=1"]
    words += ["evaluation.every=1000", "evaluation.episodes=50"]
    start([*env, *words, f"demos={good}", f"out={run}"])
    solved = read_run(run)
    assert solved.row.best > 0.2
    assert solved.findings == []
    # From here on it clones a policy that does anything at all, which no run does that knows what it began with.
    shutil.rmtree(good)
    bad.rename(good)
    with pytest.raises(UserError, match="has no longer the 60 demonstrations that"):
        resume(str(run), ["steps=3000"])
    (run / "demonstrations.json").unlink()
    resume(str(run), ["steps=3000"])
    assert any(re.fullmatch(r"success fell from \d+% to 0%: .*", sentence) for sentence in read_run(run).findings)
    for step in ("000001000", "000002000"):
        shutil.rmtree(run / "evaluations" / step)
    assert "none of 1 evaluations solved an episode" in read_run(run).findings


def test_a_sweep_goes_on_after_a_run_that_diverges(
    demos: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*_TRAINING, f"demos={demos['alike']}", "method=bc", "steps=20", f"out={tmp_path}/${{agent.learning_rate}}"]
    with pytest.raises(SystemExit):
        main(["train", "-m", *words, "agent.learning_rate=1e30,1e-3"])
    said = capsys.readouterr()
    assert "1e+30 has diverged" in said.err
    assert (tmp_path / "0.001" / "checkpoints" / "last").exists()
