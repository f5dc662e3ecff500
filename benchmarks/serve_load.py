"""32 clients at once: isoglot serve, beside two servers that encode every request alone. Latency, throughput, errors.

    python benchmarks/serve_load.py                       # some 5 minutes on two cores
    python benchmarks/serve_load.py --seconds 5 --warm 2  # to try it

The questions of the benchmark `faq` are asked in random order, each client one after the other, of an index of its answers. The
servers run one after the other, each in a process of its own with the same threads; they load the same model, search the same
vectors exactly, and answer with ten documents:

- isoglot: `isoglot serve`, with `sentences` off, as the others have nothing of that kind, and with `kept_texts` 0: no
  question's vector is kept, though questions come again;
- isoglot, all on: the same as it is used, with the nearest sentence of every document, and what was encoded before kept;
- naive: one request, one `model.encode_query`, one after the other (an `async def` that encodes);
- threads: plain sentence-transformers in a FastAPI script (a `def`, which FastAPI runs in a pool of 40 threads).

The clients are coroutines of one further process on the same cores.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from _machine import conditions, write
from pydantic import BaseModel

from isoglot.data.benchmarks.load import load_benchmark
from isoglot.retrieval.collection import Collection
from isoglot.retrieval.collection.build import index
from isoglot.tables import text_table

K = 10


class Question(BaseModel):
    """What the plain servers are sent."""

    query: str
    k: int = K


def plain_server(how: str, folder: Path, model_name: str) -> None:
    """A server as one writes it first."""
    import uvicorn
    from fastapi import FastAPI
    from sentence_transformers import SentenceTransformer

    from isoglot.models.resolve import resolve_base

    model = SentenceTransformer(resolve_base(model_name).location, device="cpu")
    with Collection.open(folder) as collection:
        keys, rows = collection.vectors(next(iter(collection.models)))
        found = collection.documents.chunks(keys.tolist())
    vectors = rows.astype(np.float32)
    documents = [found[key].document for key in keys.tolist()]
    app = FastAPI()

    def answer(question: Question) -> dict[str, Any]:
        scores = vectors @ model.encode_query(question.query, normalize_embeddings=True, show_progress_bar=False)
        best = np.argpartition(-scores, question.k)[: question.k]
        best = best[np.argsort(-scores[best])]
        hits = [
            {
                "id": documents[row].id,
                "lang": documents[row].lang,
                "score": float(scores[row]),
                "text": documents[row].text,
            }
            for row in best.tolist()
        ]
        return {"results": [{"hits": hits}]}

    if how == "naive":

        @app.post("/search")
        async def search(question: Question) -> dict[str, Any]:
            return answer(question)

    else:
        app.post("/search")(answer)
    answer(Question(query="warm"))
    config = uvicorn.Config(app, port=0, access_log=False, log_level="warning")
    listening = config.bind_socket()
    listening.listen()
    print(f"http://127.0.0.1:{listening.getsockname()[1]}/ serves", flush=True)
    uvicorn.Server(config).run(sockets=[listening])


@dataclass
class Load:
    """What clients saw.

    Attributes:
        milliseconds: of every answer with status 200 in the time that counts.
        statuses: of all answers in that time; 0: none came.
        first: id of the best document by question.
        answers: with status 200, those before that time, too.
    """

    milliseconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    first: dict[str, str] = field(default_factory=dict)
    answers: int = 0


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, body: bytes) -> tuple[int, bytes]:
    """One request over a connection that stays open."""
    head = f"POST /search HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower().split("\r\n")
    length = next(int(line.partition(":")[2]) for line in lines if line.startswith("content-length:"))
    return int(lines[0].split(" ")[1]), await reader.readexactly(length)


async def client(port: int, questions: list[str], more: dict[str, Any], begin: float, end: float, load: Load) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for number in range(10**9):
        started = time.perf_counter()
        if started >= end:
            break
        question = questions[number % len(questions)]
        try:
            status, answer = await ask(reader, writer, json.dumps({"query": question, "k": K, **more}).encode())
        except (OSError, asyncio.IncompleteReadError):
            status, answer = 0, b""
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        finished = time.perf_counter()
        if started >= begin:
            load.statuses[status] += 1
            if status == 200:
                load.milliseconds.append(1000 * (finished - started))
        load.answers += status == 200
        if status == 200 and question not in load.first:
            load.first[question] = json.loads(answer)["results"][0]["hits"][0]["id"]
    writer.close()


async def clients(port: int, questions: list[str], more: dict[str, Any], options: argparse.Namespace) -> Load:
    load, now = Load(), time.perf_counter()
    begin, own = now + options.warm, []
    for number in range(options.clients):
        order = random.Random(number).sample(questions, len(questions))
        own.append(client(port, order, more, begin, begin + options.seconds, load))
    await asyncio.gather(*own)
    return load


@contextmanager
def running(command: list[str]) -> Iterator[tuple[psutil.Process, int, float]]:
    """A server's process, its port, and the seconds until it was ready."""
    started = time.perf_counter()
    with subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        ready = time.perf_counter() - started
        try:
            yield psutil.Process(process.pid), int(line.split("/ ")[0].rpartition(":")[2]), ready
        finally:
            process.terminate()


