"""The search page: the files of `page/`, by their names, and index.html at the root."""

from __future__ import annotations

from importlib.resources import files

from fastapi import FastAPI
from fastapi.responses import Response

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}


def page_files() -> dict[str, tuple[bytes, str]]:
    """Path -> content and type."""
    folder = files("isoglot.serving") / "page"
    found = {}
    for file in folder.iterdir() if folder.is_dir() else ():
        kind = _TYPES.get("." + file.name.rpartition(".")[2])
        if kind and file.is_file():
            path = "/" if file.name == "index.html" else f"/{file.name}"
            found[path] = (file.read_bytes(), kind)
    return found


def add_page(app: FastAPI, found: dict[str, tuple[bytes, str]]) -> None:
    """Add the files of `page_files`."""
    for path, (content, kind) in found.items():
        app.add_api_route(path, _sender(content, kind), methods=["GET", "HEAD"], include_in_schema=False)


def _sender(content: bytes, kind: str):  # type: ignore[no-untyped-def]
    async def send() -> Response:
        return Response(content, headers={"Content-Type": kind, "Cache-Control": "no-cache"})

    return send
