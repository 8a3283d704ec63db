"""A distributed training: roles on Ray, and the loop that starts each again that died or hangs."""

import logging
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayActorError, RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from trailkit.agents.run import build
from trailkit.agents.run.interruption import interruptible
from trailkit.agents.run.progress import Progress
from trailkit.agents.run.roles import LEARNER, REPLAY, ActorRole, EvaluatorRole, LearnerRole, ReplayRole, Status
from trailkit.agents.run.supervision import Restarts
from trailkit.configs.schema import LearnerKind, ReplayBackend, TrainConfig
from trailkit.envs.errors import UserError

_LOOK_EVERY_S = 0.5
_STOP_WITHIN_S = 25.0  # of a signal
_log = logging.getLogger(__name__)


class Member:
    """One role of the program: its process, its present run, and its failures."""

    def __init__(self, name: str, handle: Any) -> None:
        self.name, self.handle = name, handle
        self.restarts = Restarts()
        self.run: Any = None  # a reference to what `run` returns
        self.status: Status | None = None
        self._asked: Any = None
        self._asked_at = 0.0
        self.begin()

    def begin(self) -> None:
        """Runs it, as soon as its process is there."""
        self.run, self._asked, self.status = self.handle.run.options(max_task_retries=0).remote(), None, None
        self.began = time.monotonic()
        self.resume_at: float | None = None

    def failed(self, error: RayError) -> None:
        """Takes note of the end of its process, or of an error in it.

        Raises:
            RayError: If it keeps failing.
        """
        delay = self.restarts.failed(time.monotonic() - self.began)
        if delay is None:
            raise error
        _log.warning("%s: %s; starting it again in %.1f s", self.name, _reason(error), delay)
        self.run, self.resume_at = None, time.monotonic() + delay

    def look(self, step_timeout: float, answer_timeout: float) -> None:
        """Asks how it is doing, and ends its process if it does not answer or does not get on."""
        now = time.monotonic()
        if self._asked is None:
            self._asked, self._asked_at = self.handle.status.remote(), now
            return
        ready, _ = ray.wait([self._asked], timeout=0)
        if ready:
            try:
                self.status = ray.get(ready[0])
            except RayError:
                self.status = None  # its run fails, too
            self._asked = None
            if self.status is not None and self.status.idle > step_timeout:
                self._end(f"made no step for {self.status.idle:.0f} s")
        elif self.status is not None and now - self._asked_at > answer_timeout:
            self._end(f"gave no answer for {answer_timeout:.0f} s")

    def _end(self, why: str) -> None:
        """Kills the process from outside: one that is stopped does not listen to Ray."""
        assert self.status is not None
        _log.warning("%s %s: ending its process", self.name, why)
        there = NodeAffinitySchedulingStrategy(self.status.node, soft=False)
        _kill.options(scheduling_strategy=there).remote(self.status.pid)
        self.status = None


@ray.remote(num_cpus=0)
def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


