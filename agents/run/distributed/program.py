"""A distributed training: its roles on Ray, and the loop that watches over them."""

import logging
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import ray
from ray.exceptions import GetTimeoutError, RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from trailkit.agents.run import build
from trailkit.agents.run.checkpoint import Checkpoints
from trailkit.agents.run.distributed.actor import ActorRole
from trailkit.agents.run.distributed.evaluator import EvaluatorRole
from trailkit.agents.run.distributed.learner import LearnerRole
from trailkit.agents.run.distributed.member import Member, reason
from trailkit.agents.run.distributed.replay import ReplayRole
from trailkit.agents.run.distributed.role import INSERT, LEARNER, REPLAY, WATCH, node_address
from trailkit.agents.run.interruption import interruptible
from trailkit.agents.run.progress import Progress
from trailkit.configs.schema import LaunchConfig, LearnerKind, ReplayBackend, TrainConfig
from trailkit.envs.errors import UserError

_LOOK_EVERY_S = 0.5
_STOP_WITHIN_S = 18.0  # of a signal; the rest of 30 s is Ray's, to end its processes
_REACH_WITHIN_S = 10.0
# What a process group is told to end by: Ray's processes are of the command's group, and must outlive the checkpoint.
_OF_THE_GROUP = {signal.SIGTERM, signal.SIGHUP}
_log = logging.getLogger(__name__)


class Program:
    """All roles of a run."""

    def __init__(self, config: TrainConfig, folder: Path, resumed: bool = False) -> None:
        """Starts or finds Ray, and starts the roles.

        Args:
            config: Of the run.
            folder: Of the run.
            resumed: Whether it goes on with what is in it; where that ended before its first checkpoint, it begins.

        Raises:
            UserError: If its checkpoints are damaged, there is no Ray at the address, or too little for the roles.
        """
        self.folder = folder
        self._interrupted = threading.Event()
        if resumed:
            Checkpoints(folder / "checkpoints").latest()  # warns of damaged ones, and refuses if there are no others
        with interruptible(self._interrupted):
            start_ray(config, self._interrupted)
        self._config = config

    def run(self) -> None:
        """Watches over the roles until the learner is done, and ends them.

        Raises:
            UserError: The error of a role that kept failing.
            SystemExit: With code 0, after an interruption, which leaves a checkpoint behind.
        """
        with interruptible(self._interrupted):
            try:
                finished = not self._interrupted.is_set() and self._run()
            except UserError:
                with suppress(UserError):
                    self._stop()  # what the learner has learned is not to be lost because another role fails
                raise
            finally:
                ray.shutdown()
        if self._interrupted.is_set() and not finished:
            print(f"interrupted; go on with: trailkit train resume={self.folder}")
        else:
            print(f"trained; evaluate with: trailkit evaluate run={self.folder}")
        if self._interrupted.is_set():
            sys.exit(0)  # and not on to whatever was to come after the training

    def _run(self) -> bool:
        self.members = _start_roles(self._config, self.folder.absolute())
        self.learner = next(member for member in self.members if member.name == LEARNER)
        with Progress(self._config.steps) as progress:
            while True:
                for member in self.members:
                    member.watch()
                if self.learner.done:
                    return bool(self.learner.result)
                self._show(progress)
                if self._interrupted.is_set():
                    return self._stop()
                time.sleep(_LOOK_EVERY_S)

    def _show(self, progress: Progress) -> None:
        status = self.learner.status
        if status is None or "steps" not in status.progress:
            return
        restarts = sum(member.restarts for member in self.members)
        self.learner.handle.note.remote({"restarts": restarts})
        shown = dict(status.progress)
        steps, played = int(shown.pop("steps")), int(shown.pop("actor_steps"))
        progress.update(steps, played, {**shown, "restarts": restarts})

    def _stop(self) -> bool:
        """Lets the learner leave a checkpoint, and returns whether it came to its last step."""
        self.learner.handle.stop.remote()
        if self.learner.run is not None:
            try:
                return bool(ray.get(self.learner.run, timeout=_STOP_WITHIN_S))
            except (GetTimeoutError, RayError) as error:
                if isinstance(error, RayTaskError) and isinstance(error.cause, UserError):
                    raise UserError(str(error.cause)) from None
                _log.warning("the learner left no checkpoint of its last steps: %s", reason(error))
        return False


def _actors(config: TrainConfig) -> int:
    return 0 if config.learner is LearnerKind.bc else config.launch.actors


