"""A small server in the place of `isoglot serve`: canned answers in twelve languages, for the page's tests and for work on it.

`python -m tests.serving.page.stand_in` serves it on port 8765.
"""

from __future__ import annotations

import json
import threading
import time
import zlib
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

PAGE = files("isoglot.serving") / "page"
POLICY = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
KINDS = {"html": "text/html", "js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
CORPUS = yaml.safe_load((Path(__file__).parent / "corpus.yaml").read_text(encoding="utf-8"))
PREFERENCE = {"base": 0.24, "repaired": 0.02}
"""What a model adds to a document in the question's language. A topic's documents have .2 more than others."""


@dataclass
class StandIn:
    """What it answers from, and what it was asked."""

    documents: list[dict[str, Any]] = field(default_factory=lambda: documents(CORPUS))
    info: dict[str, Any] = field(default_factory=lambda: information(CORPUS))
    token: str | None = None
    scripted: list[tuple[int, dict[str, str], dict[str, Any]]] = field(default_factory=list)
    """Status, headers and body of the next answers of /search, before it answers as ever."""
    delays: list[float] = field(default_factory=list)
    """Seconds that the next answers of /search wait."""
    asked: list[dict[str, Any]] = field(default_factory=list)
    url: str = ""

    def search(self, body: dict[str, Any]) -> dict[str, Any]:
        fairness, strength = body.get("fairness", "raw"), body.get("strength")
        topic, own = topic_of(body["query"])
        hits = [] if topic is None else self.ranked(topic, own, body)
        why = None if hits else "No document of the chosen languages is near this question."
        result = {"query": body["query"], "query_language": own, "hits": hits, "why": why}
        result["languages"] = dict(Counter(hit["lang"] for hit in hits).most_common())
        return {
            "model": body["model"],
            "fairness": fairness,
            "strength": strength,
            "results": [result],
            "took_ms": 12.3,
        }

    def ranked(self, topic: str, own: str | None, body: dict[str, Any]) -> list[dict[str, Any]]:
        languages, where = body.get("languages"), body.get("where", {})
        kept = [doc for doc in self.documents if not languages or doc["lang"] in languages]
        kept = [doc for doc in kept if all(doc["metadata"].get(key) == value for key, value in where.items())]
        preference = PREFERENCE.get(body["model"], 0.1) * (1 - (body.get("strength") or 0))
        scores = {
            doc["id"]: 0.55
            + 0.2 * (doc["topic"] == topic)
            + preference * (doc["lang"] == own)
            + noise(doc["id"] + body["model"])
            for doc in kept
        }
        kept.sort(key=lambda doc: -scores[doc["id"]])
        if body.get("fairness") in ("round-robin", "quota"):
            seen: Counter[str] = Counter()
            turns = [(seen.update([doc["lang"]]) or seen[doc["lang"]], place) for place, doc in enumerate(kept)]
            kept = [kept[place] for _, place in sorted(turns)]
        names = ("id", "lang", "title", "url", "text", "sentence", "metadata")
        return [
            {"rank": rank, "score": scores[doc["id"]], **{name: doc[name] for name in names}}
            for rank, doc in enumerate(kept[: body.get("k", 10)], 1)
        ]


def noise(name: str) -> float:
    return zlib.crc32(name.encode()) % 1000 / 40_000


def topic_of(query: str) -> tuple[str | None, str | None]:
    """The topic and the language of a known question; a topic's name is a question in an unknown language."""
    for topic, asked in CORPUS["questions"].items():
        for lang, question in asked.items():
            if question == query:
                return topic, lang
    return (query, None) if query in {*CORPUS["questions"], "hostile"} else (None, None)


def documents(corpus: dict[str, Any]) -> list[dict[str, Any]]:
    made = []
    for row in corpus["documents"]:
        space = "" if row["lang"] in ("zh", "ja", "th") or row["text"][0].endswith(" ") else " "
        before = space.join(row["text"][: row["answer"]]) + (space if row["answer"] else "")
        sentence = row["text"][row["answer"]]
        made.append(
            {
                "id": f"{row['topic']}-{row['lang']}",
                "topic": row["topic"],
                "lang": row["lang"],
                "title": row["title"],
                "url": f"https://{row['lang']}.example.org/wiki/{row['topic']}" if row["topic"] != "bees" else None,
                "text": space.join(row["text"]),
                "sentence": [len(before), len(before) + len(sentence)],
                "metadata": {"source": "handbook" if row["topic"] == "bread" else "encyclopedia"},
            }
        )
    return made


def information(corpus: dict[str, Any]) -> dict[str, Any]:
    total = sum(corpus["languages"].values())
    return {
        "title": corpus["title"],
        "documents": total,
        "chunks": 3 * total,
        "languages": corpus["languages"],
        "models": [
            {"name": "base", "source": "offline:multilingual-e5-small", "width": 384},
            {"name": "repaired", "source": "runs/repaired", "width": 384},
        ],
        "default_model": "base",
        "fairness": ["raw", "standardised", "round-robin", "quota"],
        "fields": {"source": ["encyclopedia", "handbook"]},
        "examples": [question for asked in corpus["questions"].values() for question in list(asked.values())[:2]],
        "generation": 1,
        "limits": {"k": 100, "queries": 64, "characters": 10_000},
    }


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    stand_in: StandIn

    def do_GET(self) -> None:
        name = self.path.split("?")[0].strip("/") or "index.html"
        if name == "info":
            return self.reply(*self.refused() or (200, {}, self.stand_in.info))
        try:
            data = (PAGE / name).read_bytes()
        except OSError:
            return self.reply(404, {}, {"error": {"type": "not_found", "message": f"no {name} here"}})
        return self.send(200, {"Content-Type": f"{KINDS[name.split('.')[-1]]}; charset=utf-8"}, data)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.stand_in.asked.append(body)
        if self.stand_in.delays:
            time.sleep(self.stand_in.delays.pop(0))
        scripted = self.stand_in.scripted.pop(0) if self.stand_in.scripted else None
        self.reply(*self.refused() or scripted or (200, {}, self.stand_in.search(body)))

    def refused(self) -> tuple[int, dict[str, str], dict[str, Any]] | None:
        token = self.stand_in.token
        if token is None or self.headers.get("Authorization") == f"Bearer {token}":
            return None
        return 401, {"WWW-Authenticate": "Bearer"}, {"error": {"type": "token", "message": "a token is needed"}}

    def reply(self, status: int, headers: dict[str, str], body: dict[str, Any]) -> None:
        self.send(status, {"Content-Type": "application/json", **headers}, json.dumps(body).encode())

    def send(self, status: int, headers: dict[str, str], data: bytes) -> None:
        self.send_response(status)
        policy = {"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff"}
        for name, value in {**policy, **headers, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: Any) -> None:
        pass


@contextmanager
def serve(stand_in: StandIn, port: int = 0):
    """Serve until the block ends; the address is `stand_in.url`."""
    handler = type("Bound", (Handler,), {"stand_in": stand_in})
    server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    stand_in.url = f"http://127.0.0.1:{server.server_address[1]}/"
    try:
        yield stand_in
    finally:
        server.shutdown()
        server.server_close()


if __name__ == "__main__":
    with serve(StandIn(), 8765) as running:
        print(running.url, flush=True)
        threading.Event().wait()
