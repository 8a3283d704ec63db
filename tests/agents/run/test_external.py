"""The commands in environments that are not trailkit's own."""

from pathlib import Path

import imageio.v3
import pytest

from trailkit.agents.run.cli import main
from trailkit.demos.store import DemoStore
from trailkit.envs.settings import Appearance


def fails(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Runs a command that a user got wrong, and returns what it says."""
    with pytest.raises(SystemExit) as exit_:
        main(words)
    assert exit_.value.code == 2
    (said,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("trailkit: ")]
    return said


ARM = ["env=gymnasium", "env.id=arm:Arm-v0", "env.proprio={joint: '[0:2]'}", "env.episode_steps=15"]
SMALL = ["env.height=36", "env.width=36", "threads=1"]


@pytest.mark.render
@pytest.mark.slow
def test_a_user_s_arm_is_recorded_trained_evaluated_and_filmed(tmp_path: Path) -> None:
    demos, run = tmp_path / "demos", tmp_path / "run"
    main(["record", *ARM, *SMALL[:2], "device=random", "episodes=4", f"out={demos}"])
    store = DemoStore.open(demos)
    assert store.manifest.control_timestep == 0.05
    assert {episode.action.shape[1] for episode in store.episodes()} == {1}
    words = ["method=trail", "preset=cpu", "agent.batch_size=4", "actor.random_steps=40"]
    train = ["train", *ARM, *SMALL, *words, f"demos={demos}", "steps=6", "evaluation.every=100", f"out={run}"]
    main(train)
    main(["evaluate", f"run={run}", "episodes=2", "workers=1"])
    main(["evaluate", f"run={run}", "episodes=1", "workers=1", "suite=shifts"])
    tried = (run / "evaluations" / "000000006" / "shifts_seed0_episodes1.md").read_text()
    assert all(f"| {each.value} |" in tried for each in Appearance) and "distractors" not in tried
    main(["evaluate", f"run={run}", "episodes=1", "workers=1", "distract=[colours,objects]"])
    main(["render", f"run={run}", "episodes=1", "height=64", "width=64", f"out={tmp_path / 'film.png'}"])
    assert imageio.v3.imread(tmp_path / "film.png").shape == (72, 8 * 64, 3)
    main(["demos", "info", str(demos)])


@pytest.mark.render
@pytest.mark.slow
def test_meta_world_s_own_policies_demonstrate(tmp_path: Path) -> None:
    words = ["env=metaworld", "env.task=button-press-topdown-v3", "env.height=32", "env.width=32"]
    main(["record", *words, "device=scripted", "variety=1", "episodes=3", f"out={tmp_path}"])
    episodes = list(DemoStore.open(tmp_path).episodes())
    assert all(episode.success.any() for episode in episodes)
    assert all(abs(episode.action).max() <= 1 for episode in episodes)
    assert all((episode.reward == episode.success).all() for episode in episodes)
    assert {episode.observation["proprio"].shape[1] for episode in episodes} == {4}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["record", "env=gymnasium"], "env=gymnasium needs env.id="),
        (["record", "env=dm_control", "env.task=easy"], "env=dm_control needs env.domain="),
        (["record", "env=metaworld"], "env.task is missing: give env.task="),
        (["record", *ARM, "env.cameras=[abov]", "device=random"], "unknown camera 'abov': did you mean 'above'"),
        (["record", *ARM, "device=scripted"], "there is no scripted expert for arm:Arm-v0"),
        (["record", "env=gymnasium", "env.id=Pusher-v5", "device=keyboard"], "the actions of Pusher-v5 do not move a"),
        (
            ["record", *ARM, "device=random", "env.appearance=[lihgt]"],
            "unknown appearance 'lihgt': did you mean 'light'",
        ),
        (
            ["record", *ARM, "device=random", "env.distract=[camara]"],
            "unknown distract 'camara': did you mean 'camera'",
        ),
        (["record", *ARM, "device=random", "env.success=perhaps"], "env.success=perhaps: expected info"),
    ],
)
def test_a_mistake_is_one_line(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert message in fails([*words, "out=demos"], capsys)
    assert not (tmp_path / "demos").exists()


@pytest.mark.render
def test_what_needs_a_task_s_own_state_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["record", *ARM, "device=random", "episodes=1", f"out={tmp_path}"])
    assert "an audit moves things" in fails(["demos", "audit", str(tmp_path)], capsys)
    assert "has no simulator states" in fails(
        ["demos", "render", str(tmp_path), f"out={tmp_path / 'x'}", "cameras=own"], capsys
    )
    seeded = ["train", *ARM, f"demos={tmp_path}", "env.seeded=true", f"out={tmp_path / 'run'}"]
    assert "only trailkit's own tasks can" in fails(seeded, capsys)
