import asyncio
import io
import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import aiohttp
import imageio_ffmpeg
import numpy as np
import pytest
from demonstrations import SETTINGS, SOURCE, make_episode
from PIL import Image

from trailkit.demos.store import DemoStore
from trailkit.demos.teleop.base import Phase, Status, Teleoperator
from trailkit.demos.teleop.browser import BrowserDevice
from trailkit.envs.errors import UserError

STATUS = Status(Phase.PLAYING, kept=1, wanted=5, attempt=2, time_left=7.5, duration=10.0, solved=False)


@pytest.fixture
def store(tmp_path):
    store = DemoStore.create(tmp_path / "demos", SETTINGS, SOURCE)
    for seed in range(3):
        store.append(make_episode(seed))
    return store


@pytest.fixture
def device(store):
    device = BrowserDevice(store, port=0)
    yield device
    device.close()


@asynccontextmanager
async def page(device):
    """A connection as the page makes it."""
    async with aiohttp.ClientSession() as client, client.ws_connect(device.url.replace("/?", "/session?")) as socket:
        yield socket


def with_page(device, talk):
    async def run():
        async with page(device) as socket:
            return await talk(socket)

    return asyncio.run(run())


def request(device, path, method="GET", token=None):
    """The status and the body of an answer."""

    async def run():
        base, own = device.url.split("/?token=")
        async with (
            aiohttp.ClientSession() as client,
            client.request(method, f"{base}/{path}", params={"token": own if token is None else token}) as answer,
        ):
            return answer.status, await answer.read(), answer.headers

    return asyncio.run(run())


def until(condition, seconds=3.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.01)


def said(axes=(0, 0, 0), grip=0, number=1):
    return json.dumps({"axes": axes, "grip": grip, "number": number})


def test_it_is_a_teleoperator(device):
    assert isinstance(device, Teleoperator)


PATHS = ["", "page/page.js", "page/page.css", "session", "episodes", "episodes/episode_000000.hdf5/thumbnail"]


def test_a_wrong_or_missing_token_is_forbidden_everywhere(device):
    for path in [*PATHS, "episodes/episode_000000.hdf5/video", "nonsense"]:
        for token in ("", "wrong", "ü"):
            status, body, _ = request(device, path, token=token)
            assert status == 403 and b"the address that trailkit record printed" in body


def test_nothing_is_removed_without_the_token(device, store):
    assert request(device, "episodes/episode_000000.hdf5", "DELETE", token="wrong")[0] == 403
    assert store.count() == 3


def test_each_recording_has_a_token_of_its_own(store, device):
    other = BrowserDevice(store, port=0)
    assert other.url.split("token=")[1] != device.url.split("token=")[1]
    other.close()


def test_it_listens_on_this_machine_only(device):
    assert device.url.startswith("http://127.0.0.1:")


def test_the_page_and_its_parts_are_served(device):
    status, body, headers = request(device, "")
    assert status == 200 and b"page/page.js?token=" in body and b"{token}" not in body
    assert headers["Referrer-Policy"] == "no-referrer" and headers["Cache-Control"] == "no-store"
    for name in ("page/page.js", "page/page.css"):
        assert request(device, name)[0] == 200
    assert request(device, "page/index.html")[0] == 404
    assert request(device, "page/..%2fserver.py")[0] == 404


def test_commands_arrive_and_are_gone_with_the_page(device):
    assert not device.read().connected

    async def talk(socket):
        await socket.send_str(said([0.5, -1, 7], grip=1))
        await asyncio.to_thread(until, lambda: device.read().connected)
        return device.read()

    command = with_page(device, talk)
    np.testing.assert_allclose(command.axes, [0.5, -1, 1])
    assert command.turn.tolist() == [0, 0, 0]  # the page said nothing of it
    assert command.grip == 1 and command.button is None
    until(lambda: not device.read().connected)
    assert not device.read().axes.any() and device.read().grip == 0


def test_turns_arrive_too(device):
    async def talk(socket):
        await socket.send_str(json.dumps({"axes": [0, 0, 0], "turn": [0.5, -7, 0.25], "grip": 0, "number": 1}))
        await asyncio.to_thread(until, lambda: device.read().connected)
        return device.read()

    command = with_page(device, talk)
    assert command.turn.dtype == np.float32 and command.turn.tolist() == [0.5, -1, 0.25]
    assert not command.axes.any()
    until(lambda: not device.read().connected)
    assert not device.read().turn.any()


