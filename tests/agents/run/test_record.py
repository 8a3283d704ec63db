"""How `trailkit record` sets a session up."""

from pathlib import Path

import pytest
from teleoperation import Script, move, press

from trailkit.agents.run.cli import main
from trailkit.agents.run.record import _fps, _source
from trailkit.configs.schema import RecordConfig, TeleopConfig
from trailkit.demos.store import DemoStore
from trailkit.envs.errors import UserError
from trailkit.envs.make import make_environment
from trailkit.envs.settings import EnvSettings, External, ObservationSettings, Origin


def test_a_person_s_clock_keeps_the_pace_of_the_environment_unless_told_otherwise() -> None:
    seen = ObservationSettings(("own",), proprioception=False)
    arm = EnvSettings("arm:Arm-v0", observation=seen, external=External(Origin.GYMNASIUM, action_repeat=2))
    with make_environment(arm) as env:
        assert _fps(TeleopConfig(), env) == pytest.approx(10)
        assert _fps(TeleopConfig(fps=5), env) == 5
        assert _source(RecordConfig(out="demos"), env)["fps"] == pytest.approx(10)


def test_a_persons_sensitivities_are_stored_beside_the_demonstrations() -> None:
    seen = ObservationSettings(("own",), proprioception=False)
    config = RecordConfig(out="demos", teleop=TeleopConfig(pos_sensitivity=0.5, rot_sensitivity=0.25))
    with make_environment(EnvSettings("arm:Arm-v0", observation=seen, external=External(Origin.GYMNASIUM))) as env:
        source = _source(config, env)
    assert (source["pos_sensitivity"], source["rot_sensitivity"]) == (0.5, 0.25)


def test_a_sensitivity_of_nothing_is_refused() -> None:
    with pytest.raises(UserError, match=r"teleop.rot_sensitivity=0: it must be at least 0\.01"):
        TeleopConfig(rot_sensitivity=0)


@pytest.mark.render
@pytest.mark.parametrize(("arm", "turns", "action"), [("TurningArm", True, 0.5), ("Arm", False, 1.0)])
def test_where_the_hand_turns_the_device_says_so_and_the_person_turns_it(
    arm: str, turns: bool, action: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[bool] = []

    def make(*_: object, turns: bool) -> Script:
        told.append(turns)
        return Script(move(-1, turn=(0, 0, 1)), press("keep"))

    monkeypatch.setattr("trailkit.agents.run.record._make_device", make)
    words = ["env=gymnasium", f"env.id=arm:{arm}-v0", "teleop.rot_sensitivity=0.5", "episodes=1"]
    main(["record", *words, f"out={tmp_path / 'demos'}"])
    assert told == [turns]
    assert DemoStore.open(tmp_path / "demos").read(0).action.tolist() == [[action]]


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
