"""dm_control's tasks: those of the control suite and of `dm_control.manipulation`."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trailkit.envs.errors import UserError, unknown
from trailkit.envs.external.source import Moment, bounds
from trailkit.envs.settings import EnvSettings
from trailkit.envs.simulator import mujoco

_MANIPULATION = "manipulation"


class DmControlSource:
    """A `Source` around a `dm_control` environment; `env.kwargs` are passed to its task."""

    def __init__(self, settings: EnvSettings) -> None:
        """Makes the environment.

        Raises:
            UserError: If there is no such domain or task, or it rejects `env.kwargs`.
        """
        assert settings.external is not None
        domain, _, task = settings.task.partition("/")
        try:
            self._env = _load(domain, task, dict(settings.external.kwargs))
        except (TypeError, ValueError) as error:
            raise (
                error if isinstance(error, UserError) else UserError(f"{settings.task} cannot be made: {error}")
            ) from error
        spec = self._env.action_spec()
        shape = np.zeros(spec.shape)
        self.low, self.high = bounds(settings.task, shape + spec.minimum, shape + spec.maximum)
        self.timestep = float(self._env.control_timestep())

    def reset(self, seed: int | None) -> Moment:
        """See `Source`."""
        if seed is not None:
            self._random.seed(seed)
        return Moment(self._env.reset().observation)

    def step(self, action: NDArray[np.float64]) -> Moment:
        """See `Source`."""
        timestep = self._env.step(action)
        last = timestep.last()
        terminated = bool(last and timestep.discount == 0.0)
        return Moment(timestep.observation, float(timestep.reward or 0.0), terminated, last and not terminated)

    def simulation(self) -> tuple[mujoco.MjModel, mujoco.MjData]:
        """See `Source`."""
        return self._env.physics.model.ptr, self._env.physics.data.ptr

    def own_camera(self) -> mujoco.MjvCamera:
        """See `Source`."""
        camera = mujoco.MjvCamera()
        mujoco.mjv_defaultFreeCamera(self.simulation()[0], camera)
        return camera

    def picture(self) -> NDArray[np.uint8]:
        """See `Source`."""
        drawn: NDArray[np.uint8] = self._env.physics.render(240, 320)
        return drawn

    @property
    def hand_size(self) -> int:
        """See `Source`."""
        return 4

    def hand_action(self, motion: NDArray[np.float64]) -> None:
        """None: every robot has different motors."""

    def close(self) -> None:
        """See `Source`."""
        self._env.close()

    @property
    def _random(self) -> np.random.RandomState:
        """The generator that the task uses; a composer environment has it, in the suite the task does."""
        state: np.random.RandomState | None = getattr(self._env, "random_state", None)
        if state is None:
            state = self._env.task.random
        return state


def _load(domain: str, task: str, kwargs: dict[str, Any]) -> Any:
    # Each takes a second to import, and must be imported after `simulator` has set up rendering.
    if domain == _MANIPULATION:
        from dm_control import manipulation  # noqa: PLC0415

        if task not in manipulation.ALL:
            raise unknown("task of dm_control.manipulation", task, manipulation.ALL)
        env = manipulation.load(task, **kwargs)
        env._time_limit = float("inf")  # `load` has no argument for it; the settings' time limit applies instead
        return env
    from dm_control import suite  # noqa: PLC0415

    if domain not in suite.TASKS_BY_DOMAIN:
        raise unknown("domain of dm_control", domain, [_MANIPULATION, *suite.TASKS_BY_DOMAIN])
    if task not in suite.TASKS_BY_DOMAIN[domain]:
        raise unknown(f"task of {domain}", task, suite.TASKS_BY_DOMAIN[domain])
    return suite.load(domain, task, task_kwargs={"time_limit": float("inf"), **kwargs})
