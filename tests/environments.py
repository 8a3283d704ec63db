"""What the tests of environments share: small environments, and programs in a fresh interpreter."""

import os
import subprocess
import sys

from trailkit.envs.settings import ActionSpace, EnvSettings, ObservationSettings
from trailkit.envs.tasks.environment import TaskEnvironment

STATE = ObservationSettings(cameras=())


class Make:
    """Makes environments, and closes them after the test."""

    def __init__(self) -> None:
        self._made: list[TaskEnvironment] = []

    def __call__(
        self,
        task: str = "lift",
        observation: ObservationSettings = STATE,
        action_space: ActionSpace = ActionSpace.CARTESIAN,
        episode_steps: int = 200,
        seed: int = 0,
    ) -> TaskEnvironment:
        self._made.append(TaskEnvironment(EnvSettings(task, action_space, observation, episode_steps), seed=seed))
        return self._made[-1]

    def close(self) -> None:
        for env in self._made:
            env.close()


def run_python(program: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs a program where OpenGL has not been chosen yet and warnings are errors."""
    inherited = {k: v for k, v in os.environ.items() if k not in ("MUJOCO_GL", "PYOPENGL_PLATFORM")}
    command = [sys.executable, "-W", "error", "-c", program]
    return subprocess.run(command, env=inherited | variables, capture_output=True, text=True, timeout=120, check=False)