class Program:
    """All roles of a run."""

    def __init__(self, config: TrainConfig, folder: Path) -> None:
        """Starts or finds Ray, and starts the roles.

        Raises:
            UserError: If there is no Ray at the address, or it has too little for the roles.
        """
        self.config, self.folder = config, folder
        self._interrupted = threading.Event()
        _start_ray(config)
        launch, words = config.launch, (config, str(folder.absolute()))
        remote = build.replay_backend(config) is ReplayBackend.reverb and config.learner is not LearnerKind.bc
        self.members: list[Member] = []
        if remote:
            self._place(REPLAY, ReplayRole, *words)
        self._place(
            *(LEARNER, LearnerRole, *words, REPLAY if remote else None),
            cpus=launch.learner_cpus,
            gpus=launch.learner_gpus,
        )
        self.learner = self.members[-1]
        for number in range(_actors(config)):
            source = REPLAY if remote else LEARNER
            self._place(f"actor {number}", ActorRole, *words, number, source, cpus=launch.actor_cpus)
        for number in range(launch.evaluators):
            self._place(f"evaluator {number}", EvaluatorRole, *words)

    def run(self) -> None:
        """Watches over the roles until the learner is done, and ends them.

        Raises:
            RayError: The error of a role that kept failing.
            SystemExit: With code 0, after an interruption, which leaves a checkpoint behind.
        """
        try:
            finished = self._run()
        finally:
            ray.shutdown()
        if not finished and self._interrupted.is_set():
            print(f"interrupted; go on with: trailkit train resume={self.folder}")
            sys.exit(0)
        print(f"trained; evaluate with: trailkit evaluate run={self.folder}")

    def _run(self) -> bool:
        with Progress(self.config.steps) as progress, interruptible(self._interrupted):
            while True:
                for member in self.members:
                    self._watch(member)
                if self.learner.run is None and self.learner.resume_at is None:
                    return bool(self._result)
                self._show(progress)
                if self._interrupted.is_set():
                    return self._stop()
                time.sleep(_LOOK_EVERY_S)

    def _place(self, name: str, role: type, *arguments: Any, cpus: float = 0.0, gpus: float = 0.0) -> None:
        """Makes a Ray actor of a role: started again whenever its process dies, calls under way included."""
        made: Any = ray.remote(role).options(
            name=name,
            num_cpus=cpus,
            num_gpus=gpus,
            max_restarts=-1,
            max_task_retries=-1,
            max_concurrency=self.config.launch.actors + self.config.launch.evaluators + 4,
        )
        self.members.append(Member(name, made.remote(*arguments)))

    def _watch(self, member: Member) -> None:
        if member.run is None:
            if member.resume_at is not None and time.monotonic() >= member.resume_at:
                member.begin()
            return
        done, _ = ray.wait([member.run], timeout=0)
        if not done:
            member.look(self.config.launch.step_timeout, self.config.launch.answer_timeout)
            return
        try:
            self._result = ray.get(done[0])
            member.run = None
        except RayTaskError as error:
            if isinstance(error.cause, UserError):
                raise UserError(str(error.cause)) from None
            member.failed(error)
            ray.kill(member.handle, no_restart=False)  # whatever state it is in
        except RayActorError as error:
            member.failed(error)

    def _show(self, progress: Progress) -> None:
        status = self.learner.status
        if status is None:
            return
        restarts = sum(member.restarts.count for member in self.members)
        self.learner.handle.note.remote({"restarts": restarts})
        shown = dict(status.progress)
        steps, played = int(shown.pop("steps", 0)), int(shown.pop("actor_steps", 0))
        progress.update(steps, played, {**shown, "restarts": restarts})

    def _stop(self) -> bool:
        """Lets the learner leave a checkpoint."""
        self.learner.handle.stop.remote()
        if self.learner.run is not None:
            try:
                return bool(ray.get(self.learner.run, timeout=_STOP_WITHIN_S))
            except (GetTimeoutError, RayError) as error:
                _log.warning("the learner left no checkpoint of its last steps: %s", _reason(error))
        return False


def _actors(config: TrainConfig) -> int:
    return 0 if config.learner is LearnerKind.bc else config.launch.actors


def _start_ray(config: TrainConfig) -> None:
    launch = config.launch
    cpus = launch.learner_cpus + _actors(config) * launch.actor_cpus
    environment = {"env_vars": {"OMP_NUM_THREADS": str(config.threads), "TF_CPP_MIN_LOG_LEVEL": "3"}}
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR, "runtime_env": environment}
    try:
        if launch.address is None:
            # More processes than cores are slower, but no mistake: Ray is told of as many cores as are asked for.
            ray.init(num_cpus=max(os.cpu_count() or 1, int(cpus + 1)), include_dashboard=False, **quiet)
        else:
            ray.init(address=launch.address, **quiet)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise UserError(f"no Ray at launch.address={launch.address}: {' '.join(str(error).split())}") from error
    there: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    for name, wanted in (("CPU", cpus), ("GPU", launch.learner_gpus)):
        if there.get(name, 0.0) < wanted:
            ray.shutdown()
            raise UserError(
                f"the roles need {wanted:g} {name}s and Ray has {there.get(name, 0.0):g}: lower launch.actors, "
                "launch.actor_cpus or launch.learner_gpus, or add machines"
            )


def _reason(error: Exception) -> str:
    return str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__
