"""A small server that answers as the Hugging Face hub does, for what isoglot asks of it."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

_API = re.compile(r"/api/datasets/([^/]+/[^/]+)(?:/revision/([^/]+))?")
_FILE = re.compile(r"/datasets/([^/]+/[^/]+)/resolve/([^/]+)/(.+)")


@dataclass
class Repo:
    """A dataset repository: files by revision and path; `card` are the fields of its README."""

    files: dict[str, bytes]
    card: dict[str, Any] = field(default_factory=dict)
    converted: dict[str, bytes] = field(default_factory=dict)

    def at(self, revision: str | None) -> tuple[str, dict[str, bytes]] | None:
        """(commit, files) of a branch or commit."""
        for name, files in (("main", self.files), ("refs/convert/parquet", self.converted)):
            listing = "".join(f"{path}{hashlib.sha1(data).hexdigest()}" for path, data in sorted(files.items()))
            commit = hashlib.sha1(f"{name}{listing}".encode()).hexdigest()
            if (files and revision in (name, commit)) or (revision is None and name == "main"):
                return commit, files
        return None


@dataclass
class FakeHub:
    """Repositories by name, and the paths of the files that were downloaded."""

    repos: dict[str, Repo] = field(default_factory=dict)
    downloads: list[str] = field(default_factory=list)

    def answer(self, path: str) -> tuple[int, dict[str, str], bytes]:
        path = unquote(urlsplit(path).path, errors="strict") if "/revision/" not in path else urlsplit(path).path
        if match := _API.fullmatch(path):
            known = self.repos.get(match[1])
            there = known.at(unquote(match[2]) if match[2] else None) if known else None
            if known is None or there is None:
                return 404, {"X-Error-Code": "RepoNotFound" if known is None else "RevisionNotFound"}, b""
            siblings = [{"rfilename": name, "size": len(data)} for name, data in there[1].items()]
            body = {"id": match[1], "sha": there[0], "cardData": known.card, "siblings": siblings, "tags": []}
            return 200, {}, json.dumps(body).encode()
        if match := _FILE.fullmatch(path):
            known = self.repos.get(match[1])
            there = known.at(match[2]) if known else None
            if there is None or match[3] not in there[1]:
                return 404, {"X-Error-Code": "EntryNotFound"}, b""
            data = there[1][match[3]]
            digest = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
            return 200, {"ETag": f'"{digest}"', "X-Repo-Commit": there[0]}, data
        return (200, {}, b"") if path == "/" else (404, {}, b"")


@contextmanager
def serve(hub: FakeHub, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the hub's client ask this one, with a cache of its own."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, body = hub.answer(self.path)
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                if match := _FILE.fullmatch(self.path):
                    hub.downloads.append(match[3])
                self.wfile.write(body)

        do_HEAD = do_GET

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_address[1]}")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
