"""The recording page from end to end, in a browser."""

import re

import numpy as np
import pytest
from chromium import GAMEPAD, SPACEMOUSE, browser, recording
from key_person import play
from playwright.sync_api import expect

from trailkit.demos.store import DemoStore

pytestmark = [pytest.mark.render, pytest.mark.slow]
WORDS = ("env=reach", "device=browser", "seed=3", "env.episode_steps=100")


@pytest.fixture(scope="module")
def chrome():
    with browser() as chrome:
        yield chrome


def phase(page, name):
    expect(page.locator("body")).to_have_attribute("data-phase", name, timeout=15_000)


def hold(page, key, milliseconds):
    page.keyboard.down(key)
    page.wait_for_timeout(milliseconds)
    page.keyboard.up(key)


def test_a_person_records_reach(chrome, tmp_path):
    out = tmp_path / "demos"
    with recording(out, *WORDS, "episodes=2") as (process, address):
        page = chrome.new_page(viewport={"width": 1280, "height": 800})
        errors = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(address)
        phase(page, "ready")
        expect(page.locator("canvas")).to_have_count(2)
        expect(page.locator("#kept")).to_have_text("0")

        hold(page, "w", 300)  # the first episode is kept
        phase(page, "playing")
        page.keyboard.press("Enter")
        expect(page.locator("#kept")).to_have_text("1")
        expect(page.locator("#episodes li")).to_have_count(1)
        first = DemoStore.open(out).read(0)
        assert first.action[:, 1].max() == 1 and not first.action[:, [0, 2]].any()

        hold(page, "d", 200)  # the second is discarded
        page.keyboard.press("Backspace")
        phase(page, "ready")
        hold(page, "a", 200)  # the third is recorded again from the same place
        page.keyboard.press("r")
        phase(page, "ready")
        hold(page, "e", 200)
        page.keyboard.press("Space")
        expect(page.locator("#grip")).to_have_attribute("aria-pressed", "true")
        page.wait_for_timeout(200)
        page.get_by_role("button", name="Keep").click()
        phase(page, "finished")
        expect(page.locator("#episodes li")).to_have_count(2)
        assert process.wait(timeout=15) == 0
        assert not errors
    kept = list(DemoStore.open(out).episodes())
    assert [episode.metadata["index"] for episode in kept] == [0, 2]
    assert kept[1].action[:, 2].max() == 1 and kept[1].action[-1, 3] == 1
    assert kept[0].metadata["device"] == "browser"


def test_a_person_who_only_presses_keys_solves_reach(tmp_path):
    (episode,), _ = play("reach", tries=1, folder=tmp_path / "demos")
    assert episode.success.any() and set(np.unique(episode.action[:, :3])) <= {-0.5, 0.0, 0.5}


def test_the_strip_replays_and_removes(chrome, tmp_path):
    out = tmp_path / "demos"
    with recording(out, *WORDS, "episodes=3") as (_, address):
        page = chrome.new_page(viewport={"width": 390, "height": 844})
        page.goto(address)
        phase(page, "ready")
        for count in (1, 2):
            hold(page, "w", 200)
            page.get_by_role("button", name="Keep").click()
            expect(page.locator("#episodes li")).to_have_count(count)
        page.locator("#episodes button").first.click()
        video = page.locator("#replay video")
        expect(video).to_be_visible()
        page.wait_for_function("document.querySelector('#replay video').readyState >= 2", timeout=15_000)
        assert video.evaluate("video => video.videoWidth") == 256
        page.get_by_role("button", name="Remove").click()
        expect(page.locator("#episodes li")).to_have_count(1)
        expect(page.locator("#kept")).to_have_text("1")
        hold(page, "w", 200)
        page.get_by_role("button", name="Keep").click()
        expect(page.locator("#kept")).to_have_text("2")
    assert len(DemoStore.open(out)) == 2
    assert (out / "removed" / "episode_000000.hdf5").exists()


def test_pads_and_the_grip_button_command_by_touch(chrome, tmp_path):
    out = tmp_path / "demos"
    with recording(out, *WORDS, "episodes=1") as (process, address):
        page = chrome.new_page(viewport={"width": 390, "height": 844}, has_touch=True)
        page.goto(address)
        phase(page, "ready")
        box = page.locator("#plane").bounding_box()
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] - 2, box["y"] + box["height"] / 2)
        phase(page, "playing")
        page.wait_for_timeout(200)
        page.mouse.up()
        page.locator("#grip").tap()
        page.wait_for_timeout(200)
        page.get_by_role("button", name="Keep").tap()
        process.wait(timeout=15)
    episode = DemoStore.open(out).read(0)
    assert episode.action[:, 0].max() == 1 and episode.action[-1, 3] == 1 and episode.action[-1, 0] == 0


def test_a_page_that_goes_away_pauses_the_episode(chrome, tmp_path):
    out = tmp_path / "demos"
    with recording(out, *WORDS, "episodes=1") as (process, address):
        page = chrome.new_page()
        page.goto(address)
        phase(page, "ready")
        page.keyboard.down("w")
        phase(page, "playing")
        page.wait_for_timeout(300)
        page.close()
        again = chrome.new_page()
        again.wait_for_timeout(800)
        again.goto(address)
        phase(again, "paused")
        hold(again, "w", 200)
        phase(again, "playing")
        again.keyboard.press("Enter")
        assert process.wait(timeout=15) == 0
    assert 4 < DemoStore.open(out).read(0).length < 30  # of the 1.5 s and more that have passed


