"""Run a server until it is told to stop: then it takes no more, finishes what it has begun, and ends."""

from __future__ import annotations

import os
import socket
import time
from types import FrameType
from typing import Any

import uvicorn
from fastapi import FastAPI

from isoglot.errors import InputError, first_line
from isoglot.serving.app import create_app
from isoglot.serving.settings import ServeSettings

_INTERRUPTED = 130
_AFTER = 5
"""Seconds that requests have to end after their time is over, and connections after the last request."""


def serve(settings: ServeSettings) -> None:
    """Serve until SIGINT or SIGTERM, a second of which ends it at once.

    One line with the address is printed when requests are answered.

    Raises:
        InputError: the address is taken, the index or a model cannot be used.
    """
    with bound(settings) as listening:  # before models are loaded: the likelier mistake, and found at once
        app = create_app(settings)
        host, port = listening.getsockname()[:2]
        address = f"http://{f'[{host}]' if ':' in host else host}:{port}/"
        documents, models = app.state.served.info["documents"], ", ".join(app.state.served.residents)
        ready = f"{address} serves {settings.index}: {documents:,} documents, models: {models}"
        Server(app, settings, ready).run(sockets=[listening])


class Server(uvicorn.Server):
    """Answers while it stops: work that has begun goes on, /healthz says 503, new work is refused.

    Args:
        app: of `create_app`.
        settings: the same.
        ready: is printed when requests are answered.
    """

    def __init__(self, app: FastAPI, settings: ServeSettings, ready: str) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                ws="none",
                timeout_graceful_shutdown=_AFTER,
            )
        )
        self._state, self._ready = app.state.activity, ready
        self._timeout, self._stopped = settings.limits.timeout, 0.0
        self._silent: dict[Any, tuple[Any, float]] = {}

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        print(self._ready, flush=True)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self._state.stopping:
            os._exit(_INTERRUPTED)
        self._state.stopping, self._stopped = True, time.monotonic()

    async def on_tick(self, counter: int) -> bool:
        ends = await super().on_tick(counter)
        self._close_silent()
        if not self._state.stopping:
            return ends
        return ends or not self._state.working or time.monotonic() - self._stopped > self._timeout + _AFTER

    def _close_silent(self) -> None:
        """Close connections over which nothing whole has come for as long as a request may take: a head that trickles, say."""
        now, silent = time.monotonic(), dict[Any, tuple[Any, float]]()
        connections: list[Any] = [*self.server_state.connections]  # of HTTP/1.1, as there are no others here
        for connection in connections:
            last = connection.cycle  # the request that it had last
            if last is None or last.response_complete:
                before, since = self._silent.get(connection, (last, now))
                silent[connection] = (last, since if before is last else now)
                if now - silent[connection][1] > self._timeout:
                    connection.transport.close()
        self._silent = silent


def bound(settings: ServeSettings) -> socket.socket:
    """A socket that has the address, and does not listen yet. InputError: it cannot have it."""
    try:
        found = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        own = socket.socket(family, kind, protocol)
        try:
            own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            own.bind(address)
        except BaseException:
            own.close()
            raise
    except (OSError, UnicodeError) as error:  # the latter of an empty or overlong part of a name
        place, why = f"{settings.host}, port {settings.port}", getattr(error, "strerror", None) or first_line(error)
        raise InputError(f"cannot listen on {place}: {why}; give another --host or --port") from None
    return own
