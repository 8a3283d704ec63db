"""How `trailkit record` sets a session up."""

from pathlib import Path

import pytest

from trailkit.agents.run.cli import main
from trailkit.agents.run.record import _fps, _source
from trailkit.configs.schema import RecordConfig, TeleopConfig
from trailkit.demos.store import DemoStore
from trailkit.envs.make import make_environment
from trailkit.envs.settings import EnvSettings, External, ObservationSettings, Origin


def test_a_person_s_clock_keeps_the_pace_of_the_environment_unless_told_otherwise() -> None:
    seen = ObservationSettings(("own",), proprioception=False)
    arm = EnvSettings("arm:Arm-v0", observation=seen, external=External(Origin.GYMNASIUM, action_repeat=2))
    with make_environment(arm) as env:
        assert _fps(TeleopConfig(), env) == pytest.approx(10)
        assert _fps(TeleopConfig(fps=5), env) == 5
        assert _source(RecordConfig(out="demos"), env)["fps"] == pytest.approx(10)


def test_a_recording_that_kept_nothing_leaves_no_folder(tmp_path: Path) -> None:
    out = tmp_path / "demos"
    words = ["device=scripted", "env=reach", "env.episode_steps=1", "env.cameras=[]", "noise=0", "episodes=1"]
    with pytest.raises(SystemExit):
        main(["record", *words, f"out={out}"])
    assert not out.exists()


def test_only_a_script_is_said_to_have_noise(tmp_path: Path) -> None:
    for device, said in (("random", {"device", "seed"}), ("scripted", {"device", "seed", "noise", "variety"})):
        out, words = tmp_path / device, ["env=reach", "env.episode_steps=20", "env.cameras=[]", "keep_failures=true"]
        main(["record", f"device={device}", *words, "episodes=1", f"out={out}"])
        assert set(DemoStore.open(out).manifest.source) == said
