"""Chooses how images are rendered without a screen, before anything imports OpenGL.

MuJoCo, dm_control and PyOpenGL each read an environment variable once, when they are first imported.
`trailkit.envs.simulator` calls `choose` before it imports any of them.
"""

import ctypes
import ctypes.util
import importlib.util
import os
import sys

from trailkit.envs.errors import UserError

MACOS = sys.platform == "darwin"
BACKENDS = ("cgl",) if MACOS else ("egl", "osmesa")
# Other values that MuJoCo accepts: other backends, or none.
_OF_MUJOCO = "glfw", "glx", "enable", "enabled", "on", "true", "1", "disable", "disabled", "off", "false", "0"
_EGL_EXTENSION_PLATFORM_DEVICE = 0x313F
PACKAGES = "libegl1 libgl1-mesa-dri libosmesa6"
# What to do if nothing can be rendered.
MEND = (
    "trailkit has not been tried on macOS, whose CGL it draws with: report what you see"
    if MACOS
    else f"on Debian or Ubuntu, apt-get install {PACKAGES}"
)


def choose() -> str:
    """Sets the backend in `MUJOCO_GL` and `PYOPENGL_PLATFORM`, and returns its name.

    A backend that the user named in either is kept. Otherwise it is EGL if a device responds, else OSMesa, else
    "disabled": environments still run, and asking for an image raises the error of `require`. On macOS it is CGL, a
    part of the system, which dm_control does not know: `MUJOCO_GL` is "disabled" there.

    Raises:
        UserError: If the backend that the user named cannot be loaded or does not exist.
    """
    # Software rasterisers start a thread per core in each process: small images gain nothing from them, and several
    # actors on one machine are slowed down. Read when a driver is loaded, which the search below does.
    os.environ.setdefault("LP_NUM_THREADS", "0")
    # Mesa's rasterisers and triton, which a CUDA build of torch imports with the first optimiser, each bring their own
    # LLVM: the process crashes unless triton's is loaded first.
    if importlib.util.find_spec("triton"):
        importlib.import_module("triton")
    backend = os.environ.get("MUJOCO_GL", "").lower()
    if MACOS and backend in ("", "disabled", *BACKENDS):
        os.environ["MUJOCO_GL"] = "disabled"
        return BACKENDS[0]
    if not backend and os.environ.get("PYOPENGL_PLATFORM") in BACKENDS:
        backend = os.environ["PYOPENGL_PLATFORM"]
    works = {"egl": _egl_works, "osmesa": _osmesa_works}
    if not backend:
        backend = next((name for name in BACKENDS if works[name]()), "disabled")
    elif backend not in (*BACKENDS, *_OF_MUJOCO):
        raise UserError(f"MUJOCO_GL={backend} is nothing that MuJoCo knows: unset it, or set it to egl or osmesa")
    elif backend in BACKENDS and not works[backend]():
        raise UserError(
            f"MUJOCO_GL={backend}, but {backend} cannot be loaded here: unset it to let trailkit choose, or install "
            f"it, on Debian or Ubuntu with: apt-get install {PACKAGES}"
        )
    os.environ["MUJOCO_GL"] = backend
    if backend in BACKENDS:
        os.environ["PYOPENGL_PLATFORM"] = backend  # overwritten in any case: MuJoCo rejects two different values
    return backend


def require() -> str:
    """Returns the active backend.

    Raises:
        UserError: If headless OpenGL is not available; names the packages that provide it.
    """
    backend = os.environ.get("MUJOCO_GL", "").lower()
    if backend in BACKENDS:
        return backend
    if backend == "disabled" and MACOS:
        return BACKENDS[0]
    if backend == "disabled":
        raise UserError(
            "no headless OpenGL: neither EGL nor OSMesa can be loaded, so no camera can be rendered; "
            f"install one, on Debian or Ubuntu with: apt-get install {PACKAGES}"
        )
    raise UserError(
        f"MUJOCO_GL={backend} cannot render without a screen: unset it, or set it to {' or '.join(BACKENDS)}"
    )


def _egl_works() -> bool:
    """Whether some EGL device provides a display (the driver may be missing although the library is installed)."""
    try:
        egl = ctypes.CDLL("libEGL.so.1")
        egl.eglGetProcAddress.restype = ctypes.c_void_p
        query_address = egl.eglGetProcAddress(b"eglQueryDevicesEXT")
        display_address = egl.eglGetProcAddress(b"eglGetPlatformDisplayEXT")
    except (OSError, AttributeError):
        return False
    if not query_address or not display_address:
        return False
    query = ctypes.CFUNCTYPE(ctypes.c_uint, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)(query_address)
    get_display = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_uint, ctypes.c_void_p, ctypes.c_void_p)(display_address)
    egl.eglInitialize.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]
    devices, count = (ctypes.c_void_p * 16)(), ctypes.c_int(0)
    if not query(16, devices, ctypes.byref(count)):
        return False
    for device in devices[: count.value]:
        display = get_display(_EGL_EXTENSION_PLATFORM_DEVICE, device, None)
        # Left initialised: MuJoCo requests the same display again, and terminates it at exit.
        if display and egl.eglInitialize(display, None, None):
            return True
    return False


def _osmesa_works() -> bool:
    return ctypes.util.find_library("OSMesa") is not None
