"""The trainer's environment draws states as they were recorded, and knows what each pixel shows."""

import numpy as np
import pytest

from trailkit.agents.run.audit.regions import ARM, BACKGROUND, Segmenter
from trailkit.agents.run.audit.scene import Trainer
from trailkit.envs.settings import EnvSettings, ObservationSettings
from trailkit.envs.tasks.environment import TaskEnvironment

pytestmark = pytest.mark.render

SETTINGS = EnvSettings("lift_distracted", observation=ObservationSettings(("front", "left"), 32, 48))


@pytest.fixture(scope="module")
def env():
    with TaskEnvironment(SETTINGS, seed=2) as env:
        env.reset()
        yield env


def flat(env):
    return np.concatenate([env.task.render(camera).reshape(-1, 3) for camera in ("front", "left")])


def test_a_region_is_where_its_things_change_their_looks_when_recoloured(env):
    segmenter = Segmenter(env)
    try:
        regions = segmenter.draw()
        before = flat(env)
        model = env.physics.model
        for number, name in enumerate(segmenter.objects, start=ARM + 1):
            row = model.name2id(f"{name}/cube", "geom")
            kept = model.geom_rgba[row].copy()
            model.geom_rgba[row, :3] = 1, 1, 1
            changed = (flat(env) != before).any(-1)
            model.geom_rgba[row] = kept
            assert changed.sum() > 5
            assert (changed == (regions == number)).all()
    finally:
        segmenter.close()


def test_the_arm_and_the_background_are_told_apart(env):
    segmenter = Segmenter(env)
    try:
        regions = segmenter.draw()
        before = flat(env)
        model = env.physics.model
        arm = [i for i in range(model.ngeom) if model.id2name(i, "geom").startswith("jaco")]
        kept = model.geom_rgba.copy(), model.geom_matid.copy()
        model.geom_matid[arm] = -1
        model.geom_rgba[arm, :3] = 1, 0, 1
        changed = (flat(env) != before).any(-1)
        model.geom_rgba[:], model.geom_matid[:] = kept
        assert (regions == ARM).sum() > 20
        assert (changed == (regions == ARM)).all()
        assert (regions == BACKGROUND).mean() > 0.5
    finally:
        segmenter.close()


def test_closing_leaves_the_other_renderers_alone(env):
    before = flat(env)
    segmenter = Segmenter(env)
    env.task.render("front")
    segmenter.close()
    np.testing.assert_array_equal(flat(env), before)


def test_states_are_drawn_and_measured_as_they_were(env):
    states, pictures = [], []
    for seed in range(3):
        env.seed(seed)
        pictures.append(env.reset().observation["front"])
        states.append(env.state())
    where = env.task.target(env.physics).copy(), env.task.robot.tool_position.copy()
    with Trainer(SETTINGS) as trainer:
        assert trainer.objects == ["red_block", "distractor_0", "distractor_1"]
        np.testing.assert_array_equal(trainer.draw(np.stack(states))["front"], pictures)
        measured = trainer.measure(np.stack(states))
        np.testing.assert_allclose(measured.objects["red_block"][-1, :3], where[0])
        np.testing.assert_allclose(measured.hand[-1, :3], where[1])
        assert trainer.takes(np.stack(states))
        assert not trainer.takes(np.stack(states)[:, 1:])
