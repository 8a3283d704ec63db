"""Environments: tasks, cameras and the headless renderer, adapters from and to Gymnasium."""

from trailkit.envs import gl as _gl

_gl.choose()  # before anything below imports MuJoCo, dm_control or OpenGL
