"""The web server behind the page: one person commands; every request carries the token from the printed address."""

import asyncio
import hmac
import io
import json
import math
from collections.abc import Awaitable, Callable
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from aiohttp import WSCloseCode, WSMsgType, web
from PIL import Image

from trailkit.demos.command import Button
from trailkit.demos.play import play
from trailkit.demos.store import DemoStore
from trailkit.demos.teleop.channel import Channel, Moment
from trailkit.envs.errors import UserError

TAKEN = 4001  # the close code that rejects a second page
_THUMBNAIL = 160  # pixels
_JPEG_QUALITY = 85
_PAGE = {"page.css": "text/css", "page.js": "text/javascript"}

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Server:
    """The page, its connection to the control loop, and the strip of recorded episodes."""

    def __init__(self, channel: Channel, store: DemoStore, token: str, videos: Path, turns: bool) -> None:
        """Makes the application.

        Args:
            channel: The channel to the control loop.
            store: The store whose episodes the page shows; opened separately from the one of the recorder's thread.
            token: The token that every request must contain.
            videos: A folder for replays.
            turns: Whether the page shows how to turn the hand.
        """
        self._channel, self._store, self._token, self._videos, self._turns = channel, store, token, videos, turns
        self._socket: web.WebSocketResponse | None = None  # of the page that commands the arm
        self._newer = asyncio.Event()
        self._filming = asyncio.Lock()  # two videos of one episode would be written to the same file
        self.app = web.Application(middlewares=[self._authorize])
        self.app.on_shutdown.append(self._hang_up)
        self.app.router.add_get("/", self._index)
        self.app.router.add_get("/page/{name}", self._asset)
        self.app.router.add_get("/session", self._session)
        self.app.router.add_get("/episodes", self._episodes)
        self.app.router.add_get("/episodes/{file}/thumbnail", self._thumbnail)
        self.app.router.add_get("/episodes/{file}/video", self._video)
        self.app.router.add_delete("/episodes/{file}", self._remove)

    @web.middleware
    async def _authorize(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        if not hmac.compare_digest(request.query.get("token", "").encode(), self._token.encode()):
            raise web.HTTPForbidden(text="open the address that trailkit record printed, with its token\n")
        try:
            response = await handler(request)
        except UserError as error:
            raise web.HTTPNotFound(text=f"{error}\n") from error
        if not response.prepared:
            response.headers.update({"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"})
        return response

    async def _index(self, _: web.Request) -> web.Response:
        text = _page("index.html").replace("{token}", self._token).replace("{task}", self._store.settings.task)
        text = text.replace("{turning}", "" if self._turns else "hidden")
        return web.Response(text=text, content_type="text/html")

    async def _asset(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in _PAGE:
            raise web.HTTPNotFound
        return web.Response(text=_page(name), content_type=_PAGE[name])

    async def _session(self, request: web.Request) -> web.WebSocketResponse:
        """Receives commands and sends moments until the page leaves."""
        socket = web.WebSocketResponse(heartbeat=5, max_msg_size=4096)
        await socket.prepare(request)
        if self._socket is not None:
            await socket.close(code=TAKEN, message=b"the arm is taken")
            return socket
        self._socket = socket
        self._channel.wake(asyncio.get_running_loop(), self._newer)
        sending = asyncio.create_task(self._send(socket))
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    _take_in(self._channel, message.data)
        finally:
            self._channel.leave()
            self._socket = None
            sending.cancel()
        return socket

    async def _hang_up(self, _: web.Application) -> None:
        if self._socket is not None:
            await self._socket.close(code=WSCloseCode.GOING_AWAY)

    async def _send(self, socket: web.WebSocketResponse) -> None:
        """Sends the newest moment, again and again: a slow connection skips those in between."""
        self._newer.set()
        while True:
            await self._newer.wait()
            self._newer.clear()
            moment = self._channel.moment()
            if moment is not None:
                text, picture = await asyncio.to_thread(_encode, moment)
                await socket.send_str(text)
                await socket.send_bytes(picture)

    async def _episodes(self, _: web.Request) -> web.Response:
        store = await self._snapshot()
        rows, timestep = store.manifest.episodes, store.manifest.control_timestep
        return web.json_response(
            [
                {"file": row.file, "size": row.size, "seconds": row.length * timestep, "success": row.success}
                for row in rows
            ]
        )

    async def _thumbnail(self, request: web.Request) -> web.Response:
        episode = await self._find(request)
        return web.Response(body=await asyncio.to_thread(_thumbnail, episode), content_type="image/jpeg")

    async def _video(self, request: web.Request) -> web.FileResponse:
        episode = await self._find(request)
        (row,) = episode.manifest.episodes
        path = self._videos / f"{row.file}.{row.size}.mp4"
        async with self._filming:
            if not path.exists():
                await asyncio.to_thread(play, episode, path)
        return web.FileResponse(path)

    async def _remove(self, request: web.Request) -> web.Response:
        await asyncio.to_thread(self._store.remove, request.match_info["file"])
        return web.Response()

    async def _find(self, request: web.Request) -> DemoStore:
        """The requested episode, alone in a store, so that removing others does not renumber it."""
        store = await self._snapshot()
        rows = tuple(row for row in store.manifest.episodes if row.file == request.match_info["file"])
        if not rows:
            raise web.HTTPNotFound(text="there is no such episode\n")
        return DemoStore(store.path, replace(store.manifest, episodes=rows), store.source)

    async def _snapshot(self) -> DemoStore:
        """The store as it is now, unaffected by removals in other requests."""
        store = DemoStore(self._store.path, self._store.manifest, self._store.source)
        await asyncio.to_thread(store.count)
        return store


def _take_in(channel: Channel, text: str) -> None:
    """Passes on a message of the page. Invalid messages are ignored: they may come from another version of the page."""
    try:
        words: Any = json.loads(text)
        if "button" in words:
            channel.press(Button(words["button"]))
            return
        axes, turn = ([float(axis) for axis in each] for each in (words["axes"], words.get("turn", (0, 0, 0))))
        grip, number = float(words["grip"]), int(words["number"])
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return
    if len(axes) == len(turn) == 3 and all(map(math.isfinite, (*axes, *turn, grip))):
        channel.move(axes, turn, grip, number)


def _encode(moment: Moment) -> tuple[str, bytes]:
    """The status as JSON, and the images side by side as a JPEG."""
    text = json.dumps(
        {**moment.status._asdict(), "number": moment.number, "heard": moment.heard, "cameras": list(moment.pictures)}
    )
    pictures = list(moment.pictures.values())
    return text, _jpeg(np.hstack(pictures)) if pictures else b""


def _thumbnail(episode: DemoStore) -> bytes:
    """The first camera's last image of the only episode in a store."""
    cameras = episode.settings.observation.cameras
    if not cameras:
        raise UserError("the demonstrations have no camera: there is nothing to see")
    picture = episode.read(0).observation[cameras[0]][-1]
    return _jpeg(np.asarray(Image.fromarray(picture).resize((_THUMBNAIL, _THUMBNAIL), Image.Resampling.BICUBIC)))


def _jpeg(picture: np.ndarray[Any, np.dtype[np.uint8]]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=_JPEG_QUALITY)
    return buffer.getvalue()


def _page(name: str) -> str:
    return (resources.files("trailkit.demos.teleop") / "page" / name).read_text()
