"""Measure a model on a benchmark: encode every language once, rank exactly, average like the papers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from isoglot.data.benchmarks.digest import benchmark_digest
from isoglot.data.benchmarks.load import load_benchmark
from isoglot.data.benchmarks.qrels import restrict
from isoglot.errors import InputError
from isoglot.evaluation import aggregate
from isoglot.evaluation.bias import language_bias, rank_distance
from isoglot.evaluation.bias_report import bias_report
from isoglot.evaluation.cells import POOLED, Rows, make_rows, parse_settings
from isoglot.evaluation.digests import model_digest, versions
from isoglot.evaluation.measures import DEFAULT_MEASURES, Measure, compute, parse_measures
from isoglot.evaluation.ranking import Clock, rank_with
from isoglot.evaluation.results import Result
from isoglot.evaluation.scored import Ranker
from isoglot.evaluation.trec import DEFAULT_DEPTH, export_runs
from isoglot.processes import in_first, processes
from isoglot.records import SETTINGS, Benchmark, FloatArray, Setting
from isoglot.retrieval.ranks import Ranks
from isoglot.retrieval.store import EmbeddingStore
from isoglot.retrieval.ties import TIE_RULE

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
    device: str | None = None,
    export_trec: str | Path | None = None,
    trec_depth: int = DEFAULT_DEPTH,
) -> Result:
    """Measure mono-, cross- and multilingual retrieval and language bias.

    Under several processes (`torchrun`) each encodes a share of the texts; the first ranks and writes, all return the result.

    Args:
        model: a `SentenceTransformer` (or anything with its `encode_query` and `encode_document`); `Embeddings`; or a
            ranker that scores documents itself, such as `isoglot.BM25`. A name is not resolved here:
            `isoglot.load_model` does that.
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
        device: a torch device that computes the products of the ranking, such as "cuda" (same ranks); numpy when None.
        export_trec: a folder for run and judgments of every cell as TREC files; see `isoglot.evaluation.trec`.
        trec_depth: documents per query in those runs.

    Raises:
        InputError: an unknown setting, measure, language or benchmark, malformed files, nothing to measure.
    """
    clock = Clock()
    wanted, parsed = parse_settings(settings), parse_measures(measures)
    if isinstance(model, (str, Path)):
        raise InputError(f"'{model}' is a name: load the model first with isoglot.load_model('{model}')")
    if isinstance(benchmark, Benchmark):
        loaded = restrict(benchmark, languages)
    else:
        loaded = load_benchmark(benchmark, languages=languages, context=context, data_dir=data_dir)
    clock.start()
    digest = digest or model_digest(model)
    ranking = rank_with(
        model, loaded, clock, batch_size=batch_size, progress=progress, store=store, digest=digest, device=device
    )
    scores, table = _measure(loaded, ranking.ranks, wanted, parsed)
    clock.lap("measure")
    if scores["bias"]:
        scores["bias"] |= bias_report(loaded, ranking.ranks, ranking.vectors, ranking.ties, ranking.top())
        clock.lap("bias")
    if export_trec is not None:
        trec = export_trec
        in_first(lambda: export_runs(loaded, ranking.search(), trec, depth=trec_depth, settings=wanted))
        clock.lap("export")
    about = {
        "model": model_name or _name_of(model),
        "prompts": dict(getattr(model, "prompts", None) or {}),
        "digests": {"benchmark": benchmark_digest(loaded), "model": digest},
    }
    result = Result(_summary(loaded, scores, about, clock), table)
    if output is not None and processes().first:
        result.save(output)
    return result


def _summary(benchmark: Benchmark, scores: dict[str, Any], about: dict[str, Any], clock: Clock) -> dict[str, Any]:
    return {
        "model": about["model"],
        "benchmark": benchmark.name,
        "context": benchmark.about.get("context", "sentence"),
        **scores,
        "tie_rule": TIE_RULE,
        "prompts": about["prompts"],
        "about": dict(benchmark.about),
        "digests": about["digests"],
        "versions": versions(),
        "seconds": {**clock.laps, "total": clock.total()},
    }


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


def _name_of(model: Any) -> str:
    if isinstance(model, Ranker):
        return str(model)
    card = getattr(model, "model_card_data", None)
    return str(getattr(card, "base_model", None) or type(model).__name__)
