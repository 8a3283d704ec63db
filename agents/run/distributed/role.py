"""What the processes of a distributed training have in common.

A role is a plain class that `program` turns into a Ray actor. Its `run` continues until its work is done or its
process dies; meanwhile its other methods are called from other threads.
"""

import logging
import os
import threading
import time
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

import ray
from ray.exceptions import RayActorError

from trailkit.configs.schema import TrainConfig

LEARNER, REPLAY = "learner", "replay"  # the names by which the roles find each other
# Concurrency groups with their own threads: inserts wait for their turn, even those of actors that have died since.
WATCH, INSERT = "watch", "insert"
_LOOK_EVERY_S = 0.5
_log = logging.getLogger(__name__)


class Phase(StrEnum):
    """What a role is doing."""

    STARTING = "starting"
    WORKING = "working"
    WAITING = "waiting"  # for another role


class Status(NamedTuple):
    """The state of a role."""

    pid: int
    node: str  # Ray's id of the machine
    phase: Phase
    idle: float  # seconds since it last made progress
    progress: dict[str, float]


class Stopped(Exception):
    """The program is being stopped."""


class Role:
    """What all roles do: report their state, and write their own log in the run's folder."""

    def __init__(self, config: TrainConfig, folder: str, name: str) -> None:
        self.config, self.folder = config, Path(folder)
        self._phase, self._moved = Phase.STARTING, time.monotonic()
        self._progress: dict[str, float] = {}
        _log_to(log_path(self.folder, name))

    def run(self) -> Any:
        """Does the role's work; an error is logged before it ends the process."""
        _log.info("started as process %d on %s", os.getpid(), node_address())
        try:
            return self._run()
        except Exception:
            _log.exception("failed")
            raise

    @ray.method(concurrency_group=WATCH)
    def status(self) -> Status:
        """The role's state; any answer means that the process is alive."""
        node, idle = ray.get_runtime_context().get_node_id(), time.monotonic() - self._moved
        return Status(os.getpid(), node, self._phase, idle, dict(self._progress))

    def _run(self) -> Any:
        raise NotImplementedError

    def moves(self) -> None:
        """Notes that the role made progress."""
        self._phase, self._moved = Phase.WORKING, time.monotonic()

    def waits(self) -> None:
        """Notes that the role waits for another one."""
        self._phase = Phase.WAITING


def answer(method: Any, *arguments: Any, stop: threading.Event | None = None) -> Any:
    """Calls a method of another role, and again whenever that role dies before it has answered.

    Raises:
        Stopped: As soon as `stop` is set.
    """
    while True:
        asked = method.remote(*arguments)
        try:
            while not ray.wait([asked], timeout=_LOOK_EVERY_S)[0]:
                if stop is not None and stop.is_set():
                    raise Stopped
            return ray.get(asked)
        except RayActorError as error:
            _log.info("no answer: %s", type(error).__name__)
            time.sleep(_LOOK_EVERY_S)
        if stop is not None and stop.is_set():
            raise Stopped


def node_address() -> str:
    """This machine's address as seen by the others."""
    address: str = ray.util.get_node_ip_address()  # type: ignore[no-untyped-call]
    return address


def log_path(folder: Path, name: str) -> Path:
    """The path of a role's log: on its own machine, if they do not share the run's folder."""
    return folder / "logs" / f"{name.replace(' ', '_')}.log"


def _log_to(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(path)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    ours = logging.getLogger("trailkit")
    ours.setLevel(logging.INFO)
    ours.addHandler(handler)
