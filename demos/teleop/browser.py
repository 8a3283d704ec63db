"""The browser as a device: a web page on this machine, reached directly or through an SSH tunnel."""

import asyncio
import secrets
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from aiohttp import web

from trailkit.demos.command import Command
from trailkit.demos.store import DemoStore
from trailkit.demos.teleop.base import Picture, Status
from trailkit.demos.teleop.channel import Channel
from trailkit.demos.teleop.server import Server
from trailkit.envs.errors import UserError

_FAREWELL = 0.5  # s for the last moment to reach the page


class BrowserDevice:
    """Serves the page from a thread of its own, so that the network never delays a control step."""

    def __init__(self, store: DemoStore, host: str = "127.0.0.1", port: int = 8008) -> None:
        """Begins to serve.

        Args:
            store: Whose episodes the page shows, replays and removes.
            host: The address to listen on; only this machine reaches the default.
            port: To listen on; 0 for a free one.

        Raises:
            UserError: If the address cannot be listened on.
        """
        self._channel = Channel()
        self._token = secrets.token_urlsafe(16)
        self._store = DemoStore(store.path, store.manifest, store.source)
        self._loop = asyncio.new_event_loop()
        self._ready: list[int | OSError] = []
        started, self._stop = threading.Event(), asyncio.Event()
        self._thread = threading.Thread(target=self._serve, args=(host, port, started), daemon=True, name="page")
        self._thread.start()
        started.wait()
        (outcome,) = self._ready
        if isinstance(outcome, OSError):
            raise UserError(
                f"teleop.host={host} teleop.port={port} cannot be listened on ({outcome.strerror or outcome}): "
                "choose another port, or 0 for a free one"
            )
        self.url = f"http://{host}:{outcome}/?token={self._token}"

    def read(self) -> Command:
        """What the page says now; not connected while no page is open."""
        return self._channel.command()

    def show(self, status: Status, pictures: Mapping[str, Picture]) -> None:
        """Passes pictures on to the page."""
        self._channel.publish(status, pictures)

    def close(self) -> None:
        """Stops serving, once the page has had time to hear how it ended. A second call does nothing."""
        if not self._thread.is_alive():
            return
        if self._channel.attended():
            time.sleep(_FAREWELL)
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _serve(self, host: str, port: int, started: threading.Event) -> None:
        with tempfile.TemporaryDirectory() as videos:
            self._loop.run_until_complete(self._run(host, port, Path(videos), started))
        self._loop.close()

    async def _run(self, host: str, port: int, videos: Path, started: threading.Event) -> None:
        runner = web.AppRunner(
            Server(self._channel, self._store, self._token, videos).app, access_log=None, shutdown_timeout=1
        )
        try:
            await runner.setup()
            await web.TCPSite(runner, host, port).start()
            self._ready.append(runner.addresses[0][1])
        except OSError as error:
            self._ready.append(error)
        started.set()
        if isinstance(self._ready[0], int):
            await self._stop.wait()
        await runner.cleanup()
