"""What looks otherwise in each episode, in every environment, and what stays as it was."""

import itertools
from typing import Any

import arm
import numpy as np
import pytest

from trailkit.envs.compiled import colours, recolour, robot_geoms
from trailkit.envs.distraction import Distractions
from trailkit.envs.errors import UserError
from trailkit.envs.make import make_environment
from trailkit.envs.settings import Appearance, Distraction, EnvSettings, External, ObservationSettings, Origin
from trailkit.envs.simulator import mujoco
from trailkit.envs.testing import check_environment

KINDS = tuple(each.value for each in Distraction)
PLACES: dict[str, tuple[str, Origin | None, tuple[str, ...]]] = {
    "own task": ("lift", None, ("front",)),
    "Meta-World": ("drawer-close-v3", Origin.METAWORLD, ("corner2", "corner")),
    "Fetch": ("FetchPush-v4", Origin.GYMNASIUM_ROBOTICS, ("own", "external_camera_0")),
    "composer": ("manipulation/reach_site_features", Origin.DM_CONTROL, ("own",)),
    "suite": ("walker/walk", Origin.DM_CONTROL, ("own",)),
}


def place(name: str, **looks: Any) -> EnvSettings:
    task, origin, cameras = PLACES[name]
    seen = ObservationSettings(cameras, 48, 48, proprioception=False)
    external = External(origin, success="never") if origin else None
    return EnvSettings(task, observation=seen, external=external, **looks)


def episodes(settings: EnvSettings, count: int = 2, seed: int = 3) -> tuple[np.ndarray, list[float]]:
    """The pictures of the third step of some episodes, [episode, camera, H, W, 3], and where things are then."""
    pictures, courses = [], []
    with make_environment(settings, seed) as env:
        for _ in range(count):
            env.reset()
            for _ in range(3):
                timestep = env.step(np.full(env.action_spec().shape, 0.4, np.float32))
            pictures.append(np.stack([timestep.observation[camera] for camera in settings.observation.cameras]))
            data = env.physics.data.ptr if settings.external is None else env._source.simulation()[1]  # type: ignore[attr-defined]
            courses += [*data.qpos, *data.qvel]
    return np.stack(pictures), courses


@pytest.mark.render
@pytest.mark.parametrize("name", PLACES)
def test_each_distraction_is_another_picture_of_the_same_course(name: str) -> None:
    usual, course = episodes(place(name))
    for kind in KINDS:
        pictures, distracted = episodes(place(name, distract=(kind,)))
        assert distracted == course
        assert (pictures != usual).any(axis=(1, 2, 3, 4)).all(), kind
        again, _ = episodes(place(name, distract=(kind,)))
        np.testing.assert_array_equal(pictures, again)
        other, _ = episodes(place(name, distract=(kind,)), count=1, seed=4)
        assert (other[0] != pictures[0]).any()


@pytest.mark.render
@pytest.mark.parametrize("name", [name for name in PLACES if name != "own task"])
def test_appearances_of_environments_of_elsewhere_change_pictures_alone(name: str) -> None:
    usual, course = episodes(place(name))
    shown = {each.value: episodes(place(name, appearance=(each.value,))) for each in Appearance}
    for pictures, others in shown.values():
        assert others == course
        assert (pictures != usual).any(axis=(1, 2, 3, 4)).all()
    for (one, _), (other, _) in itertools.combinations(shown.values(), 2):
        assert (one != other).any()


@pytest.mark.render
def test_an_arm_is_orange_what_stands_greener_and_light_dimmer() -> None:
    usual, arm, stands, dim = (
        episodes(place("Fetch", appearance=looks), 1)[0][0, 0].astype(float)
        for looks in ((), ("arm_colour",), ("table_colour",), ("light",))
    )
    orange = (arm[..., 0] > arm[..., 2] + 80) & (usual[..., 0] < usual[..., 2] + 80)
    assert 0.02 < orange.mean() < 0.3
    greener = (stands[..., 1] - stands[..., 0]) > (usual[..., 1] - usual[..., 0]) + 20
    assert greener.mean() > 0.05 and not (greener & orange).any()
    changed = (dim != usual).any(-1)  # the sky has no light
    assert 0.4 < dim[changed].mean() / usual[changed].mean() < 0.75


