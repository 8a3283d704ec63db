"""A person who plays through the recording page and can do nothing but press keys.

    PYTHONPATH=tests python -m key_person lift 10

plays ten episodes and prints how many were solved.
"""

import sys
import tempfile
import threading
from pathlib import Path

import numpy as np
from chromium import browser

from trailkit.demos.command import Button
from trailkit.demos.store import DemoStore
from trailkit.demos.teleop.base import Feel
from trailkit.demos.teleop.browser import BrowserDevice
from trailkit.demos.teleop.clock import Clock
from trailkit.demos.teleop.session import teleoperate
from trailkit.envs.rendering import Quality
from trailkit.envs.settings import CONTROL_TIMESTEP, EnvSettings, ObservationSettings
from trailkit.envs.tasks.environment import TaskEnvironment

KEYS = (("a", "d"), ("s", "w"), ("q", "e"))  # of each axis: backwards, forwards
HOLD, TAP = 0.03, 0.008  # m: farther away a key is held, nearer it is tapped, and nearer still let be
SEEN = 250  # ms: from a tap to when its effect has been seen


class Person(threading.Thread):
    """Looks at where things are, as a person sees it, and presses keys until the task is solved; then keeps it."""

    def __init__(self, env, address, tries, give_up):
        super().__init__(name="person")
        self._env, self._address, self._tries, self._give_up = env, address, tries, give_up
        self.failure = None

    def run(self):
        try:
            with browser() as chrome:
                self._page = chrome.new_page(viewport={"width": 1280, "height": 800})
                self._page.goto(self._address)
                for attempt in range(self._tries):
                    self._page.wait_for_selector("body[data-phase=ready]")
                    self._page.wait_for_function(f"attempt === {attempt + 1}")
                    self._play()
                self._page.wait_for_selector("body[data-phase=finished]")
        except Exception as error:
            self.failure = error
            self._give_up()

    def _play(self):
        if self._env.settings.task == "reach":
            self._steer(self._aim)
        else:
            self._steer(lambda: np.array([*self._aim()[:2], 0.11]))
            self._steer(lambda: np.array([*self._aim()[:2], 0.022]))
            self._page.keyboard.press("Space")
            self._page.wait_for_timeout(1500)
            self._page.keyboard.down("e")
            self._page.wait_for_timeout(1500)
            self._page.keyboard.up("e")
        self._page.wait_for_timeout(300)
        self._page.keyboard.press("Enter")

    def _aim(self):
        return np.array(self._env.task.target(self._env.physics))

    def _steer(self, goal):
        """Holds keys while far from the goal, taps them when near."""
        held = set()
        while not (near := self._near(goal(), TAP)) and self._over() is False:
            wanted = self._towards(goal(), HOLD)
            for key in held - wanted:
                self._page.keyboard.up(key)
            for key in wanted - held:
                self._page.keyboard.down(key)
            held = wanted
            if not held and not near:
                self._page.wait_for_timeout(SEEN)
                for key in self._towards(goal(), TAP):
                    self._page.keyboard.down(key)
                    self._page.wait_for_timeout(50)
                    self._page.keyboard.up(key)
            self._page.wait_for_timeout(30)
        for key in held:
            self._page.keyboard.up(key)

    def _over(self):
        return self._page.locator("body").get_attribute("data-phase") in ("judging", "finished", "lost")

    def _offset(self, goal):
        return goal - self._env.task.robot.tool_position

    def _near(self, goal, tolerance):
        return bool((np.abs(self._offset(goal)) <= tolerance).all())

    def _towards(self, goal, tolerance):
        offset = self._offset(goal)
        return {KEYS[axis][int(offset[axis] > 0)] for axis in range(3) if abs(offset[axis]) > tolerance}


def play(task, tries, folder, steps=600):
    """Records episodes of a task as a person would; returns what was stored, and the clock."""
    settings = EnvSettings(task, observation=ObservationSettings(), episode_steps=steps)
    with TaskEnvironment(settings) as env:
        store = DemoStore.create(folder, settings, {"device": "browser"})
        device, clock = BrowserDevice(store, port=0), Clock(CONTROL_TIMESTEP)
        person = Person(env, device.url, tries, lambda: device._channel.press(Button.STOP))

        def view():
            return {"front": env.render("front", 256, 256, Quality.FAST)}

        person.start()
        feel, never = Feel(pos_sensitivity=0.5), threading.Event()
        for _ in teleoperate(env, device, store, tries, 0, view, feel, clock, never):
            pass
        device.close()
        person.join()
    if person.failure is not None:
        raise person.failure
    return list(store.episodes()), clock


def main(task="lift", tries="10"):
    with tempfile.TemporaryDirectory() as folder:
        episodes, clock = play(task, int(tries), Path(folder) / "demos")
    solved = [bool(episode.success.any()) for episode in episodes]
    seconds = CONTROL_TIMESTEP * np.mean([episode.length for episode in episodes])
    print(f"{task}: {sum(solved)} of {len(solved)} solved, in {seconds:.1f} s on average")
    print(f"control ran {1e3 * clock.lateness(99):.1f} ms late at most, 99 times of 100")


if __name__ == "__main__":
    main(*sys.argv[1:])
