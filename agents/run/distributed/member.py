"""Supervision of one role of a program: it is restarted when it dies or hangs, until it has failed too often."""

import logging
import os
import signal
import time
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import ActorDiedError, ActorUnavailableError, RayActorError, RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from trailkit.agents.run.distributed.role import Phase, Status, log_path
from trailkit.agents.run.distributed.supervision import Restarts, Stint
from trailkit.configs.schema import LaunchConfig
from trailkit.envs.errors import UserError
from trailkit.replay.base import ReplayTimeout

_log = logging.getLogger(__name__)


class Member:
    """A role's process, its current run, and its failures."""

    def __init__(self, name: str, handle: Any, launch: LaunchConfig, folder: Path) -> None:
        """Starts to run the role.

        Args:
            name: The name of the role.
            handle: Ray's handle of its process.
            launch: The timeouts.
            folder: The folder of the run.
        """
        self.name, self.handle = name, handle
        self.status: Status | None = None
        self.run: Any = None  # a reference to what `run` returns
        self.done = False
        self._ran_in = 0  # the process of its last run
        self.result: Any = None  # what `run` returned
        self._launch, self._log_path = launch, log_path(folder, name)
        self._restarts = Restarts()
        self._begin()

    @property
    def restarts(self) -> int:
        """The number of failures."""
        return self._restarts.count

    def watch(self) -> None:
        """Checks the role's state, and acts on it.

        Raises:
            UserError: If it failed because of a user's mistake, or keeps failing.
        """
        if self._resume_at is not None:
            if time.monotonic() >= self._resume_at:
                self._begin()
        elif self.run is not None:
            done, _ = ray.wait([self.run], timeout=0)
            if done:
                self._finish(done[0])
            else:
                self._look()
        elif not self.done:
            self._look()
            if self.status is not None and self.status.pid == self._ran_in:
                self._end("lost its connection")  # and may still be running: never twice in one process
            elif self.status is not None:  # its process exists
                self.run, self._ran_in = self.handle.run.remote(), self.status.pid

    def _begin(self) -> None:
        """Starts to wait for its process."""
        self.run = None
        self._unheard_since = time.monotonic()
        self._stint = Stint()
        self._resume_at: float | None = None
        self._asked: Any = None
        self._asked_at = 0.0
        self.status = None

    def _finish(self, run: Any) -> None:
        try:
            self.result, self.run, self.done = ray.get(run), None, True
        except RayTaskError as error:
            if isinstance(error.cause, UserError) and not isinstance(error.cause, ReplayTimeout):
                raise type(error.cause)(str(error.cause)) from None
            self._failed(error)
            ray.kill(self.handle, no_restart=False)  # whatever its state
        except RayActorError as error:
            self._failed(error)

    def _failed(self, error: RayError) -> None:
        """Handles the end of its process, or an error in it."""
        delay = self._restarts.failed(self._stint.seconds)
        if delay is None:
            raise UserError(
                f"{self.name} failed {self.restarts} times, the last time with: {reason(error)} (see {self._log_path})"
            )
        _log.warning("%s: %s; starting it again in %.1f s", self.name, reason(error), delay)
        self.run, self._resume_at = None, time.monotonic() + delay

    def _look(self) -> None:
        """Asks for its status, and ends its process if it does not answer or makes no progress."""
        now = time.monotonic()
        if self._asked is None:
            self._asked, self._asked_at = self.handle.status.remote(), now
            return
        ready, _ = ray.wait([self._asked], timeout=0)
        if ready:
            self._asked = None
            try:
                self.status = ray.get(ready[0])
                if self.status.phase is not Phase.STARTING:
                    self._stint.seen(now, 0.0 if self.status.phase is Phase.WAITING else self.status.idle)
                self._judge()
            except ActorDiedError as error:
                if self.run is None:
                    self._failed(error)  # it cannot even be created
            except RayError:
                self.status = None  # it is being restarted
        elif self.status is not None and now - self._asked_at > self._launch.answer_timeout:
            self._end(f"gave no answer for {self._launch.answer_timeout:.0f} s")
        elif self.status is None and now - self._unheard_since > self._launch.start_timeout:
            _log.warning("%s did not start within %.0f s: starting it again", self.name, self._launch.start_timeout)
            self._unheard_since = now
            ray.kill(self.handle, no_restart=False)

    def _judge(self) -> None:
        if self.status is None or self.status.phase is Phase.WAITING:
            return
        starting = self.status.phase is Phase.STARTING
        if self.status.idle > (self._launch.start_timeout if starting else self._launch.step_timeout):
            self._end(f"made no step for {self.status.idle:.0f} s")

    def _end(self, why: str) -> None:
        """Kills the process from outside: a suspended one does not respond to Ray."""
        assert self.status is not None
        _log.warning("%s %s: ending its process", self.name, why)
        there = NodeAffinitySchedulingStrategy(self.status.node, soft=False)
        _kill.options(scheduling_strategy=there).remote(self.status.pid)
        self.status, self._unheard_since = None, time.monotonic()


def reason(error: Exception) -> str:
    """An error in one line."""
    if isinstance(error, ActorUnavailableError):
        return "its process ended"
    return str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__


@ray.remote(num_cpus=0)
def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
