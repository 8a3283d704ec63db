"""A screen in memory with a keyboard that a test presses, and devices that are operated step by step."""

import os
import shutil
import subprocess
from contextlib import contextmanager

import pygame
import pytest
from demonstrations import assert_same
from teleoperation import SETTINGS, SOURCE, Script, play

from trailkit.demos.store import DemoStore


class Screen:
    """An X server without a monitor."""

    def __init__(self, display):
        self.display = display

    def type(self, *words):
        """Has xdotool do something; when this returns the window has been sent what came of it."""
        subprocess.run(["xdotool", *words], env=os.environ | {"DISPLAY": self.display}, check=True, timeout=30)
        if pygame.display.get_surface() is not None:
            pygame.display.flip()  # asks the server for an answer, and what it sent before has arrived with that


@contextmanager
def screen():
    """Starts a screen; without the programs for it, tests are skipped, but not in continuous integration."""
    missing = [name for name in ("Xvfb", "xdotool") if shutil.which(name) is None]
    if missing and os.environ.get("CI"):
        pytest.fail(f"no {' and no '.join(missing)}: apt-get install xvfb xdotool")
    if missing:
        pytest.skip(f"no {' and no '.join(missing)}: apt-get install xvfb xdotool")
    command = ["Xvfb", "-displayfd", "1", "-screen", "0", "1280x800x24", "-noreset", "-nolisten", "tcp"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        try:
            yield Screen(f":{server.stdout.readline().strip()}")
        finally:
            server.terminate()


def meanings(device):
    """What the key map of a device's window says that its keys do, in one text."""
    return "; ".join(hint.meaning for row in device._console._window._panel._legend for hint in row)


class Operated:
    """A device that is operated right before it is read."""

    def __init__(self, device, acts):
        self._device, self._acts = device, iter(acts)

    def read(self):
        next(self._acts)()
        return self._device.read()

    def show(self, status, pictures):
        self._device.show(status, pictures)

    def close(self):
        self._device.close()


def assert_same_as_script(env, device, plan, folder):
    """Says whether a device, operated as planned, records what a script does that says what should come of each act.

    Args:
        env: Of `SETTINGS`.
        device: To be operated.
        plan: Of each step an act, to be called, and the command that it should give; the last one stops.
        folder: For the two recordings.
    """
    acts, commands = zip(*plan, strict=True)
    recordings = []
    for name, player in (("device", Operated(device, acts)), ("script", Script(*commands))):
        store = DemoStore.create(folder / name, SETTINGS, SOURCE)
        recordings.append((store, play(env, player, store, episodes=100)))
    (store, attempts), (scripted, wanted) = recordings
    print(attempts, wanted, sep="\n")
    assert attempts == wanted
    assert len(store) == len(scripted) > 0
    for index in range(len(store)):
        assert_same(store.read(index), scripted.read(index))
