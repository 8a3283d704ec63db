"""A recording session: a person plays episodes in real time and decides about each."""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from trailkit.demos.command import Button, Command
from trailkit.demos.record import Attempt, next_index, provenance, start_seed
from trailkit.demos.store import DemoStore
from trailkit.demos.teleop.base import Feel, Phase, Picture, Status, Teleoperator
from trailkit.demos.teleop.clock import Clock
from trailkit.envs.environment import Environment
from trailkit.envs.errors import UserError
from trailkit.replay.episode import Episode, EpisodeBuilder

_log = logging.getLogger(__name__)

View = Callable[[], Mapping[str, Picture]]  # renders the current state for the person


def teleoperate(
    env: Environment,
    device: Teleoperator,
    store: DemoStore,
    episodes: int,
    seed: int,
    view: View,
    feel: Feel,
    clock: Clock,
    interrupted: threading.Event,
) -> Iterator[Attempt]:
    """Lets a person record until a store holds enough episodes or the person stops; yields the outcome of each attempt.

    An episode starts with the person's first move, and pauses while the person is absent, until the next move. If an
    episode awaits its verdict when the session stops, it is kept if it was solved. An episode that cannot be written,
    because the disk is full, keeps awaiting its verdict. Attempts start as in `record`; a discarded one is followed by
    a new start, one to be recorded again by the same start.

    Args:
        env: The environment to record.
        device: The person's device.
        store: Where the episodes go; each is on disk when its attempt is yielded.
        episodes: How many episodes the store should hold.
        seed: Seeds the starts.
        view: Renders what the person sees.
        feel: How the device's axes are turned into velocities.
        clock: Paces the control steps.
        interrupted: If set from outside, for instance by a signal, it stops the session like the person's button.

    Raises:
        UserError: If the store belongs to another environment, or an episode to keep when the session stops cannot be
            written.
    """
    store.check(env.settings)
    index, attempt, kept = next_index(store, seed), 0, store.count()
    try:
        while kept < episodes:
            attempt += 1
            builder = EpisodeBuilder(provenance(store, seed, index))
            playing = _Playing(env, builder, feel, start_seed(seed, index))
            verdict: Button | None = None
            while verdict is None:
                clock.wait()
                said = Button.STOP if interrupted.is_set() else playing.tick(device.read())
                device.show(playing.status(kept, episodes, attempt), view())
                if said is not None and playing.settle(said, store):
                    verdict = said
            kept = store.count()  # episodes may have been removed meanwhile
            yield playing.outcome()
            if verdict is Button.STOP:
                return
            index += verdict is not Button.RERECORD
    finally:
        status = Status(Phase.FINISHED, kept, episodes, attempt, 0.0, _duration(env), False)
        with suppress(Exception):  # the original error must be the one reported
            device.show(status, view())


class _Playing:
    """One episode in progress: makes control steps, or waits."""

    def __init__(self, env: Environment, builder: EpisodeBuilder, feel: Feel, seed: int) -> None:
        self._env, self._builder, self._feel = env, builder, feel
        self._episode: Episode | None = None
        self._stored = False
        self._trouble = ""
        self._grip = 0.0  # as last commanded
        self.solved_ever = False
        self.steps = 0
        self.phase = Phase.READY
        env.seed(seed)
        self._builder.add(env.reset(), None, success=False, state=env.state())

    def tick(self, command: Command) -> Button | None:
        """Makes a control step if one is due; returns the person's verdict once there is one."""
        if command.button is not None and (command.button is not Button.KEEP or self.steps):
            return command.button
        if self.phase is Phase.JUDGING:
            return None
        velocity = self._velocity(command)
        if not command.connected:
            self.phase = Phase.PAUSED if self.steps else Phase.READY
        elif self.phase is Phase.PLAYING or velocity.any() or command.grip not in (0.0, self._grip):
            self.phase = Phase.PLAYING
            self._grip = command.grip
            self._step(np.append(velocity, command.grip))
        return None

    def _velocity(self, command: Command) -> NDArray[np.float64]:
        """How the hand is to move and, where it can, to turn."""
        velocity = self._feel.velocity(command.axes)
        if self._env.hand_size == 4:
            return velocity
        return np.append(velocity, self._feel.angular_velocity(command.turn))

    def _step(self, motion: NDArray[np.float64]) -> None:
        action = self._env.hand_action(motion)
        timestep = self._env.step(action)
        self._episode = self._builder.add(timestep, action, success=self._env.solved, state=self._env.state())
        self.steps += 1
        self.solved_ever |= self._env.solved
        if self._episode is not None:
            self.phase = Phase.JUDGING

    def settle(self, verdict: Button, store: DemoStore) -> bool:
        """Stores the episode if it should be stored, and tells whether the verdict is settled.

        If it is not, the episode keeps awaiting its verdict: the person can free disk space and keep it again.

        Raises:
            UserError: If it cannot be stored and the session stops.
        """
        unjudged = self.phase is Phase.JUDGING and (self.solved_ever or bool(self._trouble))
        if verdict is not Button.KEEP and not (verdict is Button.STOP and unjudged):
            return True
        self._episode = self._episode or self._builder.finish()
        try:
            store.append(self._episode)
        except UserError as error:
            if verdict is Button.STOP:
                raise
            _log.warning("not stored: %s", error)
            self.phase, self._trouble = Phase.JUDGING, str(error)
            return False
        self._stored = True
        return True

    def outcome(self) -> Attempt:
        """The outcome of the attempt."""
        episode_return = float(self._episode.reward.sum()) if self._stored and self._episode else 0.0
        return Attempt(self._stored, self.steps, self.solved_ever, episode_return)

    def status(self, kept: int, wanted: int, attempt: int) -> Status:
        """What to show the person."""
        duration = _duration(self._env)
        left = duration - self.steps * self._env.control_timestep
        return Status(self.phase, kept, wanted, attempt, left, duration, self._env.solved, self._trouble)


def _duration(env: Environment) -> float:
    return env.settings.episode_steps * env.control_timestep
