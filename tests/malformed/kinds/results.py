"""Vectors and results."""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np

from tests.malformed.kinds.benchmarks import benchmark_files, finite, texts
from tests.malformed.kinds.shared import LANGUAGES, Kind, N, accepted, parquet, register, run, write


def vector_files() -> dict[str, bytes]:
    files = {}
    for number, side in enumerate("qd"):
        for lang in LANGUAGES:
            rows = np.random.default_rng([number, *lang.encode()]).normal(size=(N, 3)).astype(np.float32)
            folder = "vectors/queries" if side == "q" else "vectors/corpus"
            if lang == "de":
                ids = [json.loads(line)["_id"] for line in texts(side, lang).splitlines()]
                files[f"{folder}/{lang}.parquet"] = parquet(
                    [{"id": k, "embedding": row.tolist()} for k, row in zip(ids, rows)]
                )
            else:
                sink = io.BytesIO()
                np.save(sink, rows)
                files[f"{folder}/{lang}.npy"] = sink.getvalue()
    return files


def check_vectors(folder: Path, spoiled: Path) -> None:
    words = ("--embeddings", str(folder / "vectors"), "--measures", "nDCG@10", "--json")
    answer = run("evaluate", "given", str(folder), *words)
    if accepted(answer, spoiled):
        finite(json.loads(answer.out)["settings"])


# results, runs and studies


@cache
def result_files() -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        write(home / "toy", {**benchmark_files(), **vector_files()})
        for result, measures in (("a", "nDCG@10"), ("b", "nDCG@10")):
            words = (
                "--embeddings",
                str(home / "toy/vectors"),
                "--measures",
                measures,
                "AP",
                "--output",
                str(home / result),
            )
            assert run("evaluate", result, str(home / "toy"), *words).code == 0
        return {f"{r}/{f}": (home / r / f).read_bytes() for r in "ab" for f in ("summary.json", "per_query.parquet")}


def earlier_result_files() -> dict[str, bytes]:
    """Without the digest that tells damage at once: as earlier versions wrote them."""
    files = dict(result_files())
    for name in (name for name in files if name.endswith(".json")):
        summary = json.loads(files[name])
        summary["digests"].pop("per_query", None)
        files[name] = json.dumps(summary).encode()
    return files


def check_compare(folder: Path, spoiled: Path) -> None:
    answer = run("compare", str(folder / "a"), str(folder / "b"), "--resamples", "99", "--json")
    if accepted(answer, spoiled):
        json.loads(answer.out)
    accepted(run("compare", str(folder / "a"), str(folder / "b"), "--resamples", "99"), spoiled)


@register
def _results() -> Iterator[Kind]:
    vectors = vector_files()
    yield Kind("vectors", {**benchmark_files(), **vectors}, check_vectors, tuple(vectors))
    yield Kind("results", result_files(), check_compare)
    yield Kind("results of earlier versions", earlier_result_files(), check_compare)
