"""What the recording page shows and sends, in a browser, without a simulation behind it."""

import time
from dataclasses import replace

import numpy as np
import pytest
from chromium import GAMEPAD, SPACEMOUSE, browser
from demonstrations import SETTINGS, SOURCE, make_episode
from playwright.sync_api import expect

from trailkit.demos.store import DemoStore
from trailkit.demos.teleop.base import Phase, Status
from trailkit.demos.teleop.browser import BrowserDevice

pytestmark = pytest.mark.slow
STATUS = Status(Phase.READY, 0, 5, 1, 1.0, 1.5, False)


@pytest.fixture(scope="module")
def chrome():
    with browser() as chrome:
        yield chrome


@pytest.fixture
def store(tmp_path):
    return DemoStore.create(tmp_path / "demos", SETTINGS, SOURCE)


@pytest.fixture
def device(store):
    device = BrowserDevice(store, port=0)
    yield device
    device.close()


@pytest.fixture
def page(chrome):
    """A page; no script of it may fail."""
    page, errors = chrome.new_page(), []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    page.close()
    assert not errors


def test_a_browser_that_has_no_gamepads_commands_by_keys(page, device):
    page.add_init_script("delete Navigator.prototype.getGamepads")  # as Firefox, of a page from another machine
    page.goto(device.url)
    device.show(STATUS, {})
    expect(page.locator("body")).to_have_attribute("data-phase", "ready")
    page.keyboard.down("w")
    end = time.monotonic() + 5
    while not device.read().axes[1] == 1:
        assert time.monotonic() < end
        page.wait_for_timeout(20)


def until_said(page, device, axes, turn):
    """Waits until the page commands this."""
    end = time.monotonic() + 5
    while [*device.read().axes, *device.read().turn] != [*axes, *turn]:
        assert time.monotonic() < end, device.read()
        page.wait_for_timeout(20)


def test_keys_move_and_turn_at_once(page, device):
    page.goto(device.url)
    for key in "wiu":
        page.keyboard.down(key)
    until_said(page, device, [0, 1, 0], [-1, 0, 1])
    for key in "wi":
        page.keyboard.up(key)
    page.keyboard.down("l")
    until_said(page, device, [0, 0, 0], [0, 1, 1])


def test_the_d_pad_and_the_right_stick_turn(page, device):
    page.add_init_script(GAMEPAD)
    page.goto(device.url)
    page.evaluate("test.push(1, 0, -0.5, 0.25)")
    until_said(page, device, [1, 0, -0.25], [0, 0, 0.5])
    page.evaluate("test.hold(13, true); test.hold(14, true)")  # down and left
    until_said(page, device, [1, 0, -0.25], [1, -1, 0.5])


def test_a_spacemouse_turns_in_a_report_of_its_own_or_in_that_of_its_pushes(page, device):
    page.add_init_script(SPACEMOUSE)
    page.goto(device.url)
    page.locator("#hid").click()
    page.evaluate("test.push(350, 0, 0); test.turn(350, 175, 350)")
    until_said(page, device, [1, 0, 0], [1, -0.5, -1])
    page.evaluate("test.push(0, 350, 0)")
    until_said(page, device, [0, -1, 0], [1, -0.5, -1])
    page.evaluate("test.push(0, 0, 350, 0, 0, -350)")
    until_said(page, device, [0, 0, -1], [0, 0, 1])
    page.evaluate("test.unplug()")
    until_said(page, device, [0, 0, 0], [0, 0, 0])


@pytest.mark.parametrize("turns", [False, True])
def test_how_to_turn_the_hand_is_said_where_it_turns(page, store, turns):
    device = BrowserDevice(store, port=0, turns=turns)
    page.goto(device.url)
    for words in ("tilt away, towards you", "tilt left, right", "turn left, right"):
        expect(page.get_by_text(words)).to_be_visible(visible=turns)
    expect(page.get_by_text("up, down", exact=True)).to_be_visible()
    device.close()


def test_the_strip_has_the_seconds_of_the_environments_own_pace(page, store, device):
    slow = replace(store.manifest, control_timestep=0.5)
    slow.save(store.path)
    DemoStore(store.path, slow, SOURCE).append(make_episode(length=6))
    page.goto(device.url)
    device.show(STATUS._replace(kept=1), {})
    expect(page.locator("#episodes span")).to_have_text("13.0 s ✓")


def test_why_an_episode_could_not_be_stored_is_said_until_it_is_settled(page, device):
    page.goto(device.url)
    device.show(STATUS._replace(phase=Phase.JUDGING, trouble="cannot write demos: No space left on device"), {})
    message = page.locator("#message")
    expect(message).to_have_text("Not stored, keep it again: cannot write demos: No space left on device")
    device.show(STATUS, {})
    expect(message).to_have_text("Move to begin the episode.")


def test_an_episode_that_takes_the_place_of_a_removed_one_is_shown_itself(page, store, device):
    """Files are numbered on, so that the new one has the name of the one before."""

    def grey(value, length):
        episode = make_episode(length=length)
        return episode._replace(
            observation={**episode.observation, "front": np.full_like(episode.observation["front"], value)}
        )

    def pixel(element):
        draw = """element => {
            const context = new OffscreenCanvas(1, 1).getContext("2d");
            context.drawImage(element, 0, 0, 1, 1);
            return context.getImageData(0, 0, 1, 1).data[0];
        }"""
        return page.locator(element).evaluate(draw)

    def shown(kept):
        device.show(STATUS._replace(kept=kept), {})
        page.wait_for_function("kept => document.querySelectorAll('#episodes img').length == kept", arg=kept)

    store.append(grey(60, 5))
    page.goto(device.url)
    shown(1)
    page.wait_for_function("document.querySelector('#episodes img').complete")
    assert abs(pixel("#episodes img") - 60) < 8
    page.click("#episodes button")
    page.click("#remove")
    shown(0)
    store.append(grey(200, 6))
    shown(1)
    page.wait_for_function("document.querySelector('#episodes img').complete")
    assert abs(pixel("#episodes img") - 200) < 8
    page.click("#episodes button")
    page.wait_for_function("document.querySelector('#replay video').readyState >= 2")
    assert abs(pixel("#replay video") - 200) < 8
