"""Requests that nobody should send, each kind with what may come back; and one exchange of bytes with a server."""

from __future__ import annotations

import asyncio
import json
import random
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

NOTHING = 0
"""Instead of a status: the connection ended without an answer."""
UNSENT = -1
"""Instead of a status: no connection was to be had."""
SHED = (429, 503)
SEARCH, EMBED = "/search", "/v1/embeddings"
_GONE = (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError)


@dataclass(frozen=True)
class Target:
    """A server, and its limits as far as they are to be broken.

    Attributes:
        timeout: seconds in which a body has to come.
        own: gives the values by which requests of one kind differ.
    """

    port: int
    token: str
    body_bytes: int
    timeout: float
    own: random.Random = field(default_factory=random.Random)

    def request(self, body: Any = b"", path: str = SEARCH, method: str = "POST", **more: str) -> bytes:
        """The bytes of a request; `more` are headers, "" for none of that name."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Host": "127.0.0.1", "Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        headers |= {"Content-Length": str(len(data))} | {name.replace("_", "-"): value for name, value in more.items()}
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items() if value)]
        return "\r\n".join(lines).encode("utf-8", "surrogateescape") + b"\r\n\r\n" + data


@dataclass(frozen=True)
class Reply:
    """What came back.

    Attributes:
        headers: names in lower case.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def problem(self) -> str | None:
        """What no answer may be: a fault, one that sheds and says not when to come again, a refusal in another form."""
        if self.status >= 500 and self.status not in SHED:
            return f"status {self.status}"
        if self.status in SHED and not 1 <= int(self.headers.get("retry-after", "0")) <= 600:
            return f"status {self.status} without Retry-After"
        if self.status >= 400 and self.headers.get("content-type") == "application/json":
            error = json.loads(self.body)["error"]
            if not {"type", "message"} <= set(error) <= {"type", "message", "param"} or "Traceback" in str(error):
                return f"status {self.status}: {error}"
        return None


async def read(reader: asyncio.StreamReader) -> Reply:
    """The next answer on a connection."""
    try:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        length = headers.get("content-length")
        body = await (reader.read() if length is None else reader.readexactly(int(length)))
        return Reply(int(lines[0].split(" ")[1]), headers, body)
    except _GONE:
        return Reply(NOTHING)


async def connect(target: Target) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection of one's own."""
    return await asyncio.open_connection("127.0.0.1", target.port)


async def exchange(target: Target, *parts: bytes, pause: float = 0, answers: int = 1) -> list[Reply]:
    """Send bytes part by part over a connection of their own, and read answers; a server may answer before it has all."""
    try:
        reader, writer = await connect(target)
    except OSError:
        return [Reply(UNSENT)]
    # read meanwhile: a reset that follows an answer, as the server takes no more, would take it away from who reads later
    reading = asyncio.create_task(_several_read(reader, answers))
    try:
        for number, part in enumerate(parts):
            if number and pause:
                await asyncio.sleep(pause)
            writer.write(part)
            with suppress(OSError):  # it has answered and closed
                await writer.drain()
        return await reading
    finally:
        reading.cancel()
        writer.close()


async def _several_read(reader: asyncio.StreamReader, answers: int) -> list[Reply]:
    return [await read(reader) for _ in range(answers)]


Send = Callable[[Target], Awaitable[list[Reply]]]


@dataclass(frozen=True)
class Kind:
    """One way to be wrong.

    Attributes:
        may: statuses that are right, besides 429 and 503 with Retry-After.
        slow: holds out until the server's patience ends.
    """

    send: Send
    may: tuple[int, ...]
    slow: bool = False


def _one(*may: int, **more: Any) -> Callable[[Callable[[Target], bytes]], Kind]:
    """A kind that is a request and its answer."""

    def made(request: Callable[[Target], bytes]) -> Kind:
        async def send(target: Target) -> list[Reply]:
            return await exchange(target, request(target), **more)

        return Kind(send, may)

    return made


