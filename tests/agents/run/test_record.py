"""How `trailkit record` sets a session up."""

import pytest

from trailkit.agents.run.record import _fps, _source
from trailkit.configs.schema import RecordConfig, TeleopConfig
from trailkit.envs.make import make_environment
from trailkit.envs.settings import EnvSettings, External, ObservationSettings, Origin


def test_a_person_s_clock_keeps_the_pace_of_the_environment_unless_told_otherwise() -> None:
    seen = ObservationSettings(("own",), proprioception=False)
    arm = EnvSettings("arm:Arm-v0", observation=seen, external=External(Origin.GYMNASIUM, action_repeat=2))
    with make_environment(arm) as env:
        assert _fps(TeleopConfig(), env) == pytest.approx(10)
        assert _fps(TeleopConfig(fps=5), env) == 5
        assert _source(RecordConfig(out="demos"), env)["fps"] == pytest.approx(10)
