"""A distributed training: its roles on Ray, and the loop that supervises them."""

import logging
import sys
import threading
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import ray
from numpy.typing import NDArray
from ray.exceptions import GetTimeoutError, RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from trailkit.agents.run import build_data
from trailkit.agents.run.checkpoint import Checkpoints
from trailkit.agents.run.distributed.actor import ActorRole
from trailkit.agents.run.distributed.cluster import actors, start_ray
from trailkit.agents.run.distributed.evaluator import EvaluatorRole
from trailkit.agents.run.distributed.learner import LearnerRole
from trailkit.agents.run.distributed.member import Member, reason
from trailkit.agents.run.distributed.replay import ReplayRole
from trailkit.agents.run.distributed.role import INSERT, LEARNER, REPLAY, WATCH, node_address
from trailkit.agents.run.interruption import interruptible
from trailkit.agents.run.progress import Progress
from trailkit.configs.choices import LearnerKind, ReplayBackend
from trailkit.configs.schema import TrainConfig
from trailkit.envs.errors import UserError

_LOOK_EVERY_S = 0.5
_STOP_WITHIN_S = 18.0  # of a signal; the rest of 30 s is for Ray to end its processes
_log = logging.getLogger(__name__)


class Program:
    """All roles of a run."""

    def __init__(self, config: TrainConfig, folder: Path, resumed: bool = False) -> None:
        """Starts or finds Ray, and loads the layouts of the episodes' starts.

        Args:
            config: The configuration of the run.
            folder: The folder of the run.
            resumed: Whether to continue the run in the folder; if it ended before its first checkpoint, it starts over.

        Raises:
            UserError: If its checkpoints are damaged, there is no Ray at the address, too few resources for the roles,
                or no states in the demonstrations although they are needed.
        """
        self.folder = folder
        self._interrupted = threading.Event()
        if resumed:
            Checkpoints(folder / "checkpoints").latest()  # warns about damaged ones, and fails if all are
        self._layouts = build_data.load_layouts(config, folder)  # here, where the demonstrations are stored
        with interruptible(self._interrupted):
            start_ray(config, self._interrupted)
        self._config = config

    def run(self) -> None:
        """Supervises the roles until the learner is done, and ends them.

        Raises:
            UserError: The error of a role that kept failing.
            SystemExit: With code 0, after an interruption, which leaves a checkpoint.
        """
        with interruptible(self._interrupted):
            try:
                finished = not self._interrupted.is_set() and self._run()
            except UserError:
                with suppress(UserError):
                    self._stop()  # the learner's progress must not be lost because another role fails
                raise
            finally:
                ray.shutdown()
        if self._interrupted.is_set() and not finished:
            print(f"interrupted; go on with: trailkit train resume={self.folder}")
        else:
            print(f"trained; evaluate with: trailkit evaluate run={self.folder}")
        if self._interrupted.is_set():
            sys.exit(0)  # so that nothing that would follow the training is started

    def _run(self) -> bool:
        self.members = _start_roles(self._config, self.folder.absolute(), self._layouts)
        self.learner = next(member for member in self.members if member.name == LEARNER)
        with Progress(self._config.steps, minutes=self._config.minutes) as progress:
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
        steps, played, seconds = int(shown.pop("steps")), int(shown.pop("actor_steps")), shown.pop("seconds")
        progress.update(steps, played, {**shown, "restarts": restarts}, seconds)

    def _stop(self) -> bool:
        """Lets the learner save a checkpoint, and returns whether it reached its last step."""
        self.learner.handle.stop.remote()
        if self.learner.run is not None:
            try:
                return bool(ray.get(self.learner.run, timeout=_STOP_WITHIN_S))
            except (GetTimeoutError, RayError) as error:
                if isinstance(error, RayTaskError) and isinstance(error.cause, UserError):
                    raise type(error.cause)(str(error.cause)) from None
                _log.warning("the learner left no checkpoint of its last steps: %s", reason(error))
        return False


def _start_roles(config: TrainConfig, folder: Path, layouts: list[NDArray[np.float64]]) -> list[Member]:
    """Makes a Ray actor of each role, which Ray restarts whenever its process dies."""
    launch = config.launch
    assert config.demos is not None
    config = replace(config, demos=str(Path(config.demos).absolute()))
    player = replace(config, device="cpu")  # only the learner is given GPUs
    served = build_data.replay_backend(config) is ReplayBackend.reverb and config.learner is not LearnerKind.bc
    # Demonstrations and the run's folder are on this machine: the replay must be here, and the learner if possible.
    # (Ray ignores the affinity of an actor that requests no resources.)
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
    for number in range(actors(config)):
        source = REPLAY if served else LEARNER
        place(f"actor {number}", ActorRole, player, number, source, layouts, num_cpus=launch.actor_cpus)
    for number in range(launch.evaluators):
        place(f"evaluator {number}", EvaluatorRole, player, num_cpus=0)
    return members
