"""Demonstrations made to cheat: recorded in environments that differ from the trainer's in one thing.

The differences are made in the compiled model or through its state, so that the settings of both are the same.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import dm_env
import numpy as np

from trailkit.demos.record import record
from trailkit.demos.scripted import ScriptedExpert
from trailkit.demos.store import DemoStore
from trailkit.envs.settings import EnvSettings
from trailkit.envs.tasks.environment import TaskEnvironment

EPISODE_STEPS = 100  # a lift takes 50

_PLACES = np.array([(-0.09, 0.08), (0.09, 0.08)])  # m, where the distractors always lie: the far corners
_CLEAR = 0.11  # m, between the centres of the red block and of a distractor, as the task has it
_ORANGE = np.array([1.0, 0.55, 0.15])
_BLUISH = np.array([0.85, 0.97, 1.1])  # what each channel of the table and the floor is multiplied by


class FixedDistractors(TaskEnvironment):
    """Every episode has the distractors in the same places."""

    def reset(self) -> dm_env.TimeStep:
        timestep = super().reset()
        while (np.linalg.norm(_PLACES - self.task.target(self.physics)[:2], axis=1) < _CLEAR).any():
            timestep = super().reset()
        for number, place in enumerate(_PLACES):
            joint = self.physics.named.data.qpos[f"distractor_{number}/"]
            joint[:2] = place
        self.physics.forward()
        return timestep._replace(observation=self.observe())


class RightHalf(TaskEnvironment):
    """The red block never lies on the left of the workspace."""

    def reset(self) -> dm_env.TimeStep:
        timestep = super().reset()
        while self.task.target(self.physics)[0] < 0:
            timestep = super().reset()
        return timestep


def paint_arm(env: TaskEnvironment) -> None:
    """Gives arm and hand another colour."""
    model = env.physics.model
    arm = [i for i in range(model.ngeom) if model.id2name(i, "geom").startswith("jaco")]
    materials = {model.geom_matid[i] for i in arm} - {-1}
    model.geom_rgba[arm, :3] = _ORANGE
    model.mat_rgba[list(materials), :3] = _ORANGE


def tint_background(env: TaskEnvironment) -> None:
    """Tints the table and the floor."""
    model = env.physics.model
    for name in ("table", "floor"):
        row = model.name2id(name, "geom")
        model.geom_rgba[row, :3] = np.clip(model.geom_rgba[row, :3] * _BLUISH, 0, 1)


def untouched(env: TaskEnvironment) -> None:
    """Leaves the environment the trainer's own."""


class Case(NamedTuple):
    """A set of demonstrations, and what an audit should find in it."""

    task: str
    make: Callable[[EnvSettings], TaskEnvironment]
    change: Callable[[TaskEnvironment], None]
    planted: frozenset[str]  # names of cues
    entailed: frozenset[str] = frozenset()  # cues that the planted ones bring about


CASES: Mapping[str, Case] = {
    "reach, clean": Case("reach", TaskEnvironment, untouched, frozenset()),
    "lift, clean": Case("lift", TaskEnvironment, untouched, frozenset()),
    "lift_distracted, clean": Case("lift_distracted", TaskEnvironment, untouched, frozenset()),
    "lift, orange arm": Case("lift", TaskEnvironment, paint_arm, frozenset({"arm appearance"})),
    "lift, tinted background": Case("lift", TaskEnvironment, tint_background, frozenset({"background"})),
    "lift_distracted, fixed distractors": Case(
        "lift_distracted",
        FixedDistractors,
        untouched,
        frozenset({"placement of distractor_0", "placement of distractor_1"}),
        frozenset({"placement of red_block"}),
    ),
    "lift, block on one half": Case("lift", RightHalf, untouched, frozenset({"placement of red_block"})),
}


def record_case(case: Case, folder: Path, episodes: int, seed: int, settings: EnvSettings | None = None) -> DemoStore:
    """Records demonstrations of a case by the scripted expert; goes on with those that are there."""
    settings = settings or EnvSettings(case.task, episode_steps=EPISODE_STEPS)
    store = DemoStore.create(folder, settings, {"device": "scripted", "noise": 0.2, "seed": seed})
    if missing := episodes - len(store):
        with case.make(settings) as env:
            case.change(env)
            for _ in record(env, ScriptedExpert(env), store, missing, seed):
                pass
    return store
