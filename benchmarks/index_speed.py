"""Indexes beside each other: how fast they take vectors in and find them, what they miss, what they take.

    python benchmarks/index_speed.py                          # 20,000 and 200,000 vectors; minutes
    python benchmarks/index_speed.py --sizes 2000 --output /tmp/indexes.json
    python benchmarks/index_speed.py --markdown               # the table of docs/search.md, from the result file

Vectors of width 384 that lie by topic and language (`tests/retrieval/clustered.py`) are generated and written to a file. Every
index of every size is filled and searched in a process of its own, so that memory is that one's: anonymous memory (RssAnon, every
20 ms) above what was there after the imports; of a server, what its resident memory grew by. Truth is what `exact` finds. A
server of Milvus is started where the wheel `milvus` is installed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from _memory import anonymous, gigabytes

from isoglot.files import read_json
from isoglot.tables import markdown_table, text_table

WIDTH, QUERIES, K = 384, 200, 10
SECONDS = 8.0
"""Queries of a slow index end after so long."""
BATCH = 10_000
INDEXES: dict[str, dict[str, Any]] = {
    "exact": {},
    "faiss-hnsw": {"kind": "hnsw"},
    "faiss-ivf": {"kind": "ivf"},
    "milvus-lite": {},
    "milvus-server": {},
}
FILTERS: dict[str, dict[str, Any]] = {
    "none": {},
    "2%": {"where": {"fiftieth": 7}},
    "10%": {"where": {"tenth": 3}},
    "language": {"languages": ["sw"]},
}


def generate(folder: Path, size: int) -> None:
    """Write vectors and metadata of so many documents, and queries."""
    from tests.retrieval.clustered import LANGUAGES, Space

    space = Space.make(size, WIDTH)
    rows, language = space.draw(size, 1)
    np.save(folder / "rows.npy", rows)
    np.save(folder / "queries.npy", space.draw(QUERIES, 2)[0])
    random = np.random.default_rng(3)
    tenths, fiftieths = random.integers(0, 10, size).tolist(), random.integers(0, 50, size).tolist()
    about = [
        {"lang": LANGUAGES[code], "tenth": tenth, "fiftieth": fiftieth}
        for code, tenth, fiftieth in zip(language.tolist(), tenths, fiftieths)
    ]
    (folder / "metadata.json").write_text(json.dumps(about))


def measure(name: str, folder: Path, uri: str | None) -> dict[str, Any]:
    """Fill one index and search it; to be called in a fresh process."""
    from isoglot.retrieval.indexes import INDEXES as REGISTRY

    rows, queries = np.load(folder / "rows.npy", mmap_mode="r"), np.load(folder / "queries.npy")
    about = json.loads((folder / "metadata.json").read_text())
    ids = [str(number) for number in range(len(rows))]
    place = {
        "faiss": {"path": str(folder / name)},
        "milvus": {"uri": uri or str(folder / f"{name}.db"), "timeout": 600},
    }.get(name.partition("-")[0], {})
    index = REGISTRY[name.partition("-")[0]](**INDEXES[name], **place).open()
    index.search(queries[:1], K)  # what libraries import and allot when they are first used
    before = anonymous()
    began = time.perf_counter()
    for start in range(0, len(rows), BATCH):
        span = slice(start, start + BATCH)
        index.add(ids[span], rows[span], about[span])
    added = time.perf_counter()
    index.finish()
    built = time.perf_counter()
    found = {"insert_per_second": len(rows) / (added - began), "build_seconds": built - added, "filters": {}}
    for label, filters in FILTERS.items():
        found["filters"][label] = _search(index, queries, filters, folder / f"truth {label}.json", name == "exact")
    found["anonymous_before"] = before
    index.close()
    kept = folder / (name if name.startswith("faiss") else f"{name}.db")
    found["disk_gb"] = _size(kept)
    return found


def _search(index: Any, queries: Any, filters: dict[str, Any], truth: Path, is_truth: bool) -> dict[str, Any]:
    index.search(queries[:2], K, **filters)
    latencies: list[float] = []
    for query in queries:
        began = time.perf_counter()
        index.search(query[None], K, **filters)
        latencies.append(time.perf_counter() - began)
        if sum(latencies) > SECONDS and len(latencies) >= 20 and not is_truth:
            break
    asked = queries[: len(latencies)]
    began = time.perf_counter()
    found = index.search(asked, K, **filters).ids
    seconds = time.perf_counter() - began
    if is_truth:
        truth.write_text(json.dumps(found))
    recall = np.mean([len({*own} & {*best}) / len(best) for own, best in zip(found, json.loads(truth.read_text()))])
    return {
        "recall": round(float(recall), 4),
        "queries_per_second": round(len(asked) / seconds, 1),
        "p50_ms": round(float(np.percentile(latencies, 50)) * 1e3, 2),
        "p99_ms": round(float(np.percentile(latencies, 99)) * 1e3, 2),
        "queries": len(asked),
    }


def _size(path: Path) -> float:
    return round(sum(file.stat().st_size for file in path.rglob("*") if file.is_file()) / 1e9, 3)


def in_fresh_process(name: str, folder: Path, uri: str | None) -> dict[str, Any]:
    """What `measure` finds, and the most memory that it took: looked at from here, as a thread there would slow it down."""
    command = [sys.executable, __file__, "--measure", name, "--folder", str(folder), *(["--uri", uri] if uri else [])]
    with (folder / "answer.json").open("w+") as answer:
        process, peak = subprocess.Popen(command, stdout=answer), 0
        while process.poll() is None:
            with suppress(OSError, SystemExit):  # it has just ended
                peak = max(peak, anonymous(process.pid))
            time.sleep(0.02)
        if process.returncode:
            raise SystemExit(f"{name}: failed")
        answer.seek(0)
        found: dict[str, Any] = json.loads(answer.read().splitlines()[-1])
    found["memory_gb"] = gigabytes(peak - found.pop("anonymous_before"))
    return found


def on_server(folder: Path) -> dict[str, Any]:
    """As `in_fresh_process`, with a server of its own, whose memory and files are counted."""
    import psutil
    from tests.milvus_server import serving

    with tempfile.TemporaryDirectory(prefix="milvus-", dir=folder) as data, serving(Path(data)) as uri:
        (server,) = (p for p in psutil.Process().children(recursive=True) if p.name() == "milvus")
        before = server.memory_info().rss
        found = in_fresh_process("milvus-server", folder, uri)
        found["server_gb"] = round((server.memory_info().rss - before) / 1e9, 3)
        found["disk_gb"] = _size(Path(data) / "data")
    return found


def run(sizes: list[int], names: list[str], work: Path | None) -> dict[str, Any]:
    results: dict[str, Any] = {}
    for size in sizes:
        with tempfile.TemporaryDirectory(prefix="index-speed-", dir=work) as folder:
            generate(Path(folder), size)
            for name in names:
                began = time.perf_counter()
                measured = (
                    on_server(Path(folder)) if name == "milvus-server" else in_fresh_process(name, Path(folder), None)
                )
                results.setdefault(str(size), {})[name] = measured
                print(f"{size} {name}: {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
    return results


def table(result: dict[str, Any], printed: Callable[..., list[str]]) -> str:
    """One table per size."""
    blocks = []
    for size, indexes in result["sizes"].items():
        header = ["index", "insert/s", "build s", "queries/s", "p50 ms", "p99 ms", "p50 ms 10%", "p50 ms language"]
        header += [f"R@10 {label}" for label in FILTERS] + ["memory GB", "disk GB"]
        rows = [header]
        for name, one in indexes.items():
            plain, some, lang = (one["filters"][label] for label in ("none", "10%", "language"))
            memory = f"{one['memory_gb']:.2f}" + (f" + {one['server_gb']:.2f}" if "server_gb" in one else "")
            rows.append(
                [
                    name,
                    f"{one['insert_per_second']:,.0f}",
                    f"{one['build_seconds']:.1f}",
                    f"{plain['queries_per_second']:,.0f}",
                    *(f"{plain[key]:.1f}" for key in ("p50_ms", "p99_ms")),
                    *(f"{part['p50_ms']:.1f}" for part in (some, lang)),
                    *(f"{part['recall']:.3f}" for part in one["filters"].values()),
                    memory,
                    f"{one['disk_gb']:.2f}" if one["disk_gb"] else "–",
                ]
            )
        blocks.append("\n".join([f"{int(size):,} vectors", "", *printed(rows)]))
    return "\n\n".join(blocks)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[20_000, 200_000])
    parser.add_argument("--indexes", nargs="+", choices=INDEXES, default=list(INDEXES))
    parser.add_argument("--work", type=Path, help="where vectors and indexes are kept meanwhile (default: temporary)")
    parser.add_argument("--output", type=Path, default=Path("results/speed/indexes.json"))
    parser.add_argument("--markdown", action="store_true", help="only print the tables of --output")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--uri", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure, options.folder, options.uri)))
        return
    if options.markdown:
        print(table(read_json(options.output), markdown_table))
        return
    from _machine import conditions, write
    from tests.milvus_server import HINT, is_installed

    names = ["exact", *(name for name in options.indexes if name != "exact")]
    if "milvus-server" in names and not is_installed():
        names.remove("milvus-server")
        print(f"without milvus-server: it {HINT}", file=sys.stderr)
    about = {
        "width": WIDTH,
        "queries": QUERIES,
        "k": K,
        "conditions": conditions("faiss-cpu", "pymilvus", "milvus-lite"),
    }
    result = {**about, "sizes": run(options.sizes, names, options.work)}
    print(table(result, text_table))
    write(options.output, result)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))  # for tests.retrieval.clustered
    main()
