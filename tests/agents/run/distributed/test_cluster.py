"""Ray on this machine, where it does not start."""

import threading
from typing import Any

import pytest
import ray

from trailkit.agents.run.configuration import configure
from trailkit.agents.run.distributed.cluster import start_ray
from trailkit.configs.schema import TrainConfig
from trailkit.envs.errors import UserError


def test_a_start_that_takes_too_long_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def late(**_: Any) -> None:
        raise Exception("The current node timed out\nduring startup.")

    monkeypatch.setattr(ray, "init", late)
    with pytest.raises(UserError, match=r"^Ray does not start: The current node timed out during startup\.$"):
        start_ray(configure("train", TrainConfig, ["launch=ray", "demos=none"]), threading.Event())