def _start_roles(config: TrainConfig, folder: Path) -> list[Member]:
    """Makes a Ray actor of each role: started again whenever its process dies."""
    launch = config.launch
    assert config.demos is not None
    config = replace(config, demos=str(Path(config.demos).absolute()))
    player = replace(config, device="cpu")  # the learner alone is given GPUs
    served = build.replay_backend(config) is ReplayBackend.reverb and config.learner is not LearnerKind.bc
    # Demonstrations and the run's folder are on this machine: the replay belongs here, and the learner if it can.
    # (Ray does not heed the affinity of an actor that asks for no resources.)
    here = {"resources": {f"node:{node_address()}": 0.001}}
    rather_here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=True)
    general = {"max_restarts": -1, "max_concurrency": launch.actors + launch.evaluators + 4}
    as_actor: Any = ray.remote(concurrency_groups={WATCH: 1, INSERT: launch.actors})  # type: ignore[call-overload]
    members: list[Member] = []

    def place(name: str, role: type, config: TrainConfig, *arguments: Any, **options: Any) -> None:
        made = as_actor(role).options(name=name, **general, **options)
        members.append(Member(name, made.remote(config, str(folder), name, *arguments), launch, folder))

    if served:
        place(REPLAY, ReplayRole, config, num_cpus=0, **here)
    cores = {"num_cpus": launch.learner_cpus, "num_gpus": launch.learner_gpus}
    place(LEARNER, LearnerRole, config, REPLAY if served else None, scheduling_strategy=rather_here, **cores)
    for number in range(_actors(config)):
        source = REPLAY if served else LEARNER
        place(f"actor {number}", ActorRole, player, number, source, num_cpus=launch.actor_cpus)
    for number in range(launch.evaluators):
        place(f"evaluator {number}", EvaluatorRole, player, num_cpus=0)
    return members


def start_ray(config: TrainConfig, interrupted: threading.Event) -> None:
    """Starts Ray on this machine, or finds it at the address and waits until it has what the roles need.

    Raises:
        UserError: If there is none, or it has too little for the roles.
    """
    launch = config.launch
    cpus = launch.learner_cpus + _actors(config) * launch.actor_cpus
    environment = {"env_vars": {"OMP_NUM_THREADS": str(config.threads), "TF_CPP_MIN_LOG_LEVEL": "3"}}
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR, "runtime_env": environment}
    if launch.address is None:
        _start_ray(cpus, quiet)
    else:
        _find_ray(launch.address, quiet)
    try:
        _wait_for_room(launch, {"CPU": cpus, "GPU": launch.learner_gpus}, interrupted)
        _check_machines(launch)
    except UserError:
        ray.shutdown()
        raise


def _start_ray(cpus: float, quiet: dict[str, Any]) -> None:
    # More processes than cores are slower, but no mistake: Ray is told of as many cores as are asked for.
    cores = max(os.cpu_count() or 1, int(cpus + 1))
    heeded = signal.pthread_sigmask(signal.SIG_BLOCK, _OF_THE_GROUP)  # what it starts inherits that
    try:
        # "local", since by default Ray would rather join a cluster that this machine belongs to.
        ray.init(address="local", num_cpus=cores, include_dashboard=False, **quiet)
    except (ConnectionError, ValueError, RuntimeError, RayError) as error:
        raise UserError(f"Ray does not start: {' '.join(str(error).split())}") from error
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, heeded)


def _find_ray(address: str, quiet: dict[str, Any]) -> None:
    if address != "auto":
        _reach(address)
    try:
        found = ray.init(address=address, **quiet)
    except (ConnectionError, ValueError, RuntimeError, RayError) as error:
        raise UserError(
            f"no Ray at launch.address={address}: {' '.join(str(error).split())}; if it asks for a token, give this "
            "machine the head's ~/.ray/auth_token and set RAY_AUTH_MODE=token"
        ) from error
    if found.dashboard_url:
        print(f"Ray's dashboard: http://{found.dashboard_url}")


def _reach(address: str) -> None:
    """Finds out in seconds what Ray would try for minutes."""
    channel = grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)])
    try:
        grpc.channel_ready_future(channel).result(timeout=_REACH_WITHIN_S)
    except grpc.FutureTimeoutError as error:
        raise UserError(
            f"no Ray at launch.address={address}: nothing there answers like it; give auto, or host:port of ray start"
        ) from error
    finally:
        channel.close()


def _wait_for_room(launch: LaunchConfig, needs: dict[str, float], interrupted: threading.Event) -> None:
    """Waits for machines that are still to join a cluster, as those of a SLURM job do."""
    waited = time.monotonic() + (launch.start_timeout if launch.address is not None else 0.0)
    told = False
    while not interrupted.is_set():
        there: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
        lacking = [name for name, wanted in needs.items() if there.get(name, 0.0) < wanted]
        if not lacking:
            return
        said = " and ".join(f"{needs[name]:g} {name}s and Ray has {there.get(name, 0.0):g}" for name in lacking)
        if time.monotonic() >= waited:
            raise UserError(
                f"the roles need {said}: lower launch.actors, launch.actor_cpus or launch.learner_gpus, or add machines"
            )
        if not told:
            print(f"the roles need {said}: waiting {launch.start_timeout:g} s for more machines", flush=True)
            told = True
        time.sleep(_LOOK_EVERY_S)


def _check_machines(launch: LaunchConfig) -> None:
    """Makes sure that there is a machine for the learner, and one for an actor: no role is spread over several."""
    machines = [node["Resources"] for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
    for role, key, need in (
        ("learner", "CPU", launch.learner_cpus),
        ("learner", "GPU", launch.learner_gpus),
        ("actor", "CPU", launch.actor_cpus),
    ):
        largest = max((machine.get(key, 0.0) for machine in machines), default=0.0)
        if largest < need:
            raise UserError(
                f"launch.{role}_{key.lower()}s is {need:g}, and no machine of Ray's has more than {largest:g}: lower it"
            )
