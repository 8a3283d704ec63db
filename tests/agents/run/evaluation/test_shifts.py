"""Which environments `suite=shifts` tries."""

import pytest

from trailkit.agents.run.evaluation.shifts import shifts
from trailkit.configs.schema import EnvConfig


def test_what_would_change_nothing_is_left_out_and_said(caplog: pytest.LogCaptureFixture) -> None:
    found = shifts(EnvConfig(task="reach", cameras=["wrist"]))
    assert list(found) == ["as trained", "arm_colour", "table_colour", "light", "all of these"]
    assert found["all of these"].appearance == ("arm_colour", "light", "table_colour")
    assert "suite=shifts leaves out camera_pose: appearance=[camera_pose]: none of the cameras" in caplog.text