def _body(body: Any, *may: int, path: str = SEARCH) -> Kind:
    return _one(*may)(lambda target: target.request(body, path))


def _head(
    *may: int, method: str = "GET", path: str = SEARCH, body: bytes = b"", slow: bool = False, **more: str
) -> Kind:
    made = _one(*may)(lambda target: target.request(body, path, method, **more))
    return Kind(made.send, may, slow)


async def _chunked(target: Target) -> list[Reply]:
    """Longer than it may be, and it does not say so beforehand."""
    head = target.request(Content_Length="", Transfer_Encoding="chunked")
    chunks = [b"4000\r\n" + bytes(0x4000) + b"\r\n"] * (target.body_bytes // 0x4000 + 2)
    return await exchange(target, head, *chunks, b"0\r\n\r\n")


async def _trickled(target: Target) -> list[Reply]:
    """A body that would take twice the time that it has."""
    data = target.request({"query": "de1"})
    head, _, body = data.partition(b"\r\n\r\n")
    return await exchange(
        target, head + b"\r\n\r\n", *(bytes([byte]) for byte in body), pause=2 * target.timeout / len(body)
    )


async def _trickled_head(target: Target) -> list[Reply]:
    """A head that never ends."""
    return await exchange(target, b"POST /search HTTP/1.1\r\n", *[b"X: y\r\n"] * 12, pause=target.timeout / 4)


async def _left(target: Target, data: bytes, wait: float) -> list[Reply]:
    """Send something and close the connection hard."""
    try:
        _, writer = await connect(target)
    except OSError:
        return [Reply(UNSENT)]
    writer.write(data)
    with suppress(OSError):
        await writer.drain()
    await asyncio.sleep(wait)
    own = writer.get_extra_info("socket")
    with suppress(OSError):  # a reset, not a farewell
        own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.close()
    return [Reply(NOTHING)]


async def _left_in_request(target: Target) -> list[Reply]:
    return await _left(target, target.request({"query": "de1 " * 50})[:-20], target.own.random() * 0.02)


async def _left_in_answer(target: Target) -> list[Reply]:
    request = target.request({"input": ["de1 de2"] * 32}, EMBED)
    return await _left(target, request, target.own.random() * 0.02)


async def _unread(target: Target) -> list[Reply]:
    """Ask for much again and again, and read nothing of it."""
    return await _left(target, target.request({"input": ["de1 de2"] * 32}, EMBED) * 4, 0.2)


def _several(*bodies: bytes) -> Kind:
    """Two right requests at once, and then something else."""

    async def send(target: Target) -> list[Reply]:
        asked = target.request({"query": "de1", "sentences": False})
        return await exchange(target, asked + asked + b"".join(bodies), answers=2 + bool(bodies))

    return Kind(send, (200, 400, NOTHING))


# of heads a server need not take more than 64 KB, but may where all of it has come at once
_DEEP = b"[" * 20_000
_QUERY: dict[str, Any] = {"query": "de1"}
KINDS: dict[str, Kind] = {
    "too long a body": _one(413)(lambda target: target.request(bytes(target.body_bytes + 1))),
    "too long a body, unannounced": Kind(_chunked, (413,)),
    "a length of 19 digits": _head(413, slow=True, method="POST", Content_Length="9" * 19),
    "a length that is none": _head(400, method="POST", Content_Length="-1"),
    "two lengths": _head(400, method="POST", Content_Length="3\r\nContent-Length: 4", body=b"abcd"),
    "a length and chunks": _head(400, 413, method="POST", Transfer_Encoding="chunked", body=b"5\r\nabcde\r\n0\r\n\r\n"),
    "no JSON": _body(b'{"query": "de1"', 400),
    "nested deeply": _body(b'{"where": ' + _DEEP, 400),
    "nested deeply, an unknown field": _body(b'{"x": ' + _DEEP + b"]" * len(_DEEP) + b"}", 400),
    "not UTF-8": _body(b'{"query": "\xff\xfe\x80"}', 400),
    "half a surrogate pair": _body(b'{"query": "\\ud800"}', 400),
    "NaN": _body(b'{"query": "de1", "fairness": "standardised", "strength": NaN}', 422),
    "an infinite number": _body(b'{"query": "de1", "k": 1e999}', 422),
    "a huge k": _body({**_QUERY, "k": 10**30}, 422),
    "a number of 4,000 digits": _body(b'{"query": "de1", "k": 1' + b"0" * 4000 + b"}", 400, 422),
    "other languages": _body({**_QUERY, "languages": ["qq", "../de", ""]}, 422),
    "a language of another type": _body({**_QUERY, "query_language": {"de": 1}}, 422),
    "filters of odd types": _body({**_QUERY, "where": {"year": {"$gt": 1}, "source": [[1]], "x": None}}, 422),
    "filters of nothing that is there": _body({**_QUERY, "where": {"'; DROP TABLE x": ["a", 1, 0.5, True]}}, 200),
    "1,000 filters": _body({**_QUERY, "where": {str(n): n for n in range(1000)}}, 422),
    "3,000 unknown fields": _body({**_QUERY, **{f"x{n}": n for n in range(3000)}}, 422),
    "blank": _body({"query": " \n\u3000"}, 422),
    "NUL": _body({"query": "de1\0"}, 422),
    "a text of 30,000 characters": _body({"query": "de1 " * 7500}, 422),
    "1,000 queries": _body({"queries": ["de1"] * 1000}, 422),
    "token ids": _body({"input": [[1, 2], [3]]}, 422, path=EMBED),
    "another model": _body({**_QUERY, "model": "../../etc/passwd"}, 404),
    "a list instead of an object": _body([_QUERY], 422),
    "another type": _head(415, method="POST", Content_Type="text/plain", body=b'{"query": "de1"}'),
    "GET where POST belongs": _head(405),
    "a method of one's own": _head(405, method="BREW", path="/healthz"),
    "PUT": _head(405, method="PUT", body=b"x"),
    "an unknown path": _head(404, path="/admin.php?x=%00"),
    "a path that climbs": _head(404, path="/../../%2e%2e/etc/passwd"),
    "no token": _head(401, method="POST", Authorization="", body=b'{"query": "de1"}'),
    "a wrong token": _head(401, path="/info", Authorization="Bearer \udcff\udcfe wrong"),
    "a wrong host": _head(400, path="/info", Host="evil.example"),
    "huge headers": _head(200, 400, NOTHING, path="/info", X_Much="x" * 100_000),
    "10,000 headers": _head(200, 400, NOTHING, path="/info", X="y\r\nX: y" * 10_000),
    "a line break in a header": _head(200, 400, path="/info", X_Request_ID="a\rb"),
    "HTTP/2": _one(400, NOTHING)(lambda _: b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "TLS": _one(400, NOTHING)(lambda _: b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(400)),
    "an upgrade": _head(101, 200, path="/info", Connection="Upgrade", Upgrade="websocket"),
    "two at once": _several(),
    "two at once, then junk": _several(b"\x00\xff junk\r\n\r\n"),
    "a body that trickles": Kind(_trickled, (408, NOTHING), slow=True),
    "a head that trickles": Kind(_trickled_head, (NOTHING,), slow=True),
    "left in the request": Kind(_left_in_request, (NOTHING,)),
    "left in the answer": Kind(_left_in_answer, (NOTHING,)),
    "answers that are not read": Kind(_unread, (NOTHING,)),
}


def wrong(kind: Kind, reply: Reply) -> str | None:
    """What is wrong with an answer to a hostile request; None: nothing."""
    if reply.problem:
        return reply.problem
    is_right = reply.status in kind.may or reply.status in SHED
    return None if is_right else f"status {reply.status}: {reply.body[:200]!r}"
