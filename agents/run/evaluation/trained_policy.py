"""A run's policy without its run: for a robot, or your own control loop."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trailkit.agents.base import Action
from trailkit.agents.run import build
from trailkit.agents.run.build_env import env_settings
from trailkit.agents.run.checkpoint import Checkpoints, load_policy
from trailkit.agents.run.configuration import load_config
from trailkit.agents.run.evaluation.saved import ALL, BEST, LAST, UNTRAINED, checkpoints
from trailkit.envs.errors import UserError
from trailkit.envs.make import Signature, signature


class TrainedPolicy:
    """Acts as in evaluations: on the CPU, without exploration noise. It needs neither simulator nor demonstrations.

    Attributes:
        settings: The settings of its training environment: `settings.observation` has the cameras and their size.
        signature: The sizes of an action and of the proprioception, the time between actions in seconds, and what
            actions of -1 and 1 mean in the environment's own units.
    """

    def __init__(self, run: Path, checkpoint: str = LAST) -> None:
        """Loads the policy from the checkpoint of a run.

        Raises:
            UserError: If there is no such run or checkpoint, or it is damaged.
        """
        config = load_config(run)
        self.settings = env_settings(config.env)
        if checkpoint in (ALL, UNTRAINED):
            raise UserError(f"checkpoint={checkpoint}: give a learner step, {LAST} or {BEST}")
        (name,) = checkpoints(run, checkpoint)
        _, state = Checkpoints.load(run / "checkpoints" / name)
        told = state.get("signature")  # missing in earlier versions
        self.signature = signature(self.settings) if told is None else Signature(**told)
        self._policy = build.make_policy(config, self.settings, self.signature)
        load_policy(self._policy, state["learner"], run)

    def reset(self) -> None:
        """Starts an episode."""
        self._policy.reset()

    def act(self, observation: Mapping[str, ArrayLike]) -> Action:
        """Returns the action for an observation, float32 [A] in [-1, 1].

        Args:
            observation: Each camera's image, uint8 [height, width, 3], and, if the policy uses it, the robot's own
                state as "proprio", [P]: the same values in the same order and units as in training.

        Raises:
            UserError: If something is missing, or has another shape or type.
        """
        seen = self.settings.observation
        expected: dict[str, tuple[int, ...]] = {camera: (seen.height, seen.width, 3) for camera in seen.cameras}
        if seen.proprioception and self.signature.proprio_size:
            expected["proprio"] = (self.signature.proprio_size,)
        return self._policy.act({name: _checked(name, observation, shape) for name, shape in expected.items()})

    def in_units(self, action: ArrayLike) -> NDArray[np.float64]:
        """Converts an action to the environment's own units, such as rad/s: -1 is its lower bound, 1 its upper one."""
        low, high = np.array(self.signature.low), np.array(self.signature.high)
        units: NDArray[np.float64] = low + (np.asarray(action, float) + 1) / 2 * (high - low)
        return units


def _checked(name: str, observation: Mapping[str, ArrayLike], shape: tuple[int, ...]) -> NDArray[np.generic]:
    if name not in observation:
        raise UserError(f"the observation lacks {name!r} {list(shape)}: it has {', '.join(observation) or 'nothing'}")
    value = np.asarray(observation[name])
    picture = len(shape) == 3
    if value.shape != shape or (picture and value.dtype != np.uint8):
        raise UserError(
            f"the observation's {name!r} is {value.dtype} {list(value.shape)}: expected "
            f"{'uint8' if picture else 'numbers'} {list(shape)}"
        )
    return value if picture else value.astype(np.float32)
