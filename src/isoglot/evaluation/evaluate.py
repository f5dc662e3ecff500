"""Measure a model on a benchmark: encode every language once, rank exactly, average like the papers."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from isoglot.data.benchmarks import load_benchmark
from isoglot.data.qrels import restrict
from isoglot.errors import InputError
from isoglot.evaluation import aggregate
from isoglot.evaluation.bias import language_bias, rank_distance
from isoglot.evaluation.bias_report import TOP_K, bias_report
from isoglot.evaluation.digests import benchmark_digest, model_digest, versions
from isoglot.evaluation.measures import DEFAULT_MEASURES, Measure, compute, parse_measures
from isoglot.evaluation.results import Result
from isoglot.evaluation.settings import POOLED, Rows, make_rows, parse_settings
from isoglot.records import SETTINGS, Benchmark, Float32Array, FloatArray, IntArray, Setting
from isoglot.retrieval.encode import Embeddings, encode_benchmark
from isoglot.retrieval.ranks import Ranks, exact_ranks
from isoglot.retrieval.store import EmbeddingStore, prompt_of
from isoglot.retrieval.ties import TIE_RULE, tie_positions
from isoglot.retrieval.topk import top_k

_NO_CELL = {
    "mono": "no query has a relevant document in its own language",
    "cross": "no query has a relevant document in another language",
    "multi": "no query has a relevant document",
}


def evaluate(
    model: Any,
    benchmark: str | Path | Benchmark,
    *,
    languages: Sequence[str] | None = None,
    settings: Sequence[str] = SETTINGS,
    measures: Sequence[str | Measure] = DEFAULT_MEASURES,
    context: Literal["sentence", "paragraph"] = "sentence",
    data_dir: str | Path | None = None,
    batch_size: int | None = None,
    output: str | Path | None = None,
    progress: bool = True,
    model_name: str | None = None,
    digest: str | None = None,
    store: EmbeddingStore | None = None,
) -> Result:
    """Measure mono-, cross- and multilingual retrieval and language bias.

    Args:
        model: a `SentenceTransformer` (or anything with its `encode_query` and `encode_document`), or `Embeddings`. A
            name is not resolved here: `isoglot.load_model` does that.
        benchmark: a name or folder (see `isoglot.load_benchmark`), or a `Benchmark`.
        languages: only the queries and corpora of these languages.
        settings: of mono, cross and multi.
        measures: spellings such as AP, nDCG@10, R@100, RR@10, Success@10, P@10.
        context, data_dir: passed to `load_benchmark`.
        batch_size: texts per forward pass.
        output: a folder for `summary.json` and `per_query.parquet`; nothing is written when None.
        progress: progress bars on stderr.
        model_name: how the result calls the model.
        digest: of the model, where the caller knows it; otherwise the SHA-256 of its weights.
        store: keeps the vectors, so that a second evaluation of the same model and texts reads them.

    Raises:
        InputError: an unknown setting, measure, language or benchmark, malformed files, nothing to measure.
    """
    started = time.perf_counter()
    wanted, parsed = parse_settings(settings), parse_measures(measures)
    if isinstance(model, (str, Path)):
        raise InputError(f"'{model}' is a name: load the model first with isoglot.load_model('{model}')")
    if isinstance(benchmark, Benchmark):
        loaded = restrict(benchmark, languages)
    else:
        loaded = load_benchmark(benchmark, languages=languages, context=context, data_dir=data_dir)
    clock = _Clock()
    digest = digest or model_digest(model)
    stored = store if digest and not isinstance(model, Embeddings) else None
    queries = _vectors(model, loaded, "query", batch_size, progress, stored, digest)
    clock.lap("encode_queries")
    documents = _vectors(model, loaded, "passage", batch_size, progress, stored, digest)
    clock.lap("encode_corpus")
    ties = benchmark_ties(loaded)
    ranks = rank_benchmark(loaded, queries, documents, ties)
    clock.lap("rank")
    scores, table = _measure(loaded, ranks, wanted, parsed)
    clock.lap("measure")
    if scores["bias"]:
        top, _ = top_k(queries, documents, min(TOP_K, loaded.n_documents), ties)
        scores["bias"] |= bias_report(loaded, ranks, queries, documents, ties, top)
        clock.lap("bias")
    summary = {
        "model": model_name or _name_of(model),
        "benchmark": loaded.name,
        "context": loaded.about.get("context", "sentence"),
        **scores,
        "tie_rule": TIE_RULE,
        "prompts": dict(getattr(model, "prompts", None) or {}),
        "about": dict(loaded.about),
        "digests": {"benchmark": benchmark_digest(loaded), "model": digest},
        "versions": versions(),
        "seconds": {**clock.laps, "total": round(time.perf_counter() - started, 3)},
    }
    result = Result(summary, table)
    if output is not None:
        result.save(output)
    return result


def benchmark_ties(benchmark: Benchmark) -> IntArray:
    """Places of all documents in the order that breaks ties, in pooled order; int64, shape (n_documents,)."""
    languages, ids = zip(*((lang, key) for lang, key, _ in benchmark.pooled_documents()), strict=True)
    return tie_positions(ids, languages)


def rank_benchmark(
    benchmark: Benchmark, queries: Float32Array, documents: Float32Array, ties: IntArray | None = None
) -> Ranks:
    """Exact ranks of all judged documents of a benchmark, from vectors in pooled order; see `exact_ranks`."""
    ties = benchmark_ties(benchmark) if ties is None else ties
    return exact_ranks(queries, documents, benchmark.indptr, benchmark.relevant, ties, benchmark.document_offsets())


def _measure(
    benchmark: Benchmark, ranks: Ranks, settings: Sequence[Setting], measures: Sequence[Measure]
) -> tuple[dict[str, Any], pa.Table]:
    """The part of the summary that is made of ranks, and the rows per query."""
    averages, micro, by_language, cells, notes, tables = {}, {}, {}, {}, [], []
    bias: dict[str, object] = {}
    for setting in settings:
        rows = make_rows(setting, benchmark, ranks)
        if not len(rows):
            notes.append(f"setting '{setting}' was left out: {_NO_CELL[setting]}")
            continue
        values = {str(measure): compute(measure, rows.ranked) for measure in measures}
        means = aggregate.cell_means(rows, values, benchmark.query_languages, benchmark.corpus_languages)
        averages[setting] = aggregate.macro(list(means.values()))
        micro[setting] = aggregate.micro(values)
        by_language[setting] = aggregate.per_language(setting, means)
        cells[setting] = len(means)
        distance = rank_distance(rows.ranked, rows.n_languages) if setting == "multi" else None
        if distance is not None:
            bias = language_bias(distance, rows.query_language, benchmark.query_languages)
            if not bias:
                notes.append("rank distance was left out: no query has relevant documents in two languages")
        tables.append(_table(benchmark, rows, values, distance))
    if not tables:
        raise InputError(f"{benchmark.name}: nothing to measure: {'; '.join(notes)}")
    counts = {
        "languages": len({*benchmark.queries, *benchmark.corpus}),
        "queries": {lang: len(texts) for lang, texts in benchmark.queries.items()},
        "documents": {lang: len(texts) for lang, texts in benchmark.corpus.items()},
        "cells": cells,
    }
    scores = {
        "settings": averages,
        "micro": micro,
        "bias": bias,
        "per_language": by_language,
        "counts": counts,
        "notes": notes,
    }
    return scores, pa.concat_tables(tables)


def _table(benchmark: Benchmark, rows: Rows, values: dict[str, FloatArray], distance: FloatArray | None) -> pa.Table:
    """The rows of one setting as they are written to `per_query.parquet`."""
    ids = pa.array([key for _, key, _ in benchmark.pooled_queries()], pa.string())
    groups = pa.array(benchmark.query_groups, pa.string()) if benchmark.query_groups else ids
    query_languages = pa.array(benchmark.query_languages, pa.string())
    document_languages = pa.array([*benchmark.corpus_languages, POOLED], pa.string())
    last = len(benchmark.corpus_languages)
    columns = {
        "setting": pa.array([rows.setting] * len(rows), pa.string()),
        "query_id": ids.take(rows.query),
        "query_lang": query_languages.take(rows.query_language),
        "doc_lang": document_languages.take(rows.document_language % (last + 1)),
        "group": groups.take(rows.query),
        "n_relevant": pa.array(rows.ranked.n_relevant, pa.int64()),
        **{name: pa.array(column, pa.float64()) for name, column in values.items()},
        "best_rank": pa.array(rows.ranked.best, pa.int64()),
        "worst_rank": pa.array(rows.ranked.worst, pa.int64()),
        "rank_distance": pa.nulls(len(rows), pa.float64())
        if distance is None
        else pa.array(distance, pa.float64(), from_pandas=True),
    }
    return pa.table(columns)


def _vectors(
    model: Any,
    benchmark: Benchmark,
    kind: Literal["query", "passage"],
    batch_size: int | None,
    progress: bool,
    store: EmbeddingStore | None,
    digest: str | None,
) -> Float32Array:
    if store is not None and digest is not None:
        pooled = benchmark.pooled_queries() if kind == "query" else benchmark.pooled_documents()
        texts = [text for _, _, text in pooled]
        prompt = prompt_of(model, kind)
        kept = store.encode(model, digest, prompt, texts, kind, batch_size=batch_size, progress=progress)
        return np.asarray(kept, dtype=np.float32)
    if not isinstance(model, Embeddings):
        return encode_benchmark(model, benchmark, kind, batch_size, progress)
    vectors = model.queries if kind == "query" else model.documents
    expected = benchmark.n_queries if kind == "query" else benchmark.n_documents
    if len(vectors) != expected:
        raise InputError(f"{len(vectors)} {kind} vectors for the {expected} texts of {benchmark.name}")
    return vectors


def _name_of(model: Any) -> str:
    card = getattr(model, "model_card_data", None)
    return str(getattr(card, "base_model", None) or type(model).__name__)


class _Clock:
    """Seconds between laps."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name] = round(now - self._last, 3)
        self._last = now
