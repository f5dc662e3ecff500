"""A tiny index, and servers of it in a thread of the tests' own process."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from isoglot.retrieval.collection.build import index
from isoglot.serving.app import create_app
from isoglot.serving.batcher import Encoded, Key
from isoglot.serving.run import Server, bound
from isoglot.serving.served import Served
from isoglot.serving.settings import Limits, ServeSettings
from tests.models.zoo import KINDS
from tests.training.tiny import pair_rows

SEARCH, EMBED = "/search", "/v1/embeddings"


def write_corpus(path: Path, n: int = 24) -> Path:
    """n documents in each of three languages, of two sentences; those with one number are translations."""
    rows = [
        {
            "id": f"{row.lang}-{row.id}",
            "lang": row.lang,
            "title": f"Title {row.id}",
            "text": f"{row.passage.capitalize()}. {row.query.capitalize()}.",
            "source": "ab"[int(row.id) % 2],
            "year": 2000 + int(row.id),
            "translation": f"t{row.id}",
        }
        for row in pair_rows(n)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def make_models(folder: Path) -> tuple[Path, Path]:
    """A model, and an adapter of it."""
    adapter = KINDS["adapter-inside"](folder / "repaired")
    return adapter.with_name("repaired-base"), adapter


def make_index(folder: Path, base: Path, repaired: Path) -> Path:
    """An index with two models and 72 documents in three languages."""
    corpus = write_corpus(folder / "docs.jsonl")
    index(str(base), str(corpus), folder / "index", name="base", progress=False)
    index(str(repaired), None, folder / "index", name="repaired", progress=False)
    return folder / "index"


@dataclass
class Running:
    """A server that answers.

    Attributes:
        http: a client of it.
        served: what is behind it.
        url: its address.
    """

    http: httpx.Client
    served: Served
    url: str
    app: Any
    server: Server

    def post(self, path: str, **body: Any) -> httpx.Response:
        return self.http.post(path, json=body)

    def search(self, query: str, **more: Any) -> dict[str, Any]:
        """The only result of a search that succeeds."""
        response = self.post(SEARCH, query=query, **more)
        assert response.status_code == 200, response.text
        (result,) = response.json()["results"]
        return result

    def error(self, response: httpx.Response, status: int) -> dict[str, Any]:
        """The error of a refusal, which has the one form and tells nothing of the inside."""
        assert response.status_code == status, response.text
        assert response.headers["content-type"] == "application/json"
        assert set(response.json()) == {"error"}
        error: dict[str, Any] = response.json()["error"]
        assert {"type", "message"} <= set(error) <= {"type", "message", "param"}
        assert "Traceback" not in response.text
        assert "/tmp" not in response.text
        return error

    def metric(self, name: str) -> float:
        """The sum of a figure over its labels."""
        lines = self.http.get("/metrics").text.splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.split("{")[0].split(" ")[0] == name)


@contextmanager
def running(index: Path, *, limits: dict[str, Any] | None = None, **settings: Any) -> Iterator[Running]:
    """A server on any port; a client of it sends the token where there is one."""
    asked = ServeSettings(index=str(index), port=0, device="cpu", limits=Limits(**(limits or {})), **settings)
    with bound(asked) as listening:
        app = create_app(asked)
        server = Server(app, asked, "ready")
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        wait_for(lambda: server.started)
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        headers = {"Authorization": f"Bearer {asked.token}"} if asked.token else {}
        try:
            with httpx.Client(base_url=url, headers=headers, timeout=60, trust_env=False) as http:
                yield Running(http, app.state.served, url, app, server)
        finally:
            if not app.state.activity.stopping:
                server.handle_exit(signal.SIGTERM, None)
            thread.join(30)
            assert not thread.is_alive()


class Held:
    """Holds every pass of a server back until it is let go.

    Attributes:
        passes: texts of the passes that were begun.
    """

    def __init__(self, served: Served) -> None:
        self.passes: list[list[str]] = []
        self._go = threading.Event()
        encode: Callable[..., Encoded] = served.residents.encode

        def held(key: Key, texts: list[str], counted: bool, batch_tokens: int) -> Encoded:
            self.passes.append(texts)
            assert self._go.wait(60)
            return encode(key, texts, counted, batch_tokens)

        served.residents.encode = held  # type: ignore[method-assign]

    def let_go(self) -> None:
        self._go.set()


def wait_for(condition: Callable[[], Any], seconds: float = 60) -> None:
    """Wait until something holds."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not come to pass"
        time.sleep(0.01)
