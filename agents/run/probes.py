"""What `trailkit doctor` tests, each in its own process: `python -m trailkit.agents.run.probes NAME`.

A probe prints one line with its result. A probe that fails ends with an error, and may crash its process.
"""

# ruff: noqa: PLC0415 (each probe imports what it tries, and no more)

import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np

from trailkit.envs.errors import UserError


def simulate() -> str:
    """Steps an environment without images."""
    from trailkit.envs.make import make_environment
    from trailkit.envs.settings import EnvSettings, ObservationSettings

    with make_environment(EnvSettings("reach", observation=ObservationSettings(cameras=())), seed=0) as env:
        env.reset()
        env.step(np.zeros(env.action_spec().shape, np.float32))
    return f"MuJoCo {version('mujoco')} with dm_control {version('dm-control')}"


def draw() -> str:
    """Renders images with the OpenGL backend in MUJOCO_GL."""
    from trailkit.envs import gl
    from trailkit.envs.make import make_environment
    from trailkit.envs.settings import EnvSettings

    with make_environment(EnvSettings("reach"), seed=0) as env:
        picture = env.reset().observation["front"]
        if picture.std() < 1:
            raise UserError(f"{gl.require()} draws nothing but one colour")
        began = time.perf_counter()
        for _ in range(20):
            env.step(np.zeros(env.action_spec().shape, np.float32))
        rate = 20 / (time.perf_counter() - began)
    return f"{gl.require()} draws 64x64 pictures, {rate:.0f} environment steps a second"


def reverb() -> str:
    """Inserts into a Reverb server and samples it."""
    from trailkit.replay.base import Table
    from trailkit.replay.episode import Episode
    from trailkit.replay.reverb import ReverbReplay

    steps = np.zeros(4, np.float32)
    pictures = {"front": np.zeros((5, 8, 8, 3), np.uint8)}
    replay = ReverbReplay(100, 1, 1, timeout_s=20)
    replay.add(Episode(pictures, np.zeros((4, 2), np.float32), steps, steps, steps > 0, {}))
    next(replay.batches(Table.MAIN, 2))
    replay.close()
    return f"Reverb {version('dm-reverb')} with TensorFlow {version('tensorflow-cpu')}"


def ray() -> str:
    """Starts Ray, and runs a task on it."""
    import logging

    import ray

    ray.init(address="local", num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    if ray.get(ray.remote(version).remote("ray")) != version("ray"):
        raise UserError("Ray runs no task")
    ray.shutdown()
    return f"Ray {version('ray')} starts and runs a task"


def gpu() -> str:
    """Multiplies matrices on a GPU."""
    import torch

    if not torch.cuda.is_available():
        raise UserError(f"torch {torch.__version__} sees no GPU")
    torch.ones(8, 8, device="cuda").matmul(torch.ones(8, 8, device="cuda")).cpu()
    return f"{torch.cuda.get_device_name()} with torch {torch.__version__}"


def video() -> str:
    """Writes a video."""
    from trailkit.demos.video import write_video

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "two.mp4"
        write_video(path, [np.zeros((64, 64, 3), np.uint8)] * 2, fps=20)
        return f"ffmpeg writes H.264 ({path.stat().st_size} bytes for two frames)"


PROBES: dict[str, Callable[[], str]] = {probe.__name__: probe for probe in (simulate, draw, reverb, ray, gpu, video)}


if __name__ == "__main__":
    try:
        print(PROBES[sys.argv[1]]())
    except UserError as error:
        sys.exit(str(error))