@pytest.mark.render
@pytest.mark.parametrize("name", ["own task", "Meta-World", "suite"])
def test_the_contract_holds_with_all_distractions(name: str) -> None:
    with make_environment(place(name, distract=KINDS, appearance=("light",))) as env:
        check_environment(env, steps=4)
        assert env.render(height=64, width=96).shape == (64, 96, 3)


@pytest.mark.render
def test_a_background_moves_and_hides_nothing_else() -> None:
    settings = place("Meta-World", distract=("background",))
    with make_environment(settings, 0) as env, make_environment(place("Meta-World"), 0) as plain:
        moments = [(env.reset(), plain.reset())]
        moments += [(env.step(np.zeros(4)), plain.step(np.zeros(4))) for _ in range(20)]
        (first, before), (last, after) = (
            (shown.observation["corner2"], usual.observation["corner2"]) for shown, usual in (moments[0], moments[-1])
        )
    behind = (first != before).any(-1) & (last != after).any(-1)
    assert 0.1 < behind.mean() < 0.8
    assert np.abs(first[behind].astype(float) - last[behind]).mean() > 5


@pytest.mark.render
def test_objects_are_more_in_the_picture_and_nothing_in_the_model() -> None:
    with make_environment(place("own task", distract=("objects",)), 0) as env:
        env.reset()
        geoms = env.physics.model.ptr.ngeom  # type: ignore[attr-defined]
    with make_environment(place("own task"), 0) as env:
        assert env.physics.model.ptr.ngeom == geoms  # type: ignore[attr-defined]
    usual, _ = episodes(place("own task"), 8)
    shown, _ = episodes(place("own task", distract=("objects",)), 8)
    assert 0.002 < (usual != shown).any(-1).mean() < 0.2


def test_objects_of_an_own_task_stand_on_the_table_about_its_things() -> None:
    beside = []
    with make_environment(EnvSettings("lift", observation=ObservationSettings(()), distract=("objects",)), 0) as env:
        model, data = env.physics.model.ptr, env.physics.data.ptr  # type: ignore[attr-defined]
        scene = mujoco.MjvScene(model, maxgeom=10)
        thing = int(np.flatnonzero((model.body_weldid[model.geom_bodyid] != 0) & ~robot_geoms(model))[0])
        for _ in range(20):
            env.reset()
            scene.ngeom = 0
            env.task.distractions.furnish(scene)  # type: ignore[attr-defined]
            for geom in scene.geoms[:4]:
                assert geom.pos[2] == pytest.approx(geom.size[2])
            beside.append(np.mean([geom.pos[:2] for geom in scene.geoms[:4]], axis=0) - data.geom_xpos[thing, :2])
    assert np.linalg.norm(beside, axis=1).max() < 0.16
    assert np.abs(np.mean(beside, axis=0)).max() < 0.03


def test_colours_are_a_geoms_own_or_its_materials_and_are_given_up_for_none() -> None:
    model = mujoco.MjModel.from_xml_string(
        """<mujoco><asset><material name="m" rgba=".1 .2 .3 .4"/></asset><worldbody>
        <geom size="1" material="m"/><geom size="1" rgba=".6 .7 .8 1"/><geom size="1"/>
        <body><joint name="j" type="hinge"/><geom size="1"/></body></worldbody>
        <actuator><motor joint="j"/></actuator></mujoco>"""
    )
    np.testing.assert_allclose(colours(model)[:3], [[0.1, 0.2, 0.3, 0.4], [0.6, 0.7, 0.8, 1], [0.5, 0.5, 0.5, 1]])
    np.testing.assert_array_equal(robot_geoms(model), [False, False, False, True])
    recolour(model, np.array([0, 1]), np.array([[0.5, 0.5, 0.5], [2.0, -1.0, 0.5]]))
    np.testing.assert_allclose(colours(model)[:2], [[0.5, 0.5, 0.5, 0.4], [1, 0, 0.5, 1]], atol=2e-3)
    recolour(model, np.array([1]), np.array([[0.5, 0.5, 0.5]]))
    assert model.geom_rgba[1, 0] != 0.5  # or a material's would show


