"""What more processes gain: environment steps by the number of actors, and launch=ray versus launch=inline."""

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import ray

from trailkit.agents.base import Metrics
from trailkit.agents.run import build
from trailkit.agents.run.bench.comparison import Comparison, Side
from trailkit.agents.run.build_env import env_settings
from trailkit.agents.run.configuration import configure
from trailkit.agents.run.distributed.actor import ActorRole
from trailkit.agents.run.distributed.cluster import start_ray
from trailkit.agents.run.distributed.role import LEARNER, WATCH
from trailkit.agents.run.metrics import rows_by_step
from trailkit.agents.run.record import record_demos
from trailkit.configs.schema import RecordConfig, TrainConfig
from trailkit.replay.episode import Episode

_TASK = "env=lift_distracted"


def bench_actors(counts: tuple[int, ...] = (1, 2, 4, 8), seconds: float = 30) -> Iterator[Comparison]:
    """Compares numbers of actors that feed a learner which only counts: environment steps per second."""
    rates: dict[int, float] = {}
    for count in counts:
        rates[count] = _steps_per_second(count, seconds)
        yield Comparison(
            name=f"TRAIL's actors on lift_distracted, {os.cpu_count()} cores",
            unit="environment steps/s",
            ours=Side(f"{count} actors", rates[count]),
            other=Side(f"{counts[0]} actors", rates[counts[0]]),
            ratio=rates[count] / rates[counts[0]],
            target=None,
            at_least=True,
        )


def bench_launch(rounds: int = 3, minutes: float = 2.0) -> Iterator[Comparison]:
    """Compares actor and learner steps in the same time, with launch=ray and launch=inline, alternately."""
    with tempfile.TemporaryDirectory() as folder:
        demos = f"{folder}/demos"
        record_demos(configure("record", RecordConfig, [_TASK, "device=scripted", "episodes=5", f"out={demos}"]))
        words = [_TASK, f"demos={demos}", f"minutes={minutes}", "evaluation.every=1000000"]
        launches = {"ray": ["launch=ray", "launch.actors=2", "launch.evaluators=0"], "inline": ["launch=inline"]}
        reached = np.array(
            [
                [_train([*words, *more], f"{folder}/{name}{turn}") for name, more in launches.items()]
                for turn in range(rounds)
            ]
        )
    for column, name in enumerate(("actor", "learner")):
        ours, other = np.median(reached[:, :, column], axis=0).tolist()
        yield Comparison(
            name=f"{name} steps of a training in {minutes:g} minutes",
            unit="steps",
            ours=Side("launch=ray launch.actors=2", ours),
            other=Side("launch=inline", other),
            ratio=ours / other,
            target=1.0,
            at_least=True,
        )


class _Counter:
    """A learner that only counts, with a replay that stores nothing."""

    def __init__(self, config: TrainConfig) -> None:
        agent = build.make_agent(config, env_settings(config.env))
        self._weights = ray.put(agent.learner.parameters())
        self._steps: dict[int, int] = {}

    def latest(self, version: int) -> tuple[int, Any] | None:
        """The initial weights, which never change."""
        return (0, [self._weights]) if version < 0 else None

    def episodes_of(self, actor: int) -> tuple[int, int]:
        """No episodes, and so many steps that the random policy is already done."""
        self._steps[actor] = 0
        return 0, sys.maxsize

    def insert(self, episode: Episode, _: Metrics) -> int:
        """Counts the steps."""
        self._steps[episode.metadata["actor"]] += episode.length
        return sys.maxsize

    def steps(self) -> list[int]:
        """How many steps each actor played."""
        return list(self._steps.values())


def _steps_per_second(count: int, seconds: float) -> float:
    config = configure("train", TrainConfig, [_TASK, "launch=ray", f"launch.actors={count}", "device=cpu"])
    start_ray(config, threading.Event())
    try:
        counter: Any = ray.remote(_Counter).options(name=LEARNER, num_cpus=0, max_concurrency=count + 4).remote(config)
        with tempfile.TemporaryDirectory() as folder:
            for number in range(count):
                made: Any = ray.remote(concurrency_groups={WATCH: 1})(ActorRole)  # type: ignore[call-overload]
                actor = made.options(name=f"actor {number}", max_concurrency=2)
                actor.remote(config, folder, f"actor {number}", number, LEARNER).run.remote()
            while len(played := ray.get(counter.steps.remote())) < count or min(played) == 0:
                time.sleep(0.5)
            began, before = time.monotonic(), sum(played)
            time.sleep(seconds)
            return float(sum(ray.get(counter.steps.remote())) - before) / (time.monotonic() - began)
    finally:
        ray.shutdown()


def _train(words: list[str], out: str) -> tuple[float, float]:
    """The number of steps of a training's actors and of its learner."""
    command = [sys.executable, "-m", "trailkit.agents.run.cli", "train", *words, f"out={out}"]
    subprocess.run(command, check=True, capture_output=True)
    last = rows_by_step(Path(out) / "metrics.csv")[-1]
    return float(last["actor_steps"]), float(last["step"])
