import pytest
import screen as screens
from teleoperation import SETTINGS

from trailkit.envs.tasks.environment import TaskEnvironment


@pytest.fixture(scope="session")
def server():
    with screens.screen() as screen:
        yield screen


@pytest.fixture
def screen(server, monkeypatch):
    """The screen that windows open on during the test."""
    monkeypatch.setenv("DISPLAY", server.display)
    monkeypatch.setenv("SDL_VIDEODRIVER", "x11")
    return server


@pytest.fixture(scope="module")
def reach():
    env = TaskEnvironment(SETTINGS)
    yield env
    env.close()