def test_a_page_that_says_nothing_for_half_a_second_is_not_there(device):
    async def talk(socket):
        await socket.send_str(said([1, 0, 0]))
        await asyncio.to_thread(until, lambda: device.read().connected)
        await asyncio.sleep(0.6)
        return device.read()

    silent = with_page(device, talk)
    assert not silent.connected and not silent.axes.any()


def test_each_press_of_a_button_is_reported_once_and_in_order(device):
    async def talk(socket):
        for button in ("rerecord", "keep", "keep"):
            await socket.send_str(json.dumps({"button": button}))
        await socket.send_str(said())
        await asyncio.to_thread(until, lambda: device._channel._heard == 1)
        return [device.read().button for _ in range(4)]

    assert with_page(device, talk) == ["rerecord", "keep", "keep", None]


NONSENSE = [
    *("", "no json", "[]", "7", "null", '"axes"', "{}", '{"button": "explode"}', '{"button": []}'),
    *('{"axes": [1, 2], "grip": 0, "number": 1}', '{"axes": [1, 2, NaN], "grip": 0, "number": 1}'),
    *('{"axes": "abc", "grip": 0, "number": 1}', '{"axes": [1, 1, 1], "grip": "x", "number": 1}'),
    '{"axes": [1, 1, 1], "grip": 0, "number": Infinity}',
    *(
        f'{{"axes": [1, 1, 1], "turn": {turn}, "grip": 0, "number": 1}}'
        for turn in ("[1, 2]", "[1, NaN, 1]", "null", "7")
    ),
]


def test_nonsense_is_passed_over_and_the_page_stays(device):
    async def talk(socket):
        for text in (said([0, 1, 0]), *NONSENSE, json.dumps({"button": "keep"})):
            await socket.send_str(text)
        await asyncio.to_thread(until, lambda: device._channel._buttons)
        return device.read()

    command = with_page(device, talk)
    assert command.button == "keep" and command.axes.tolist() == [0, 1, 0] and not command.turn.any()


def test_a_second_page_is_told_that_the_arm_is_taken(device):
    async def talk(socket):
        async with page(device) as second:
            message = await second.receive(timeout=3)
            assert message.type is aiohttp.WSMsgType.CLOSE and message.data == 4001
        await socket.send_str(said([1, 0, 0]))
        await asyncio.to_thread(until, lambda: device.read().connected)

    with_page(device, talk)

    async def again(socket):
        await socket.send_str(said())
        await asyncio.to_thread(until, lambda: device.read().connected)

    with_page(device, again)  # the arm is free once the first page has left


def test_the_newest_moment_is_shown_and_those_between_are_dropped(device):
    pictures = {"front": np.full((64, 64, 3), 200, np.uint8), "wrist": np.zeros((64, 64, 3), np.uint8)}

    async def talk(socket):
        await socket.send_str(said(number=42))
        await asyncio.to_thread(until, lambda: device._channel._heard == 42)
        for left in range(1000):
            device.show(STATUS._replace(time_left=left), pictures)
        shown = []
        while not shown or shown[-1]["time_left"] < 999:
            status = json.loads((await socket.receive(timeout=3)).data)
            picture = (await socket.receive(timeout=3)).data
            shown.append(status)
        return shown, picture

    shown, jpeg = with_page(device, talk)
    assert len(shown) < 500
    last = shown[-1]
    assert last["phase"] == "playing" and last["kept"] == 1 and last["cameras"] == ["front", "wrist"]
    assert last["heard"] == 42 and last["number"] == 999
    picture = np.asarray(Image.open(io.BytesIO(jpeg)))
    assert picture.shape == (64, 128, 3)
    assert abs(int(picture[32, 20, 0]) - 200) < 5 and picture[32, 100].max() < 5