def test_the_robot_is_what_motors_or_handles_move() -> None:
    model = mujoco.MjModel.from_xml_string(
        """<mujoco><worldbody><geom size="1"/>
        <body><geom size="1"/><body><joint name="j" type="hinge"/><geom size="1"/></body></body>
        <body name="hand"><freejoint/><geom size="1"/></body><body name="handle" mocap="true"><geom size="1"/></body>
        <body><freejoint/><geom size="1"/></body><body mocap="true"><geom size="1"/></body></worldbody>
        <equality><weld body1="hand" body2="handle"/></equality><actuator><motor joint="j"/></actuator></mujoco>"""
    )
    np.testing.assert_array_equal(robot_geoms(model), [False, True, True, True, True, False, False])


def test_objects_stand_near_a_thing_that_is_alone_and_far_off() -> None:
    model = mujoco.MjModel.from_xml_string(
        """<mujoco><worldbody><body pos="3 0 .1"><freejoint/><geom size=".02"/></body>
        <body pos="3 .5 .1"><joint name="j" type="hinge"/><geom size=".02"/></body></worldbody>
        <actuator><motor joint="j"/></actuator></mujoco>"""
    )
    data, scene = mujoco.MjData(model), mujoco.MjvScene(model, maxgeom=10)
    mujoco.mj_forward(model, data)
    distractions = Distractions(("objects",))
    distractions.seed(0)
    distractions.begin(model, data)
    distractions.furnish(scene)
    assert scene.ngeom == 4
    for geom in scene.geoms[:4]:  # the room is a fifth of the half metre between thing and robot
        assert np.linalg.norm(geom.pos - (3.0, 0.0, 0.1)) < 0.13
        assert (geom.size <= 0.016).all()


def test_settings_are_kept_and_older_ones_have_no_distractions() -> None:
    settings = EnvSettings(distract=("colours", "camera"))
    assert EnvSettings.from_dict(settings.to_dict()) == settings
    assert settings.looking_as(EnvSettings(appearance=("light",))) == EnvSettings(appearance=("light",))
    older = {key: value for key, value in EnvSettings().to_dict().items() if key != "distract"}
    assert EnvSettings.from_dict(older) == EnvSettings()
    for wrong, message in (
        (("colour",), "unknown distract 'colour': did you mean 'colours'"),
        (("camera", "camera"), "distract names one twice"),
    ):
        with pytest.raises(UserError, match=message):
            EnvSettings(distract=wrong)


MOVING = """
<mujoco><worldbody>
  <camera name="above" pos="0 0 3"/>
  <camera name="after" mode="targetbody" target="link"/>
  <body name="link"><joint name="j" axis="0 0 1"/><geom size=".1"/><camera name="hand"/></body>
</worldbody></mujoco>
"""


@pytest.mark.parametrize("looks", [{"appearance": ("camera_pose",)}, {"distract": ("camera",)}], ids=str)
@pytest.mark.parametrize(
    ("task", "external", "moving", "standing"),
    [
        ("lift", None, ("wrist",), "front"),
        ("arm:Arm-v0", External(Origin.GYMNASIUM, success="never"), ("hand", "after"), "above"),
        ("arm:Arm-v0", External(Origin.GYMNASIUM, success="never"), ("hand", "after"), "own"),
    ],
)
def test_where_no_camera_that_is_seen_stands_none_can_be_turned(
    task: str,
    external: External | None,
    moving: tuple[str, ...],
    standing: str,
    looks: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def seeing(*cameras: str) -> EnvSettings:
        observation = ObservationSettings(cameras, 32, 32, proprioception=False)
        return EnvSettings(task, observation=observation, external=external, **looks)

    monkeypatch.setattr(arm, "MJCF", MOVING)
    monkeypatch.setattr(arm.Arm, "reset", lambda *_, **__: (np.zeros(4), {}))
    with pytest.raises(UserError, match=rf"camera.*: none of the cameras that are observed \({', '.join(moving)}\)"):
        make_environment(seeing(*moving))
    make_environment(seeing(*moving, standing)).close()


def test_what_has_no_model_or_no_arm_cannot_look_otherwise() -> None:
    pendulum = EnvSettings(
        "Pendulum-v1",
        observation=ObservationSettings(("own",), 32, 32, proprioception=False),
        external=External(Origin.GYMNASIUM, success="never"),
        distract=("colours",),
    )
    with pytest.raises(UserError, match="Pendulum-v1 has no MuJoCo model"):
        make_environment(pendulum)
