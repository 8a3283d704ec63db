import gc
import os
import weakref
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from environments import STATE, run_python

from trailkit.envs.errors import UserError
from trailkit.envs.rendering import Quality, Renderer
from trailkit.envs.settings import ActionSpace, CameraName, EnvSettings, ObservationSettings
from trailkit.envs.simulator import mujoco
from trailkit.envs.tasks.environment import TaskEnvironment

pytestmark = pytest.mark.render


@pytest.fixture(scope="module")
def env() -> Iterator[TaskEnvironment]:
    with TaskEnvironment(EnvSettings("lift_distracted", ActionSpace.JOINT, STATE), seed=3) as env:
        env.reset()
        yield env


def _draw(env: TaskEnvironment, renderer: Renderer, camera: str = "front") -> np.ndarray:
    return renderer.render(env.physics.data.ptr, env.task.camera_id(camera))


def test_a_picture_is_a_new_array_of_the_size_asked_for(env: TaskEnvironment) -> None:
    renderer = Renderer(env.physics.model.ptr, 48, 80)
    first, second = _draw(env, renderer), _draw(env, renderer)
    assert (first.shape, first.dtype) == ((48, 80, 3), np.uint8)
    assert first.flags.c_contiguous
    assert not np.shares_memory(first, second)
    np.testing.assert_array_equal(first, second)


def test_another_context_draws_the_same_picture(env: TaskEnvironment) -> None:
    pictures = [_draw(env, Renderer(env.physics.model.ptr, 64, 64)) for _ in range(2)]
    np.testing.assert_array_equal(*pictures)


def test_cameras_differ_and_every_picture_shows_something(env: TaskEnvironment) -> None:
    renderer = Renderer(env.physics.model.ptr, 64, 64)
    pictures = [_draw(env, renderer, camera) for camera in CameraName]
    assert all(picture.std() > 10 for picture in pictures)
    for i, picture in enumerate(pictures):
        assert all((picture != other).mean() > 0.2 for other in pictures[i + 1 :])


def test_the_first_row_is_on_top(env: TaskEnvironment) -> None:
    picture = _draw(env, Renderer(env.physics.model.ptr, 64, 64)).astype(int)
    table = np.array([0.75, 0.7, 0.62])  # fills the near, that is the lower, edge of the front camera's picture
    assert np.ptp(picture[-1] / picture[-1].max() / table, axis=-1).max() < 0.3


def test_renderers_of_two_sizes_taken_in_turns_draw_as_each_alone(env: TaskEnvironment) -> None:
    small, large = Renderer(env.physics.model.ptr, 32, 32), Renderer(env.physics.model.ptr, 96, 64, Quality.FULL)
    alone = _draw(env, small), _draw(env, large)
    for _ in range(3):
        for renderer, expected in zip((small, large), alone, strict=True):
            np.testing.assert_array_equal(_draw(env, renderer), expected)


def test_a_fast_picture_is_near_a_full_one(env: TaskEnvironment) -> None:
    fast = _draw(env, Renderer(env.physics.model.ptr, 64, 64))
    full = _draw(env, Renderer(env.physics.model.ptr, 64, 64, Quality.FULL))
    difference = np.abs(fast.astype(int) - full)
    assert 0 < difference.mean() < 25  # shadows, soft edges
    assert np.median(difference) <= 2


def test_leaving_out_what_is_out_of_view_changes_no_picture(env: TaskEnvironment) -> None:
    culling, plain = (Renderer(env.physics.model.ptr, 48, 64) for _ in range(2))
    plain._culls = False
    groups = env.physics.model.ptr.geom_group.copy()
    random = np.random.RandomState(0)
    for _ in range(3):
        env.reset()
        action = random.uniform(-1, 1, 9)
        for _ in range(15):
            env.step(action)
            for camera in CameraName:
                np.testing.assert_array_equal(_draw(env, culling, camera), _draw(env, plain, camera))
    np.testing.assert_array_equal(env.physics.model.ptr.geom_group, groups)


@pytest.mark.parametrize(
    "lens",
    [
        'projection="orthographic" fovy="2"',
        'sensorsize=".02 .02" focal=".02 .02" principal=".01 0" resolution="64 64"',  # looks past its middle
    ],
)
def test_cameras_of_other_lenses_see_what_they_see_at_full_quality(lens: str) -> None:
    spheres = "".join(f'<geom type="sphere" size=".05" pos="{x} 0 0"/>' for x in np.linspace(-0.95, 0.95, 12))
    model = mujoco.MjModel.from_xml_string(
        f'<mujoco><worldbody><light pos="0 0 3"/>{spheres}<camera pos="0 0 1" {lens}/></worldbody></mujoco>'
    )
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    culling, plain = (Renderer(model, 64, 64) for _ in range(2))
    plain._culls = False
    picture = culling.render(data, 0)
    np.testing.assert_array_equal(picture, plain.render(data, 0))
    assert picture.any()


