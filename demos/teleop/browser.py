"""The browser as an input device: a web page served by this machine, reached directly or through an SSH tunnel."""

import asyncio
import ipaddress
import logging
import secrets
import socket
import tempfile
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path

from aiohttp import web

from trailkit.demos.command import Command
from trailkit.demos.store import DemoStore
from trailkit.demos.teleop.base import Picture, Status
from trailkit.demos.teleop.channel import Channel
from trailkit.demos.teleop.server import Server
from trailkit.envs.errors import UserError

_log = logging.getLogger(__name__)

_FAREWELL = 0.5  # s, for the last moment to reach the page


# In networks reserved for documentation, not routed anywhere; nothing is sent there.
_ELSEWHERE = {4: (socket.AF_INET, "192.0.2.1"), 6: (socket.AF_INET6, "2001:db8::1")}


class BrowserDevice:
    """Serves the page from its own thread, so that the network never delays a control step."""

    def __init__(self, store: DemoStore, host: str = "127.0.0.1", port: int = 8008, turns: bool = False) -> None:
        """Begins to serve.

        Args:
            store: Whose episodes the page shows, replays and removes.
            host: The address to listen on; only this machine reaches the default.
            port: To listen on; 0 for a free one.
            turns: Whether the hand can be turned, and the page shows how.

        Raises:
            UserError: If it cannot listen on the address.
        """
        self._channel = Channel()
        self._turns = turns
        self._token = secrets.token_urlsafe(16)
        self._store = DemoStore(store.path, store.manifest, store.source)
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        listening: Future[tuple[str, int]] = Future()
        self._thread = threading.Thread(target=self._serve, args=(host, port, listening), daemon=True, name="page")
        self._thread.start()
        try:
            bound, self.port = listening.result()
        except Exception as error:
            reason = (error.strerror if isinstance(error, OSError) else None) or error
            raise UserError(
                f"teleop.host={host} teleop.port={port} cannot be listened on ({reason}): "
                "choose another port, or 0 for a free one, or another host"
            ) from error
        reached = ipaddress.ip_address(bound.partition("%")[0])
        host = _own_address(reached.version) if reached.is_unspecified else host
        self.host = f"[{host}]" if ":" in host else host  # in the form used in a URL
        self.url = f"http://{self.host}:{self.port}/?token={self._token}"
        if not reached.is_loopback:
            _log.warning("others reach the page: its token travels in clear text, for whoever listens in the network")

    def read(self) -> Command:
        """The page's current command; not connected while no page is open."""
        return self._channel.command()

    def show(self, status: Status, pictures: Mapping[str, Picture]) -> None:
        """Passes images on to the page."""
        self._channel.publish(status, pictures)

    def close(self) -> None:
        """Stops serving, after giving the page time to receive the outcome. A second call does nothing."""
        if not self._thread.is_alive():
            return
        if self._channel.attended():
            time.sleep(_FAREWELL)
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _serve(self, host: str, port: int, listening: Future[tuple[str, int]]) -> None:
        """Serves until stopped; `listening` receives address and port, or any error raised before they are known."""
        try:
            with tempfile.TemporaryDirectory() as videos:
                self._loop.run_until_complete(self._run(host, port, Path(videos), listening))
        except Exception as error:
            if listening.done():
                raise
            listening.set_exception(error)
        finally:
            self._loop.close()

    async def _run(self, host: str, port: int, videos: Path, listening: Future[tuple[str, int]]) -> None:
        server = Server(self._channel, self._store, self._token, videos, self._turns)
        runner = web.AppRunner(server.app, access_log=None, shutdown_timeout=1)
        try:
            await runner.setup()
            await web.TCPSite(runner, host, port).start()
            listening.set_result(runner.addresses[0][:2])
            await self._stop.wait()
        finally:
            await runner.cleanup()


def _own_address(version: int) -> str:
    """The address at which others reach this machine: the one it would reach them from, or else its host name."""
    family, elsewhere = _ELSEWHERE[version]
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((elsewhere, 9))
        except OSError:  # there is no network
            return socket.gethostname()
        return str(probe.getsockname()[0])
