"""Chromium for the tests of the recording page, and a recording to point it at."""

import os
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager

import pytest
from playwright.sync_api import sync_playwright

# A page on this machine needs neither a sandbox, which root cannot have, nor the services that Chromium calls home to.
_FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)


# Devices that no test machine has, as a page sees them; `test` says what a person does to them.
GAMEPAD = """
    const pad = { mapping: "standard", id: "a gamepad", axes: [0, 0, 0, 0], buttons: [] };
    for (let index = 0; index < 17; index += 1) pad.buttons.push({ pressed: false });
    navigator.getGamepads = () => [pad];
    window.test = {
        push: (...axes) => { pad.axes = axes; },
        hold: (index, pressed) => { pad.buttons[index].pressed = pressed; },
    };
"""
SPACEMOUSE = """
    const mouse = Object.assign(new EventTarget(), { productName: "SpaceMouse", opened: false });
    mouse.open = async () => {
        if (mouse.opened) throw new DOMException("open already", "InvalidStateError");
        mouse.opened = true;
    };
    const hid = Object.assign(new EventTarget(), { requestDevice: async () => [mouse] });
    Object.defineProperty(navigator, "hid", { value: hid });
    const report = (reportId, bytes) => mouse.dispatchEvent(
        Object.assign(new Event("inputreport"), { reportId, data: new DataView(bytes.buffer) }));
    window.test = {
        push: (...axes) => report(1, new Int16Array(axes)),
        turn: (...angles) => report(2, new Int16Array(angles)),
        hold: (index, pressed) => report(3, new Uint8Array([pressed << index])),
        unplug: () => {
            mouse.opened = false;
            hid.dispatchEvent(Object.assign(new Event("disconnect"), { device: mouse }));
        },
    };
"""


def chromium():
    """The path of the browser; without one, tests are skipped, but not in continuous integration."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None and os.environ.get("CI"):
        pytest.fail("no Chromium: apt-get install chromium")
    if path is None:
        pytest.skip("no Chromium: apt-get install chromium")
    return path


@contextmanager
def browser():
    """A headless browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=_FLAGS)
        yield browser
        browser.close()


@contextmanager
def recording(out, *words):
    """`trailkit record` as a process that serves its page; gives the process and the page's address."""
    command = [sys.executable, "-m", "trailkit.agents.run.cli", "record", f"out={out}", "teleop.port=0", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            line = process.stdout.readline()
            address = re.search(r"http://\S+", line)
            assert address, line + process.stdout.read()
            yield process, address[0]
        finally:
            if process.poll() is None:
                process.terminate()
