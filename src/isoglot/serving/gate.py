"""What every request passes first: host, token, room, size and speed of its body; and what is told of it: log, metrics."""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import anyio
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from isoglot.serving.logs import log
from isoglot.serving.metrics import Metrics
from isoglot.serving.refusals import Kind, Refusal
from isoglot.serving.settings import ServeSettings, is_loopback

_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_GONE = 499  # in log and metrics, as nginx has it: the client did not wait
_DRAINED, _DRAIN_SECONDS = 16, 5.0
"""How much, in largest bodies, and how long a body is read and thrown away, so that a client that still sends can read why."""


class ClientGone(Exception):
    """The client has closed the connection: there is nobody to answer."""


@dataclass
class State:
    """What a server is doing.

    Attributes:
        stopping: no new work is taken.
        requests: that are not answered yet.
        working: those of them that need a model.
    """

    stopping: bool = False
    requests: int = 0
    working: int = 0


@dataclass
class Trace:
    """What is told of a request.

    Attributes:
        status: of the answer; 0 before there is one.
        refused: why it was.
        values: further fields of its line in the log.
    """

    id: str
    started: float = field(default_factory=time.monotonic)
    status: int = 0
    refused: Kind | None = None
    values: dict[str, Any] = field(default_factory=dict)


class Gate:
    """Stands before all routes.

    Args:
        app: what is behind it.
        settings: of the server.
        metrics: where requests are counted.
        state: where requests that are worked on are counted.
        wait: in how many seconds there may be room again.
        free: paths that need no token, as nothing there tells what is in the index.
    """

    def __init__(
        self,
        app: ASGIApp,
        settings: ServeSettings,
        metrics: Metrics,
        state: State,
        wait: Callable[[], float],
        free: frozenset[str],
    ) -> None:
        self._app, self._settings, self._limits, self._metrics = app, settings, settings.limits, metrics
        self._state, self._wait, self._free = state, wait, free
        self._token = _digest(settings.token) if settings.token is not None else None
        self._is_local = all(map(is_loopback, (settings.host, *settings.hosts)))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        if scope["type"] != "http":  # nothing here speaks anything else; the server closes it
            return
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        trace = scope.setdefault("state", {})["trace"] = Trace(given if _ID.fullmatch(given) else uuid.uuid4().hex)

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                trace.status = message["status"]
                own = MutableHeaders(scope=message)
                own["X-Request-ID"] = trace.id
                for name, value in _HEADERS.items():
                    own[name] = value
                if self._state.stopping:  # or the next request would come over a connection that is about to be closed
                    own["Connection"] = "close"
            await send(message)

        self._state.requests += 1
        try:
            await self._pass(scope, headers, receive, told, trace)
        except ClientGone:
            trace.status = _GONE
            self._metrics.gone.inc()
        finally:
            self._state.requests -= 1
            self._tell(scope, trace)

    async def _pass(self, scope: Scope, headers: Headers, receive: Receive, send: Send, trace: Trace) -> None:
        works = scope["method"] == "POST"
        try:
            self._check(scope["path"], headers, works)
        except Refusal as refusal:
            await self._refuse(refusal, scope, headers, receive, send)
            return
        self._state.working += works
        try:
            try:
                body = await self._read(headers, receive) if works else receive
            except Refusal as refusal:
                await self._refuse(refusal, scope, headers, receive, send)
                return
            await self._answer(scope, body, send, trace)
        finally:
            self._state.working -= works

    async def _answer(self, scope: Scope, receive: Receive, send: Send, trace: Trace) -> None:
        try:
            await self._app(scope, receive, send)
        except (ClientGone, anyio.get_cancelled_exc_class()):
            raise
        except Refusal as refusal:
            trace.refused = refusal.kind
            await refusal.response()(scope, receive, send)
        except Exception as error:
            log("fault", {"id": trace.id}, logging.ERROR, error)
            if trace.status:  # the answer has begun; nothing but its end tells that it is not whole
                raise
            trace.refused = "internal"
            fault = Refusal("internal", f"a fault of the server, which its log tells under {trace.id}")
            await fault.response()(scope, receive, send)

    async def _refuse(self, refusal: Refusal, scope: Scope, headers: Headers, receive: Receive, send: Send) -> None:
        """Refuse a request whose body has not been read."""
        scope["state"]["trace"].refused = refusal.kind
        if (
            refusal.kind != "too_slow"
            and "expect" not in headers
            and (headers.get("content-length", "0") != "0" or "transfer-encoding" in headers)
        ):
            left, is_last = _DRAINED * self._limits.body_bytes, False
            with anyio.move_on_after(_DRAIN_SECONDS):
                while left > 0 and not is_last:
                    part, is_last = await _part(receive)
                    left -= len(part)
        await refusal.response()(scope, receive, send)

    def _check(self, path: str, headers: Headers, works: bool) -> None:
        """Refusal for a request that is not looked at any further."""
        if self._is_local and not self._is_for_us(headers.get("host", "")):
            raise Refusal("wrong_host", "this server does not go by the name of the Host header (see --hosts)")
        if self._token is not None and path not in self._free:
            scheme, _, token = headers.get("authorization", "").partition(" ")
            if scheme.lower() != "bearer" or not hmac.compare_digest(_digest(token.strip()), self._token):
                more = {"WWW-Authenticate": "Bearer"}
                raise Refusal("unauthorized", "send the token: Authorization: Bearer TOKEN", headers=more)
        if works and self._state.stopping:
            raise Refusal("stopping", "the server is stopping", wait=5)
        if works and self._state.working >= self._limits.requests:
            raise Refusal("busy", f"{self._limits.requests} requests are being worked on", wait=self._wait())

    def _is_for_us(self, host: str) -> bool:
        """Whether a page of another site cannot have sent this by a name of its own that leads here (DNS rebinding)."""
        name = re.sub(r":[0-9]*$", "", host).removeprefix("[").removesuffix("]").lower()
        return is_loopback(name) or name in {own.lower() for own in (self._settings.host, *self._settings.hosts)}

    async def _read(self, headers: Headers, receive: Receive) -> Receive:
        """What gives the body, which has come as a whole, and then what the client does. Refusal: too large, too slow."""
        most, stated = self._limits.body_bytes, headers.get("content-length", "")
        too_large = Refusal("too_large", f"the body has more than {most:,} bytes")
        if stated.isdecimal() and (len(stated) > 18 or int(stated) > most):
            raise too_large
        parts, size = [], 0
        try:
            with anyio.fail_after(self._limits.timeout):
                while True:
                    part, is_last = await _part(receive)
                    size += len(part)
                    if size > most:
                        raise too_large
                    parts.append(part)
                    if is_last:
                        break
        except TimeoutError:
            raise Refusal("too_slow", f"the body did not come within {self._limits.timeout:g} s") from None
        body: list[Message] = [{"type": "http.request", "body": b"".join(parts), "more_body": False}]

        async def replayed() -> Message:
            return body.pop() if body else await receive()

        return replayed

    def _tell(self, scope: Scope, trace: Trace) -> None:
        seconds = time.monotonic() - trace.started
        route = getattr(scope.get("route"), "path", "other")  # not the path itself: there is no end of paths
        self._metrics.requests.labels(route, str(trace.status)).inc()
        self._metrics.latency.labels(route).observe(seconds)
        if trace.refused:
            self._metrics.refusals.labels(trace.refused).inc()
        values = {"id": trace.id, "method": scope["method"], "route": route, "status": trace.status}
        values |= {"ms": round(1000 * seconds, 2), **({"refused": trace.refused} if trace.refused else {})}
        log("request", values | trace.values)


async def _part(receive: Receive) -> tuple[bytes, bool]:
    """The next bytes of a body, and whether they are the last."""
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientGone
    return message.get("body", b""), not message.get("more_body", False)


def _digest(token: str) -> bytes:
    """Of equal length for all tokens, so that comparing them does not tell their length."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