async def first_result(port: int, question: str) -> float:
    """Milliseconds of the first search of all."""
    started = time.perf_counter()
    status, _ = await ask(*await asyncio.open_connection("127.0.0.1", port), json.dumps({"query": question}).encode())
    assert status == 200
    return 1000 * (time.perf_counter() - started)


def measure(
    command: list[str], questions: list[str], more: dict[str, Any], options: argparse.Namespace
) -> tuple[dict[str, Any], Load]:
    with running(command) as (process, port, ready):
        first = asyncio.run(first_result(port, questions[0]))
        before = sum(process.cpu_times()[:2])
        load = asyncio.run(clients(port, questions, more, options))
        processor, memory = sum(process.cpu_times()[:2]) - before, process.memory_info().rss
    times = sorted(load.milliseconds) or [float("nan")]
    cuts = statistics.quantiles(times, n=100) if len(times) > 1 else times * 99
    return {
        "answers_per_second": round(len(load.milliseconds) / options.seconds, 1),
        "p50_ms": round(cuts[49], 1),
        "p99_ms": round(cuts[98], 1),
        "processor_ms_per_answer": round(1000 * processor / max(1, load.answers), 1),
        "answers": len(load.milliseconds),
        "errors": {str(status): n for status, n in load.statuses.items() if status != 200},
        "ready_seconds": round(ready, 1),
        "first_result_ms": round(first, 1),
        "memory_mb": round(memory / 2**20),
    }, load


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="offline:multilingual-e5-small")
    parser.add_argument("--benchmark", default="faq")
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--index", type=Path, help="of the benchmark by the model (default: made first)")
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=40, help="that count, of each server")
    parser.add_argument("--warm", type=float, default=8, help="seconds before them")
    parser.add_argument("--output", type=Path, default=Path("results/speed/serve.json"))
    parser.add_argument("--plain", choices=("naive", "threads"), help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> int:
    options = arguments()
    if options.plain:
        plain_server(options.plain, options.index, options.model)
        return 0
    about = conditions("fastapi", "uvicorn")
    found = load_benchmark(options.benchmark, data_dir=options.data_dir)
    questions = list(dict.fromkeys(text for _, _, text in found.pooled_queries()))
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.index or Path(temporary) / "index"
        if options.index is None:
            index(options.model, options.benchmark, folder, device="cpu", data_dir=options.data_dir)
        serve = ["-m", "isoglot", "serve", str(folder), "--port", "0", "--device", "cpu", "--quiet"]
        plain = [__file__, "--index", str(folder), "--model", options.model, "--plain"]
        servers: dict[str, tuple[list[str], dict[str, Any]]] = {
            "isoglot": ([*serve, "--kept-texts", "0"], {"sentences": False}),
            "isoglot, all on": (serve, {}),
            "naive": ([*plain, "naive"], {}),
            "threads": ([*plain, "threads"], {}),
        }
        figures, loads = {}, {}
        for name, (command, more) in servers.items():
            figures[name], loads[name] = measure(command, questions, more, options)
            print(f"{name}: {figures[name]}", file=sys.stderr, flush=True)
    reference = loads["isoglot"].first
    for name, load in loads.items():
        both = reference.keys() & load.first.keys()
        figures[name]["same_best_document"] = round(
            sum(reference[q] == load.first[q] for q in both) / max(1, len(both)), 4
        )
    report = {
        "model": options.model,
        "benchmark": options.benchmark,
        "documents": found.n_documents,
        "questions": len(questions),
        "clients": options.clients,
        "seconds": options.seconds,
        "omp_num_threads": os.environ.get("OMP_NUM_THREADS"),
        "servers": figures,
        **about,
    }
    shown = (
        "answers_per_second",
        "p50_ms",
        "p99_ms",
        "processor_ms_per_answer",
        "errors",
        "ready_seconds",
        "first_result_ms",
        "memory_mb",
    )
    rows = [[name, *(str(values[key] or 0) for key in shown)] for name, values in figures.items()]
    print("\n".join(text_table([["server", *shown], *rows])))
    write(options.output, report)
    return 0


if __name__ == "__main__":
    sys.exit(main())
