"""Ray, started on this machine or found at an address, with room for the roles of a training."""

import logging
import os
import signal
import threading
import time
from typing import Any

import grpc
import ray
from ray.exceptions import RayError

from trailkit.configs.choices import LearnerKind
from trailkit.configs.schema import LaunchConfig, TrainConfig
from trailkit.envs.errors import UserError

_LOOK_EVERY_S = 0.5
_REACH_WITHIN_S = 10.0
# Disables the record of each call for Ray's dashboard, which is not used: it grows by 1.5 MB per minute.
_SYSTEM = {"task_events_report_interval_ms": 0}
# The signals that end a process group: Ray's processes are in the command's group, and must outlive the checkpoint.
_OF_THE_GROUP = {signal.SIGTERM, signal.SIGHUP}


def start_ray(config: TrainConfig, interrupted: threading.Event) -> None:
    """Starts Ray on this machine, or connects to it at the address and waits until it has what the roles need.

    Raises:
        UserError: If there is no Ray, or it has too few resources for the roles.
    """
    launch = config.launch
    cpus = launch.learner_cpus + actors(config) * launch.actor_cpus
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
    # More processes than cores are slower, but not an error: Ray is told to have as many cores as requested.
    cores = max(os.cpu_count() or 1, int(cpus + 1))
    heeded = signal.pthread_sigmask(signal.SIG_BLOCK, _OF_THE_GROUP)  # inherited by the processes that it starts
    try:
        # "local", since by default Ray would join a cluster that this machine belongs to.
        ray.init(address="local", num_cpus=cores, include_dashboard=False, _system_config=_SYSTEM, **quiet)
    except Exception as error:  # there is no narrower error for processes that took too long to start on a busy machine
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
    """Waits for machines that have yet to join a cluster, like those of a SLURM job."""
    waited = time.monotonic() + (launch.start_timeout if launch.address is not None else 0.0)
    told = False
    while not interrupted.is_set():
        # In a cluster, count what others have left; a newly started Ray does not know yet what is free.
        found = ray.cluster_resources if launch.address is None else ray.available_resources
        there: dict[str, float] = found()  # type: ignore[no-untyped-call]
        lacking = [name for name, wanted in needs.items() if there.get(name, 0.0) < wanted]
        if not lacking:
            return
        said = " and ".join(f"{needs[name]:g} {name}s and Ray has {there.get(name, 0.0):g} free" for name in lacking)
        if time.monotonic() >= waited:
            raise UserError(
                f"the roles need {said}: lower launch.actors, launch.actor_cpus or launch.learner_gpus, or add machines"
            )
        if not told:
            print(f"the roles need {said}: waiting {launch.start_timeout:g} s for more machines", flush=True)
            told = True
        time.sleep(_LOOK_EVERY_S)


def _check_machines(launch: LaunchConfig) -> None:
    """Checks that there is a machine for the learner and one for an actor: no role is spread over several."""
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


def actors(config: TrainConfig) -> int:
    """How many processes play: none if the learner does not use the agent's episodes."""
    return 0 if config.learner is LearnerKind.bc else config.launch.actors