def test_only_one_page_commands_and_none_without_the_token(chrome, tmp_path):
    with recording(tmp_path / "demos", *WORDS) as (_, address):
        page, second = chrome.new_page(), chrome.new_page()
        page.goto(address)
        phase(page, "ready")
        second.goto(address)
        phase(second, "taken")
        expect(second.locator("#message")).to_have_text(re.compile("another page commands it"))
        assert second.goto(address.split("?")[0]).status == 403
        assert second.goto(address + "x").status == 403
        second.goto(address)
        page.close()
        phase(second, "ready")  # by itself, once the arm is free


def test_a_held_key_is_let_go_when_the_window_loses_focus(chrome, tmp_path):
    out = tmp_path / "demos"
    with recording(out, *WORDS, "episodes=1") as (process, address):
        page = chrome.new_page()
        page.goto(address)
        phase(page, "ready")
        page.keyboard.down("w")
        phase(page, "playing")
        page.evaluate("dispatchEvent(new Event('blur'))")
        page.wait_for_timeout(300)
        page.keyboard.press("Enter")
        process.wait(timeout=15)
    assert not DemoStore.open(out).read(0).action[-3:].any()


GRIP = 0  # the button of either


def tap(page, button):
    page.evaluate("button => test.hold(button, true)", button)
    page.wait_for_timeout(300)
    page.evaluate("button => test.hold(button, false)", button)


@pytest.mark.parametrize(("device", "keep"), [(GAMEPAD, 9), (SPACEMOUSE, 1)], ids=["gamepad", "spacemouse"])
def test_buttons_of_a_device_decide_nothing_while_a_replay_is_open(chrome, tmp_path, device, keep):
    out = tmp_path / "demos"
    with recording(out, *WORDS, "episodes=2") as (process, address):
        page = chrome.new_page()
        page.add_init_script(device)
        page.goto(address)
        phase(page, "ready")
        if device is SPACEMOUSE:
            page.locator("#hid").click()
        hold(page, "w", 200)
        phase(page, "playing")
        tap(page, keep)
        expect(page.locator("#episodes li")).to_have_count(1)
        hold(page, "w", 200)
        phase(page, "playing")
        page.locator("#episodes button").click()
        tap(page, GRIP)
        expect(page.locator("#grip")).to_have_attribute("aria-pressed", "false")
        tap(page, keep)
        phase(page, "paused")
        page.get_by_role("button", name="Close").click()
        tap(page, GRIP)
        expect(page.locator("#grip")).to_have_attribute("aria-pressed", "true")
        tap(page, keep)
        assert process.wait(timeout=15) == 0
    assert len(DemoStore.open(out)) == 2


def test_an_unplugged_spacemouse_stops_driving_and_can_be_connected_again(chrome, tmp_path):
    out = tmp_path / "demos"
    with recording(out, *WORDS, "episodes=1") as (process, address):
        page = chrome.new_page()
        errors = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.add_init_script(SPACEMOUSE)
        page.goto(address)
        phase(page, "ready")
        page.locator("#hid").click()
        expect(page.locator("#hid")).to_have_text("SpaceMouse is connected")
        page.evaluate("test.push(350, 0, 0)")
        phase(page, "playing")
        page.evaluate("test.unplug()")
        expect(page.locator("#hid")).to_have_text("SpaceMouse is unplugged: connect it again")
        page.wait_for_timeout(300)
        for _ in range(2):  # the second click finds it open
            page.locator("#hid").click()
            expect(page.locator("#hid")).to_have_text("SpaceMouse is connected")
        tap(page, GRIP)
        expect(page.locator("#grip")).to_have_attribute("aria-pressed", "true")
        assert not errors
        page.keyboard.press("Enter")
        assert process.wait(timeout=15) == 0
    action = DemoStore.open(out).read(0).action
    assert action[:, 0].max() == 1 and not action[-6:, 0].any()


def test_an_episode_that_cannot_be_removed_is_said_and_the_strip_is_fresh(chrome, tmp_path):
    out = tmp_path / "demos"
    with recording(out, *WORDS, "episodes=2") as (process, address):
        page = chrome.new_page()
        errors = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(address)
        phase(page, "ready")
        hold(page, "w", 200)
        page.keyboard.press("Enter")
        page.locator("#episodes button").click()
        DemoStore.open(out).remove("episode_000000.hdf5")
        page.get_by_role("button", name="Remove").click()
        refusal = page.get_by_role("alert")
        expect(refusal).to_have_text(re.compile("^Not removed: unknown episode 'episode_000000.hdf5'"))
        expect(page.locator("#episodes li")).to_have_count(0)
        process.terminate()
        process.wait(timeout=15)
        page.get_by_role("button", name="Remove").click()
        expect(refusal).to_have_text("Not removed: the connection is lost")
        assert not errors


def test_the_printed_address_and_tunnel_lead_to_an_ipv6_host(chrome, tmp_path):
    with recording(tmp_path / "demos", *WORDS, "teleop.host='::1'") as (process, address):
        port = re.fullmatch(r"http://\[::1\]:(\d+)/\?token=.+", address)[1]
        assert process.stdout.readline().startswith(f"from another machine: ssh -L {port}:[::1]:{port} HERE")
        page = chrome.new_page()
        page.goto(address)
        phase(page, "ready")
