"""What a person notices on the recording page: how regular control is, and the delay from key to image."""

import asyncio
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

import aiohttp
import numpy as np

from trailkit.agents.run.bench.comparison import Comparison, Side
from trailkit.envs.errors import UserError
from trailkit.envs.settings import CONTROL_TIMESTEP

_HEARTBEAT = 0.1  # s, of the page
_NOTICEABLE = 120.0  # ms from a key to its effect, above which control feels sluggish
_WORDS = ("env=reach", "device=browser", "teleop.port=0", "teleop.view_cameras=[front]", "teleop.view_size=256")


def bench_teleop(seconds: float = 60.0) -> Iterator[Comparison]:
    """Records through the page's own connection, from another process, with a 256x256 stream.

    Args:
        seconds: How long keys are pressed.
    """
    with tempfile.TemporaryDirectory() as folder:
        words = [*_WORDS, f"out={folder}/demos", f"env.episode_steps={int(2 * seconds / CONTROL_TIMESTEP)}"]
        command = [sys.executable, "-m", "trailkit.agents.run.cli", "record", *words]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as recorder:
            assert recorder.stdout is not None
            address = recorder.stdout.readline().split()[-1]
            latencies = asyncio.run(_press_keys(address, seconds))
            recorder.terminate()
            said = recorder.stdout.read()
    late = re.search(r"control ran ([\d.]+) ms late", said)
    if late is None or not latencies:
        raise UserError(f"the recording of the benchmark ended early: {said}")
    period = 1e3 * CONTROL_TIMESTEP
    yield _limit("control at 20 Hz", Side("late, 99 times of 100 at most", float(late[1])), Side("period", period), 0.1)
    median = 1e3 * float(np.median(latencies))
    yield _limit("key to picture, median", Side("this page", median), Side("noticeable", _NOTICEABLE), 1.0)


async def _press_keys(address: str, seconds: float) -> list[float]:
    """Presses and releases a key at moments unrelated to the control clock; returns each one's delay to display, s."""
    latencies: list[float] = []
    random = np.random.default_rng(0)
    async with aiohttp.ClientSession() as client, client.ws_connect(address.replace("/?", "/session?")) as socket:
        sent: dict[int, float] = {}
        number, away, end = 0, 0.0, time.monotonic() + seconds
        change = time.monotonic() + 1.0
        beat = time.monotonic()
        heard = -1
        while time.monotonic() < end:
            now = time.monotonic()
            if now >= change or now >= beat:
                number += 1
                if now >= change:
                    away = 1.0 - away
                    sent[number] = now
                    change = now + random.uniform(0.2, 0.5)
                beat = now + _HEARTBEAT
                await socket.send_str(json.dumps({"axes": [0.0, away - 0.5, 0.0], "grip": 0, "number": number}))
            try:
                message = await socket.receive(timeout=max(0.001, min(change, beat) - time.monotonic()))
            except TimeoutError:
                continue
            if message.type is aiohttp.WSMsgType.TEXT:
                heard = json.loads(message.data)["heard"]
            elif message.type is aiohttp.WSMsgType.BINARY:
                shown = [each for each in sent if each <= heard]
                latencies += [time.monotonic() - sent.pop(each) for each in shown]
    return latencies


def _limit(name: str, ours: Side, other: Side, target: float) -> Comparison:
    return Comparison(name, "ms", ours, other, ours.value / other.value, target, at_least=False)
