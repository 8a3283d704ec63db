"""A person for the tests of teleoperation: says what a list says, and remembers what was shown."""

import threading

import numpy as np

from trailkit.demos.command import Button, Command
from trailkit.demos.teleop.base import Feel
from trailkit.demos.teleop.clock import Clock
from trailkit.demos.teleop.session import teleoperate
from trailkit.envs.settings import EnvSettings, ObservationSettings

SETTINGS = EnvSettings("reach", observation=ObservationSettings(cameras=()), episode_steps=30)
SOURCE = {"device": "script"}
REST = Command(np.zeros(3, np.float32))
GONE = REST._replace(connected=False)


def move(right=0.0, away=0.0, up=0.0, grip=0.0, turn=(0.0, 0.0, 0.0)):
    return Command(np.array([right, away, up], np.float32), grip, np.array(turn, np.float32))


def press(button):
    return REST._replace(button=Button(button))


class Script:
    """Says one command after another, then presses stop."""

    def __init__(self, *commands):
        self._commands = iter(commands)
        self.shown = []

    def read(self):
        return next(self._commands, press("stop"))

    def show(self, status, pictures):
        self.shown.append((status, dict(pictures)))

    def close(self):
        pass

    @property
    def phases(self):
        return [str(status.phase) for status, _ in self.shown]


def play(env, device, store, episodes=5, seed=0, view=dict, feel=None, clock=None, interrupted=None):
    """Runs a whole session as fast as it goes."""
    feel, clock, interrupted = feel or Feel(dead_zone=0.0), clock or Clock(1e-9), interrupted or threading.Event()
    return list(teleoperate(env, device, store, episodes, seed, view, feel, clock, interrupted))
