import pytest
from environments import run_python

from trailkit.envs import gl
from trailkit.envs.errors import UserError

_PLAY = """
from trailkit.envs.tasks.environment import TaskEnvironment
from trailkit.envs.settings import EnvSettings, ObservationSettings
env = TaskEnvironment(EnvSettings("reach", observation=ObservationSettings(cameras={cameras})), seed=0)
env.reset()
print(env.step([0.0] * 4).observation[{key!r}].shape)
"""
_PIXELS = _PLAY.format(cameras=("front",), key="front")
_STATE = _PLAY.format(cameras=(), key="proprio")
# Neither library can be loaded, as on a machine that has none.
_NO_LIBRARIES = """
import ctypes, ctypes.util
load, find = ctypes.CDLL, ctypes.util.find_library
class Library(load):
    def __init__(self, name, *args, **kwargs):
        if name and ("EGL" in name or "OSMesa" in name):
            raise OSError(f"{name}: cannot open shared object file")
        super().__init__(name, *args, **kwargs)
ctypes.CDLL = Library
ctypes.util.find_library = lambda name: None if name in ("EGL", "OSMesa") else find(name)
"""


@pytest.mark.render
@pytest.mark.parametrize("variables", [{}, {"MUJOCO_GL": "egl"}, {"MUJOCO_GL": "osmesa"}, {"MUJOCO_GL": "EGL"}])
def test_each_backend_draws_and_leaves_without_a_word(variables: dict[str, str]) -> None:
    done = run_python(_PIXELS, **variables)
    assert (done.stdout, done.stderr, done.returncode) == ("(64, 64, 3)\n", "", 0)


@pytest.mark.render
def test_a_platform_named_for_pyopengl_is_kept() -> None:
    done = run_python("from trailkit.envs import gl; print(gl.choose())", PYOPENGL_PLATFORM="osmesa")
    assert (done.stdout, done.stderr) == ("osmesa\n", "")


@pytest.mark.render
def test_mujoco_may_be_imported_before_the_choice() -> None:
    done = run_python("import mujoco\n" + _PIXELS)
    assert (done.stdout, done.stderr, done.returncode) == ("(64, 64, 3)\n", "", 0)


def test_what_mujoco_does_not_know_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUJOCO_GL", "foo")
    with pytest.raises(UserError, match=r"^MUJOCO_GL=foo is nothing that MuJoCo knows: unset it, or set it to egl or"):
        gl.choose()


@pytest.mark.render
def test_mujocos_backend_counts_more_than_pyopengls() -> None:
    done = run_python(_PIXELS, MUJOCO_GL="osmesa", PYOPENGL_PLATFORM="egl")
    assert (done.stdout, done.stderr, done.returncode) == ("(64, 64, 3)\n", "", 0)


def test_a_backend_that_needs_a_screen_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUJOCO_GL", "glfw")
    with pytest.raises(UserError, match=r"^MUJOCO_GL=glfw cannot render without a screen: .* egl or osmesa$"):
        gl.require()


@pytest.mark.parametrize("backend", ["glfw", "disabled"])
def test_without_pictures_no_backend_is_needed(backend: str) -> None:
    ignore = "import warnings; warnings.simplefilter('ignore')"  # GLFW's own, that there is no screen
    done = run_python(ignore + _STATE, MUJOCO_GL=backend)
    assert (done.stdout, done.stderr, done.returncode) == ("(21,)\n", "", 0)


@pytest.mark.parametrize("variables", [{}, {"MUJOCO_GL": "cgl"}, {"MUJOCO_GL": "disabled"}])
def test_on_macos_cgl_draws_and_dm_control_is_told_of_none(variables: dict[str, str]) -> None:
    program = (
        "import sys; sys.platform = 'darwin'\n"
        "from trailkit.envs import gl\n"
        "import os; print(gl.choose(), gl.require(), os.environ['MUJOCO_GL'], gl.BACKENDS)\n"
        "print(gl.MEND)\n"
        "sys.platform = 'linux'\n"
        "import dm_control._render"
    )
    done = run_python(program, **variables)
    assert (done.stderr, done.returncode) == ("", 0)
    chosen, mend = done.stdout.splitlines()
    assert chosen == "cgl cgl disabled ('cgl',)"
    assert mend.startswith("trailkit has not been tried on macOS") and "apt-get" not in mend


def test_without_libraries_environments_step_and_pictures_name_the_packages() -> None:
    wanted = "from trailkit.envs.errors import UserError\ntry: env.render()\nexcept UserError as error: print(error)"
    done = run_python(_NO_LIBRARIES + _STATE + wanted)
    assert done.stderr == ""
    shape, message = done.stdout.splitlines()
    assert shape == "(21,)"
    assert message.startswith("no headless OpenGL") and message.endswith(f"apt-get install {gl.PACKAGES}")


@pytest.mark.parametrize("backend", ["egl", "osmesa"])
def test_a_named_backend_that_is_missing_is_named_in_one_line(backend: str) -> None:
    program = _NO_LIBRARIES + "from trailkit.agents.run.cli import main; main(['record', 'env=reach', 'out=nowhere'])"
    done = run_python(program, MUJOCO_GL=backend)
    assert done.returncode == 2
    assert done.stderr.startswith(f"trailkit: MUJOCO_GL={backend}, but {backend} cannot be loaded here")
    assert len(done.stderr.splitlines()) == 1


def test_the_package_alone_neither_chooses_nor_imports_a_simulator() -> None:
    done = run_python("import os, sys, trailkit.envs; print('MUJOCO_GL' in os.environ, 'mujoco' in sys.modules)")
    assert (done.stdout, done.stderr) == ("False False\n", "")


def test_every_module_with_a_simulator_chooses_first() -> None:
    for module in ("rendering", "kinematics", "gymnasium_adapter"):
        done = run_python(
            f"import os, trailkit.envs.{module}\n"
            "from dm_control import _render\nprint(_render.BACKEND == os.environ['MUJOCO_GL'])"
        )
        assert (module, done.stdout, done.stderr) == (module, "True\n", "")