def test_the_strip_lists_shows_and_replays_episodes(device, tmp_path):
    _, body, _ = request(device, "episodes")
    rows = json.loads(body)
    assert [row["file"] for row in rows] == [f"episode_00000{index}.hdf5" for index in range(3)]
    assert rows[0]["seconds"] == pytest.approx(6 * 0.05) and rows[0]["success"] is True
    status, body, headers = request(device, "episodes/episode_000001.hdf5/thumbnail")
    assert status == 200 and headers["Content-Type"] == "image/jpeg"
    assert Image.open(io.BytesIO(body)).size == (160, 160)
    status, body, _ = request(device, "episodes/episode_000001.hdf5/video")
    assert status == 200
    (tmp_path / "replay.mp4").write_bytes(body)
    assert imageio_ffmpeg.count_frames_and_secs(tmp_path / "replay.mp4")[0] == 7


def test_removing_an_episode_leaves_its_file_aside(device, store):
    assert request(device, "episodes/episode_000001.hdf5", "DELETE")[0] == 200
    assert [row.file for row in DemoStore.open(store.path).manifest.episodes] == [
        "episode_000000.hdf5",
        "episode_000002.hdf5",
    ]
    assert (store.path / "removed" / "episode_000001.hdf5").exists()
    assert request(device, "episodes/episode_000001.hdf5", "DELETE")[0] == 404
    assert request(device, "episodes/..%2f..%2fother.hdf5", "DELETE")[0] == 404
    assert request(device, "episodes/episode_000001.hdf5/thumbnail")[0] == 404
    assert request(device, "episodes/episode_000001.hdf5/video")[0] == 404


def test_pages_that_ask_for_one_replay_at_once_all_get_it(device, tmp_path):
    path = "episodes/episode_000001.hdf5/video"
    with ThreadPoolExecutor(4) as pages:
        answers = list(pages.map(lambda _: request(device, path), range(4)))
    assert [status for status, _, _ in answers] == [200] * 4
    (video,) = {body for _, body, _ in answers}
    (tmp_path / "replay.mp4").write_bytes(video)
    assert imageio_ffmpeg.count_frames_and_secs(tmp_path / "replay.mp4")[0] == 7


@pytest.fixture
def removed_before_read(device, monkeypatch):
    """Has an episode removed just before the server reads one; gives a function to name it."""
    read = DemoStore.read

    def arrange(file):
        def remove_and_read(store, index):
            assert request(device, f"episodes/{file}", "DELETE")[0] == 200
            assert len(json.loads(request(device, "episodes")[1])) == 2
            return read(store, index)

        monkeypatch.setattr(DemoStore, "read", remove_and_read)

    return arrange


@pytest.mark.parametrize("what", ["thumbnail", "video"])
def test_an_episode_that_is_removed_before_it_is_read_is_not_found(device, removed_before_read, what):
    removed_before_read("episode_000000.hdf5")
    status, body, _ = request(device, f"episodes/episode_000000.hdf5/{what}")
    assert status == 404 and b"episode_000000.hdf5 cannot be read: No such file" in body


@pytest.mark.parametrize("what", ["thumbnail", "video"])
def test_an_episode_is_shown_though_one_before_it_is_removed(device, store, removed_before_read, what):
    undisturbed = BrowserDevice(store, port=0)
    _, expected, _ = request(undisturbed, f"episodes/episode_000001.hdf5/{what}")
    undisturbed.close()
    removed_before_read("episode_000000.hdf5")
    status, body, _ = request(device, f"episodes/episode_000001.hdf5/{what}")
    assert status == 200 and body == expected


def test_what_ends_an_episode_leaves_no_grip_to_begin_the_next(device):
    async def talk(socket):
        await socket.send_str(said([1, 0, 0], grip=1))
        await socket.send_str(json.dumps({"button": "keep"}))
        await asyncio.to_thread(until, lambda: device._channel._buttons)
        return device.read()

    command = with_page(device, talk)
    assert command.button == "keep" and command.grip == 0


def test_a_port_in_use_is_named(device, store):
    port = int(device.url.split(":")[2].split("/")[0])
    with pytest.raises(UserError, match=f"teleop.port={port} cannot be listened on .*: choose another port"):
        BrowserDevice(store, port=port)


def test_closing_twice_is_once(store):
    device = BrowserDevice(store, port=0)
    device.close()
    device.close()
