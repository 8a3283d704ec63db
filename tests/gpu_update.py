"""Times updates on a GPU: as they are written, as one CUDA graph, and with encoders in bfloat16.

`PYTHONPATH=tests python -m gpu_update REPORT.json preset=paper …` makes the same updates by each on the same batches of
random play, and prints their median milliseconds, by how much they are faster than the first, and how far their losses
lie from its.
"""

import gc
import json
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import torch

from trailkit.agents.base import Metrics, Snapshot, as_tensors
from trailkit.agents.early_stopping import Never
from trailkit.agents.policies import RandomPolicy
from trailkit.agents.run import build
from trailkit.agents.run.build_env import env_settings
from trailkit.agents.run.configuration import configure
from trailkit.agents.run.loops import act, episode_starts
from trailkit.agents.run.parameters import LocalParameters
from trailkit.configs.schema import TrainConfig
from trailkit.envs.tasks.environment import TaskEnvironment
from trailkit.replay.base import Table
from trailkit.replay.memory import MemoryReplay
from trailkit.replay.mix import constrained_pairs, pairs
from trailkit.replay.transition import ImitationBatch

VARIANTS = {
    "as written, float32": ["cuda_graph=false", "encoder.bfloat16=false"],
    "as written, bfloat16": ["cuda_graph=false", "encoder.bfloat16=true"],
    "graph, float32": ["cuda_graph=true", "encoder.bfloat16=false"],
    "graph, bfloat16": ["cuda_graph=true", "encoder.bfloat16=true"],
}
UPDATES, WARM = 60, 20
LOSSES = ("disc_loss", "critic_loss", "q_mean", "disc_acc")


def configured(words: Sequence[str]) -> TrainConfig:
    return configure("train", TrainConfig, ["method=trail", "env=lift", "demos=none", "device=cuda", *words])


def batches(config: TrainConfig, count: int) -> list[ImitationBatch]:
    """Batches of random play, on the GPU; the expert's are made as the agent's."""
    replay = MemoryReplay(config.replay.capacity, config.agent.n_step, config.env.early_steps, seed=0)
    with TaskEnvironment(env_settings(config.env)) as env:
        policy = RandomPolicy(env.action_spec().shape[0])
        played = act(env, policy, Never(), LocalParameters(Snapshot(0, {})), episode_starts(0, 0), label="random")
        for episode, _ in islice(played, 5):
            replay.add(episode)
    main, early = (replay.batches(table, config.agent.batch_size) for table in (Table.MAIN, Table.EARLY))
    joined = constrained_pairs(pairs(main, main), (batch.train for batch in pairs(early, early)))
    return [as_tensors(batch, "cuda") for batch in islice(joined, count)]


def timed(config: TrainConfig, given: Sequence[ImitationBatch]) -> Iterator[tuple[float, Metrics]]:
    """The milliseconds of each update, and what happened in it."""
    learner = build.make_agent(config, env_settings(config.env)).learner
    for index in range(UPDATES):
        began = time.perf_counter()
        metrics = learner.step(given[index % len(given)])
        yield 1e3 * (time.perf_counter() - began), metrics


def main(words: list[str]) -> None:
    """Measures with the words after the first, and writes a report to the file that is the first."""
    report_path, *words = words
    given = batches(configured(words), 10)
    report: dict[str, object] = {"words": words, "GPU": torch.cuda.get_device_name(), "torch": torch.__version__}
    reference: list[Metrics] = []
    first = 0.0
    for name, more in VARIANTS.items():
        gc.collect()  # an `Adversarial` refers to itself
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        milliseconds, metrics = zip(*timed(configured([*words, *more]), given), strict=True)
        reference = reference or list(metrics)
        median = float(np.median(milliseconds[WARM:]))
        first = first or median
        report[name] = {
            "ms": round(median, 2),
            "times as fast": round(first / median, 2),
            "peak MB": round(torch.cuda.max_memory_allocated() / 1e6),
            "largest distance of losses": {
                loss: round(max(abs(a[loss] - b[loss]) for a, b in zip(metrics, reference, strict=True)), 5)
                for loss in LOSSES
            },
        }
        print(name, json.dumps(report[name]), flush=True)
    Path(report_path).write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