def test_a_renderer_leaves_the_models_settings_alone(env: TaskEnvironment) -> None:
    visual = env.physics.model.ptr.vis
    before = visual.global_.offwidth, visual.quality.shadowsize, visual.quality.offsamples
    Renderer(env.physics.model.ptr, 16, 16).close()
    assert (visual.global_.offwidth, visual.quality.shadowsize, visual.quality.offsamples) == before


def test_of_many_geoms_none_is_left_out() -> None:
    small = "".join(f'<geom size=".001" pos="{i / 1500 - 0.5} .4 0"/>' for i in range(1500))
    xml = f"""<mujoco><worldbody><camera name="above" pos="0 0 2"/><light pos="0 0 2"/>{small}
    <geom type="box" size=".3 .3 .1" rgba="0 0 1 1"/></worldbody></mujoco>"""
    model = mujoco.MjModel.from_xml_string(xml)
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    renderer = Renderer(model, 32, 32)
    assert renderer.render(data, 0)[16, 16, 2] > 50
    renderer.close()


def test_closing_frees_once_and_garbage_collection_frees_too(env: TaskEnvironment) -> None:
    renderer = Renderer(env.physics.model.ptr, 16, 16)
    assert renderer.close.alive
    renderer.close()
    renderer.close()
    assert not renderer.close.alive
    dropped = Renderer(env.physics.model.ptr, 16, 16)
    close = dropped.close
    del dropped
    gc.collect()
    assert not close.alive


def test_fifty_renderers_one_after_another_leak_nothing(env: TaskEnvironment) -> None:
    def resident() -> int:
        return int(Path(f"/proc/{os.getpid()}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    for _ in range(10):  # caches fill
        Renderer(env.physics.model.ptr, 64, 64).close()
    files, memory = len(os.listdir("/proc/self/fd")), resident()
    for _ in range(50):
        Renderer(env.physics.model.ptr, 64, 64).close()
    assert len(os.listdir("/proc/self/fd")) <= files
    assert resident() - memory < 50 * 2**20  # a context that stays costs some 5 MB


def test_closing_an_environment_frees_its_renderers() -> None:
    env = TaskEnvironment(EnvSettings("reach", observation=ObservationSettings()), seed=0)
    env.render(height=32, width=32)
    closers = [env.task._renderer.close, *(renderer.close for renderer in env._renderers.values())]
    assert [close.alive for close in closers] == [True, True]
    physics = weakref.ref(env._physics)
    env.close()
    env.close()
    assert [close.alive for close in closers] == [False, False]
    del env
    gc.collect()
    assert physics() is None


def test_an_unknown_camera_is_refused_with_the_nearest_name(env: TaskEnvironment) -> None:
    with pytest.raises(UserError, match="unknown camera 'frnt': did you mean 'front'"):
        env.render("frnt")


_LIVE_AT_EXIT = """
import weakref
class Early: pass
early = Early()
weakref.finalize(early, int)  # finalizers now run after the display is gone
import threading
from trailkit.envs.tasks.environment import TaskEnvironment
from trailkit.envs.settings import EnvSettings
envs = []
def play():
    envs.append(TaskEnvironment(EnvSettings("reach"), seed=0))
    envs[-1].reset()
play()
envs[-1].render(height=32, width=32)
thread = threading.Thread(target=play)  # its context stays current in a thread that has ended
thread.start()
thread.join()
print(len(envs))
"""


@pytest.mark.parametrize("backend", ["egl", "osmesa"])
def test_live_renderers_say_nothing_at_exit(backend: str) -> None:
    done = run_python(_LIVE_AT_EXIT, MUJOCO_GL=backend)
    assert (done.stdout, done.stderr, done.returncode) == ("2\n", "", 0)


def test_spawned_processes_draw_the_same_at_once_and_say_nothing(tmp_path: Path) -> None:
    script = tmp_path / "children.py"
    script.write_text(
        "import multiprocessing, hashlib\n"
        "def draw(_):\n"
        "    from trailkit.envs.tasks.environment import TaskEnvironment\n"
        "    from trailkit.envs.settings import EnvSettings\n"
        "    global env\n"
        "    env = TaskEnvironment(EnvSettings('reach'), seed=0)\n"
        "    return hashlib.sha256(env.reset().observation['front']).hexdigest()\n"
        "if __name__ == '__main__':\n"
        "    with multiprocessing.get_context('spawn').Pool(2) as pool:\n"
        "        print(len(set([draw(0), *pool.map(draw, range(2), chunksize=1)])))\n"
        "        pool.close()\n"
        "        pool.join()\n"
    )
    done = run_python(f"import runpy; runpy.run_path({str(script)!r}, run_name='__main__')")
    assert (done.stdout, done.stderr, done.returncode) == ("1\n", "", 0)
