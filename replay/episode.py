"""An episode: what it holds, how it is collected and how it is checked."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import dm_env
import numpy as np
from numpy.typing import NDArray

from trailkit.envs.errors import UserError

STEP_FIELDS: dict[str, tuple[type, int]] = {
    "action": (np.float32, 2),
    "reward": (np.float32, 1),
    "discount": (np.float32, 1),
    "success": (np.bool_, 1),
}


class Episode(NamedTuple):
    """A finished episode of T steps."""

    observation: dict[str, NDArray[Any]]  # T + 1 observations: cameras uint8 [T+1, H, W, 3], proprio f32 [T+1, P]
    action: NDArray[np.float32]  # [T, A]
    reward: NDArray[np.float32]  # [T]
    discount: NDArray[np.float32]  # [T], from the environment
    success: NDArray[np.bool_]  # [T], whether the task was solved after each step
    metadata: dict[str, Any]  # JSON: seed, source, how it ended; not needed for learning
    state: NDArray[np.float64] | None = None  # [T+1, S], of the simulator; demonstrations are rendered again from it

    @property
    def length(self) -> int:
        """The number of steps, T."""
        return len(self.action)


class EpisodeBuilder:
    """Collects the time steps of one episode after another while an actor plays."""

    def __init__(self, metadata: Mapping[str, Any] | None = None) -> None:
        """Starts without an episode; `metadata` (JSON values) is copied into each one."""
        self._metadata = dict(metadata or {})
        self._observations: list[Mapping[str, Any]] = []
        self._steps: list[tuple[Any, float, float, bool]] = []
        self._states: list[NDArray[np.float64]] = []

    def add(
        self,
        timestep: dm_env.TimeStep,
        action: NDArray[np.float32] | None,
        success: bool,
        state: NDArray[np.float64] | None = None,
    ) -> Episode | None:
        """Adds a time step, with the action that led to it (None for the first).

        Args:
          timestep: What the environment returned.
          action: The action that the environment was given, float32 [A].
          success: Whether the task is solved after this step.
          state: The simulator's state, float64 [S]; given with every step of an episode or with none.

        Returns:
          The episode if this was its last step, else None. A last step with discount 1 is a truncation, with
          discount 0 a termination; `metadata["end"]` says which.

        Raises:
          ValueError: If the action or the first step of the episode is missing.
        """
        if timestep.first() != (action is None):
            raise ValueError("the first time step of an episode comes without an action, every other with one")
        if timestep.first():
            self._forget()
        elif not self._observations:
            raise ValueError("the episode's first time step was not added")
        else:
            self._steps.append((action, float(timestep.reward), float(timestep.discount), success))
        # Copies, because an environment may render every image into the same buffer.
        self._observations.append({name: np.array(value) for name, value in timestep.observation.items()})
        if state is not None:
            self._states.append(state)
        return self.finish() if timestep.last() else None

    @property
    def length(self) -> int:
        """How many steps of the current episode were added so far."""
        return len(self._steps)

    def finish(self) -> Episode:
        """Ends the episode at the step added last, also before the environment ended it, and clears the builder.

        Raises:
          ValueError: If no step was added.
        """
        if not self._steps:
            raise ValueError("an episode that has no steps cannot be finished")
        actions, rewards, discounts, successes = zip(*self._steps, strict=True)
        observations = self._observations
        end = "truncation" if discounts[-1] > 0 else "termination"
        episode = Episode(
            observation={name: np.stack([each[name] for each in observations]) for name in observations[0]},
            action=np.stack(actions).astype(np.float32),
            reward=np.array(rewards, np.float32),
            discount=np.array(discounts, np.float32),
            success=np.array(successes, np.bool_),
            metadata={**self._metadata, "end": end},
            state=np.stack(self._states) if self._states else None,
        )
        self._forget()
        check_episode(episode)
        return episode

    def _forget(self) -> None:
        self._observations, self._steps, self._states = [], [], []


def check_episode(episode: Episode) -> None:
    """Checks dtypes, shapes and finiteness.

    Raises:
      UserError: Names the entry that is wrong, what it is and what it should be.
    """
    for name, (dtype, rank) in STEP_FIELDS.items():
        values: NDArray[Any] = getattr(episode, name)
        if values.dtype != dtype or values.ndim != rank or len(values) != episode.length:
            wanted = f"{np.dtype(dtype)} [{episode.length}{', A' if rank == 2 else ''}]"
            raise UserError(f"the episode's {name} is {values.dtype} {list(values.shape)}: it must be {wanted}")
        if not np.isfinite(values).all():
            raise UserError(f"the episode's {name} holds values that are not finite")
    if episode.length == 0:
        raise UserError("the episode has no steps")
    if not episode.observation:
        raise UserError("the episode has no observations: it needs at least one camera or proprio")
    rows = episode.length + 1
    for name, values in episode.observation.items():
        if name == "proprio":
            wanted, right = f"float32 [{rows}, P]", values.dtype == np.float32 and values.ndim == 2
        else:
            wanted = f"uint8 [{rows}, H, W, 3]"
            right = values.dtype == np.uint8 and values.ndim == 4 and values.shape[-1] == 3
        if not right or len(values) != rows:
            raise UserError(f"the episode's observation {name!r} is {values.dtype} {list(values.shape)}, not {wanted}")
        if name == "proprio" and not np.isfinite(values).all():
            raise UserError("the episode's proprio holds values that are not finite")
    _check_state(episode.state, rows)


def _check_state(state: NDArray[np.float64] | None, rows: int) -> None:
    if state is None:
        return
    if state.dtype != np.float64 or state.ndim != 2 or len(state) != rows:
        raise UserError(f"the episode's state is {state.dtype} {list(state.shape)}: it must be float64 [{rows}, S]")
    if not np.isfinite(state).all():
        raise UserError("the episode's state holds values that are not finite")
