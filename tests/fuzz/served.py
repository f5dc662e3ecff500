"""An application of the server on a tiny index, asked in process: by ASGI, without a socket."""

from __future__ import annotations

import atexit
import contextlib
import io
import json
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from anyio.from_thread import BlockingPortal, start_blocking_portal

from isoglot.serving.app import create_app
from isoglot.serving.settings import ServeSettings
from tests.serving.servers import make_index, make_models

URL = "http://localhost"
Header = tuple[bytes, bytes]


@cache
def application() -> Any:
    """The application, with a model of width 32 and an adapter of it; made once."""
    home = tempfile.TemporaryDirectory(prefix="fuzz-index-")
    atexit.register(home.cleanup)
    with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
        index = make_index(Path(home.name), *make_models(Path(home.name)))
        return create_app(ServeSettings(index=str(index), device="cpu", refresh=3600))


async def without_lifespan(scope: Any, receive: Any, send: Any) -> None:
    """The application for clients that would end it after their first test."""
    if scope["type"] != "http":
        raise ValueError("only requests")
    await application()(scope, receive, send)


@cache
def _portal() -> BlockingPortal:
    manager = start_blocking_portal()
    portal = manager.__enter__()
    atexit.register(manager.__exit__, None, None, None)
    return portal


@dataclass(frozen=True)
class Answered:
    status: int
    headers: dict[str, str]
    body: bytes


def ask(
    method: str,
    path: bytes,
    headers: Iterable[Header],
    parts: Iterable[bytes],
    query: bytes = b"",
    *,
    leaves: bool = False,
) -> Answered | None:
    """What the application answers to a request as it is; None where the client left before there was an answer.

    Args:
        parts: of the body, one after the other.
        leaves: the client goes away after them.
    """
    messages = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    messages += [{"type": "http.disconnect"}] if leaves else [{"type": "http.request", "body": b"", "more_body": False}]
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(dict(message))

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path.decode("utf-8", "replace"),
        "raw_path": path,
        "root_path": "",
        "query_string": query,
        "headers": list(headers),
        "client": ("127.0.0.1", 5),
        "server": ("127.0.0.1", 80),
    }
    _portal().call(application(), scope, receive, send)
    if not sent:
        return None
    own = {name.decode("latin-1"): value.decode("latin-1") for name, value in sent[0]["headers"]}
    return Answered(sent[0]["status"], own, b"".join(message.get("body", b"") for message in sent[1:]))


def check_answer(status: int, headers: Any, body: bytes) -> None:
    """No fault, and every refusal in the one form, which tells nothing of the inside."""
    assert status < 500 or status == 503, (status, body)
    assert b"stopping" not in body
    assert headers["x-content-type-options"] == "nosniff"
    if status >= 400:
        assert headers["content-type"] == "application/json"
        error = json.loads(body.decode("ascii"))["error"]
        assert {"type", "message"} <= set(error) <= {"type", "message", "param"}
        assert error["message"]
        assert "\n" not in error["message"], error
        assert not any(inside in error["message"] for inside in ("Traceback", "/tmp", "site-packages", "0x7f")), error
        assert len(body) < 10_000, error
    if status in (429, 503):
        assert int(headers["retry-after"]) >= 1
