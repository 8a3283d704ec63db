"""Measures 64x64 pictures of others' environments: ours beside their own, in speed and in likeness.

`PYTHONPATH=tests python -m external_rendering docs/results/external_rendering.json`, beside which the pictures go.
"""

import json
import sys
import time
from collections.abc import Callable
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import imageio.v3
import numpy as np
from gymnasium.envs.mujoco.mujoco_rendering import MujocoRenderer
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from trailkit.agents.run.provenance import provenance
from trailkit.envs.external.environment import ExternalEnvironment
from trailkit.envs.make import make_environment
from trailkit.envs.rendering import Quality
from trailkit.envs.settings import EnvSettings, External, ObservationSettings, Origin

SIZE, STEPS, ROUNDS = 64, 40, 3
Picture = NDArray[np.uint8]

CASES = [
    *(
        (f"{task}-v3", Origin.METAWORLD, "corner2")
        for task in ("reach", "button-press-topdown", "drawer-close", "door-open", "hammer")
    ),
    ("FetchReach-v4", Origin.GYMNASIUM_ROBOTICS, "own"),
    ("walker/walk", Origin.DM_CONTROL, "side"),
]


def their_own(env: ExternalEnvironment, origin: Origin, camera: str) -> Callable[[], Picture]:
    """What draws a picture of this size by the package's own means, of the state that our environment is in."""
    if origin is Origin.DM_CONTROL:
        physics = env._source._env.physics
        return lambda: np.array(physics.render(SIZE, SIZE, camera_id=camera))
    inner: Any = env._source._env.unwrapped
    if origin is Origin.METAWORLD:
        theirs = MujocoRenderer(inner.model, inner.data, None, SIZE, SIZE, camera_name=camera)
        return lambda: theirs.render("rgb_array")
    theirs = MujocoRenderer(inner.model, inner.data, inner.mujoco_renderer.default_cam_config, SIZE, SIZE)
    return lambda: theirs.render("rgb_array")


def similarity(one: Picture, other: Picture) -> float:
    """The structural similarity of two pictures' greys (Wang et al. 2004), by its authors' window and constants."""
    x, y = (picture.astype(float).mean(axis=2) for picture in (one, other))

    def blurred(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(gaussian_filter(values, 1.5, truncate=3.5))

    mean_x, mean_y = blurred(x), blurred(y)
    var_x, var_y = blurred(x * x) - mean_x**2, blurred(y * y) - mean_y**2
    covariance = blurred(x * y) - mean_x * mean_y
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    ratio = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    return float((ratio / ((mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2))).mean())


def drawn(ours: bool, task: str, origin: Origin, camera: str) -> tuple[float, Picture]:
    """Steps a second with a picture each, and the last picture, which follows from seed and actions alike.

    In a process of its own: two makers of OpenGL contexts do not know of each other's.
    """
    seen = ObservationSettings((camera,), SIZE, SIZE, proprioception=False)
    success = "reward>=1" if origin is Origin.DM_CONTROL else "info"
    settings = EnvSettings(task, observation=seen, episode_steps=10**6, external=External(origin, success=success))
    env = make_environment(settings, seed=0)
    assert isinstance(env, ExternalEnvironment)
    source, random = env._source, np.random.RandomState(0)
    draw = partial(env.render, camera, SIZE, SIZE, Quality.FAST) if ours else their_own(env, origin, camera)
    draw()  # makes the context
    begin = time.perf_counter()
    for _ in range(STEPS):
        source.step(random.uniform(source.low, source.high))
        picture = draw()
    rate = STEPS / (time.perf_counter() - begin)
    return rate, np.array(picture)


def measure(task: str, origin: Origin, camera: str) -> tuple[dict[str, Any], Picture]:
    """Ours and theirs in turns; medians."""
    rates: list[tuple[float, float]] = []
    for _ in range(ROUNDS):
        results = []
        for ours in (True, False):
            with get_context("spawn").Pool(1) as pool:
                results.append(pool.apply(drawn, (ours, task, origin, camera)))
        rates.append((results[0][0], results[1][0]))
    row = {
        "task": task,
        "camera": camera,
        "ours, steps/s": float(np.median([each[0] for each in rates])),
        "its own, steps/s": float(np.median([each[1] for each in rates])),
        "ratio": float(np.median([each[0] / each[1] for each in rates])),
        "structural similarity": similarity(results[0][1], results[1][1]),
    }
    return row, np.hstack([results[0][1], results[1][1]])


def main(out: Path) -> None:
    """Measures all cases, and writes numbers and pictures."""
    measured = []
    for case in CASES:
        measured.append(measure(*case))
        print(measured[-1][0], flush=True)
    out.write_text(json.dumps({"rows": [row for row, _ in measured], "provenance": provenance()}, indent=1))
    imageio.v3.imwrite(
        out.with_suffix(".png"), np.hstack([picture.repeat(3, 0).repeat(3, 1) for _, picture in measured])
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
