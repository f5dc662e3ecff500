"""A hub on the loopback: the routes by which huggingface_hub makes a repository and commits files to it."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "hf_of_a_test"


class Hub:
    """What it was sent: repositories with their visibility, files by path, large ones by digest, messages of commits."""

    def __init__(self) -> None:
        self.repos: dict[str, bool] = {}
        self.files: dict[str, bytes] = {}
        self.large: dict[str, bytes] = {}
        self.messages: list[str] = []
        self.url = ""

    def answer(self, method: str, path: str, body: bytes, token: str) -> tuple[int, Any]:
        """(status, JSON) of a request."""
        if method == "HEAD":
            return 200, {}
        if method == "PUT":  # the address itself is the permission, as with storage in a cloud
            self.large[path.rpartition("/")[2]] = body
            return 200, {}
        if token != f"Bearer {TOKEN}":
            return 401, {"error": "Invalid username or password."}
        if path == "/api/repos/create":
            asked = json.loads(body)
            name = f"{asked['organization'] or 'me'}/{asked['name']}"
            if name.startswith("others/"):
                return 403, {"error": "You don't have the rights to create a model under this namespace"}
            status = 409 if name in self.repos else 200
            self.repos.setdefault(name, asked.get("visibility") == "private" or bool(asked.get("private")))
            return status, {"url": f"{self.url}/{name}", "name": name}
        if path == "/api/validate-yaml":
            return 200, {"errors": [], "warnings": []}
        if "/preupload/" in path:
            sizes = {file["path"]: file["size"] for file in json.loads(body)["files"]}
            modes = {name: "lfs" if name.endswith((".safetensors", ".onnx")) else "regular" for name in sizes}
            files = [{"path": name, "uploadMode": mode, "shouldIgnore": False} for name, mode in modes.items()]
            return 200, {"files": files}
        if path.endswith("/objects/batch"):
            objects = json.loads(body)["objects"]
            upload = {o["oid"]: {"upload": {"href": f"{self.url}/storage/{o['oid']}"}} for o in objects}
            return 200, {"transfer": "basic", "objects": [{**o, "actions": upload[o["oid"]]} for o in objects]}
        if "/commit/" in path:
            self._commit([json.loads(line) for line in body.splitlines()])
            return 200, {"commitUrl": f"{self.url}/me/model/commit/abc", "commitOid": "abc", "pullRequestUrl": None}
        name = path.removeprefix("/api/models/").partition("/revision/")[0]
        if name in self.repos:
            return 200, {"id": name, "private": self.repos[name], "sha": "0" * 40, "siblings": []}
        return 404, {"error": f"no route for {method} {path}"}

    def _commit(self, lines: list[dict[str, Any]]) -> None:
        for line in lines:
            value = line["value"]
            if line["key"] == "header":
                self.messages.append(value["summary"])
            elif line["key"] == "file":
                self.files[value["path"]] = base64.b64decode(value["content"])
            else:
                content = self.large[value["oid"]]
                assert hashlib.sha256(content).hexdigest() == value["oid"]
                self.files[value["path"]] = content


@contextmanager
def running() -> Iterator[Hub]:
    """A hub that answers while the block runs."""
    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path, token = self.path.partition("?")[0], self.headers.get("Authorization", "")
            status, value = hub.answer(self.command, path, body, token)
            content = b"" if self.command == "HEAD" else json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_HEAD = do_POST = do_PUT = _answer

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
