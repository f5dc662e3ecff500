"""Measure a model on a benchmark: encode every language once, rank exactly, average like the papers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from isoglot.data.benchmarks.qrels import benchmark_digest
from isoglot.data.languages import regional
from isoglot.disk import check_writable
from isoglot.errors import InputError
from isoglot.evaluation.bias import rank_distance
from isoglot.evaluation.bias_report import TOP_K, bias_report
from isoglot.evaluation.cells import QueryRows, macro, make_rows, micro, parse_settings, per_language
from isoglot.evaluation.leak import debias_notes, leak_notes, leak_of, prompt_notes
from isoglot.evaluation.mapped_vectors import mapped, stored_vectors
from isoglot.evaluation.matching import RANK_DISTANCE
from isoglot.evaluation.measures import Measure, parse_measures
from isoglot.evaluation.ranking import Clock, rank, ranks_on
from isoglot.evaluation.results import Result, check_no_result, model_digest, model_facts, versions, write_result
from isoglot.evaluation.settings import EvaluateSettings
from isoglot.evaluation.trec import DEFAULT_DEPTH, export_runs
from isoglot.files import digest_strings
from isoglot.models.precision import computing_in
from isoglot.one_writer import locked
from isoglot.processes import in_first, processes
from isoglot.records import Benchmark, FloatArray, Setting
from isoglot.retrieval.bm25 import BM25
from isoglot.retrieval.encode import (
    Embeddings,
    Kind,
    device_of,
    encode_texts,
    pooled_languages,
    pooled_texts,
    similarity_of,
)
from isoglot.retrieval.fair import Fair
from isoglot.retrieval.rankings import Ranker
from isoglot.retrieval.ranks import Ranks
from isoglot.retrieval.scoring import Vectors
from isoglot.retrieval.store import EmbeddingStore
from isoglot.retrieval.ties import TIE_RULE
from isoglot.settings import to_dict

_BM25 = "bm25"
_NO_CELL = {
    "mono": "no query has a relevant document in its own language",
    "cross": "no query has a relevant document in another language",
    "multi": "no query has a relevant document",
    "natural": "no query has all its relevant documents in its own language",
    "natural-cross": "no query has all its relevant documents in one other language",
}


def evaluate(
    model: Any,
    benchmark: str | Path | Benchmark,
    asked: EvaluateSettings | None = None,
    *,
    data_dir: str | Path | None = None,
    output: str | Path | None = None,
    overwrite: bool = False,
    progress: bool = True,
    model_name: str | None = None,
    digest: str | None = None,
    store: EmbeddingStore | None = None,
    device: str | None = None,
    export_trec: str | Path | None = None,
    trec_depth: int = DEFAULT_DEPTH,
    fair: Fair | None = None,
    **changes: Any,
) -> Result:
    """Measure mono-, cross- and multilingual retrieval and language bias.

    Under several processes (`torchrun`) each encodes a share of the texts; the first ranks and writes, all return the result.

    Args:
        model: a name or directory, as `isoglot.load_model` takes it (a run is one); a `SentenceTransformer` (or anything with its
            `encode_query` and `encode_document`); `Embeddings`; or a ranker that scores documents itself, such as
            `isoglot.BM25` ("bm25" is that one).
        benchmark: a name or folder (see `isoglot.load_benchmark`), or a `Benchmark`: that is measured as it is, but for
            `languages`.
        asked: what to measure; the defaults when None.
        data_dir: passed to `load_benchmark`.
        output: a folder for `summary.json` and `per_query.parquet`; nothing is written when None.
        overwrite: replace a result that is there.
        progress: progress bars on stderr.
        model_name: how the result calls the model; by default its name, if that is how it was given.
        digest: of the model, where the caller knows it; otherwise the SHA-256 of its weights.
        store: keeps the vectors, so that a second evaluation of the same model and texts reads them.
        device: where products are computed for the ranking, such as "cuda" (same ranks): where the model is when None, by
            numpy where that is no CUDA device.
        export_trec: a folder for run and judgments of every cell as TREC files; see `isoglot.evaluation.trec`.
        trec_depth: documents per query in those runs.
        fair: how the languages of the pooled corpora are mixed; by the model's scores when None.
        changes: single fields of `asked`: measures=["AP", "nDCG@10"], settings=["cross"], languages=["de", "en"], ...;
            None stands for the default.

    Returns:
        A result that prints as the table of the command line, shows in a notebook, and goes to pandas by `to_pandas()`.

    Raises:
        InputError: an unknown setting, measure, language, benchmark or model, malformed files, nothing to measure; an output
            that cannot be written, that holds a result already or that another process writes.

    >>> import isoglot
    >>> result = isoglot.evaluate(isoglot.BM25(), "faq", languages=["de", "en"], measures="nDCG@10", progress=False)
    >>> print(str(result).partition(" (2 ")[0])
    bm25 (Lucene, k1=1.5, b=0.75) on faq
    >>> list(result.summary["settings"]), len(result.to_pandas()) == len(result.per_query)
    (['mono', 'cross', 'multi'], True)
    """
    clock = Clock()
    asked = EvaluateSettings.of(**{**(to_dict(asked) if asked else {}), **changes})
    if isinstance(model, (str, Path)):
        model, model_name = _named_model(str(model), device), model_name or (None if model == _BM25 else str(model))
    similarity_of(model)  # what cannot be measured is refused before anything is encoded
    precision = computing_in(asked.precision, device_of(model))
    loaded = asked.load(benchmark, data_dir)
    digest = digest or model_digest(model)
    encode = _encoder(model, loaded, asked, precision, digest, store, progress)
    clock.lap()
    with ExitStack() as held:
        # a second writer, or a disk that takes nothing, is known before the work
        if export_trec is not None:
            in_first(lambda: check_writable(Path(export_trec), directory=True))
        if output is not None:
            in_first(lambda: held.enter_context(locked(Path(output))))
            if not overwrite:
                in_first(lambda: check_no_result(Path(output)))
        ranking = rank(model, loaded, clock, encode, ranks_on(device, model), fair)
        settings = parse_settings(asked.settings)
        scores, table = _measure(loaded, ranking.ranks, settings, parse_measures(asked.measures))
        leak = leak_of(model, loaded)
        scores["notes"] += [*leak_notes(leak), *debias_notes(model, loaded, leak), *_caveats(asked, fair)]
        clock.lap("measure")
        if table.column(RANK_DISTANCE).null_count < len(table):
            best = in_first(lambda: ranking.search()(None, TOP_K)[0])
            scores["bias"] = bias_report(loaded, ranking.ranks, ranking.vectors, ranking.ties, best)
            clock.lap("bias")
        if export_trec is not None:
            in_first(lambda: export_runs(loaded, ranking.search(), export_trec, depth=trec_depth, settings=settings))
            clock.lap("export")
        facts = model_facts(model)
        scores["notes"] += prompt_notes({"model_facts": facts})
        card = getattr(getattr(model, "model_card_data", None), "base_model", None)
        summary = {
            "model": model_name or str(model if isinstance(model, Ranker) else card or type(model).__name__),
            "benchmark": loaded.name,
            "context": loaded.about.get("context", "sentence"),
            **scores,
            **({"leak": leak} if leak else {}),
            **({"fair": fair.about} if fair else {}),
            "tie_rule": TIE_RULE,
            **({} if asked.precision == "fp32" else {"precision": asked.precision}),
            "prompts": dict(getattr(model, "prompts", None) or {}),
            **({"model_facts": facts} if facts else {}),
            "about": dict(loaded.about),
            "digests": {"benchmark": benchmark_digest(loaded), "model": digest},
            "versions": versions(),
            "seconds": clock.seconds(),
        }
        result = Result(summary, table)
        if output is not None and processes().first:
            write_result(result, Path(output))
    return result


def _named_model(name: str, device: str | None) -> Any:
    if name == _BM25:
        return BM25()
    from isoglot.models.load import load_model

    return load_model(name, device=device)


def _encoder(
    model: Any,
    benchmark: Benchmark,
    asked: EvaluateSettings,
    precision: AbstractContextManager[object],
    digest: str | None,
    store: EmbeddingStore | None,
    progress: bool,
) -> Callable[[Kind], Vectors]:
    """What gives the vectors of a side: those at hand, those of the store, or the model's."""
    parts = mapped(model, benchmark) if store is not None else None
    known = digest if parts is None else model_digest(parts.inner)

    def encode(kind: Kind) -> Vectors:
        if isinstance(model, Embeddings):
            return model.queries if kind == "query" else model.documents
        size = asked.batch_size
        with precision:
            if store is None or not digest:
                texts, languages = pooled_texts(benchmark, kind), pooled_languages(benchmark, kind)
                return encode_texts(model, texts, kind, size, progress, languages=languages)
            key = str(known) if asked.precision == "fp32" else digest_strings([str(known), asked.precision])
            return stored_vectors(model, benchmark, kind, store, key, parts, batch_size=size, progress=progress)

    return encode


def _caveats(asked: EvaluateSettings, fair: Fair | None) -> list[str]:
    """What was done otherwise than by plain search in float32."""
    notes = []
    if asked.precision != "fp32":
        notes.append(f"vectors were computed in {asked.precision}: figures may differ by .001 from float32's")
    if fair is not None:
        notes.append(f"rankings were fused by {fair.fusion}: not what plain search with this model finds")
    return notes


def _measure(
    benchmark: Benchmark, ranks: Ranks, settings: Sequence[Setting], measures: Sequence[Measure]
) -> tuple[dict[str, Any], pa.Table]:
    """The part of the summary that is made of ranks, and the rows per query."""
    scores: dict[str, Any] = {"settings": {}, "micro": {}, "bias": {}, "per_language": {}, "counts": {}, "notes": []}
    cells, tables = {}, []
    for setting in settings:
        rows = make_rows(setting, benchmark, ranks)
        if not len(rows):
            scores["notes"].append(f"setting '{setting}' was left out: {_NO_CELL[setting]}")
            continue
        values = {str(measure): measure(rows.ranked) for measure in measures}
        means = rows.means(values)
        scores["settings"][setting], scores["micro"][setting] = macro(means.values()), micro(values)
        scores["per_language"][setting], cells[setting] = per_language(setting, means), len(means)
        distance = rank_distance(rows.ranked, rows.n_languages)
        if setting == "multi" and np.isnan(distance).all():
            scores["notes"].append("rank distance was left out: no query has relevant documents in two languages")
        tables.append(_table(benchmark, rows, values, distance))
    if not tables:
        raise InputError(f"{benchmark.name}: nothing to measure: {'; '.join(scores['notes'])}")
    languages = {*benchmark.queries, *benchmark.corpus}
    for alike in regional(sorted(languages)):
        what = f"are one language in different regions, and count as {len(alike)}"
        scores["notes"].append(f"{' and '.join(alike)} {what}")
    scores["counts"] = {
        "languages": len(languages),
        "queries": {lang: len(texts) for lang, texts in benchmark.queries.items()},
        "documents": {lang: len(texts) for lang, texts in benchmark.corpus.items()},
        "cells": cells,
    }
    return scores, pa.concat_tables(tables)


def _table(benchmark: Benchmark, rows: QueryRows, values: dict[str, FloatArray], distance: FloatArray) -> pa.Table:
    """The rows of one setting as they are written to `per_query.parquet`."""
    ids = pa.array([key for _, key, _ in benchmark.pooled_queries()], pa.string())
    groups = pa.array(benchmark.query_groups, pa.string()) if benchmark.query_groups else ids
    query_languages, document_languages = (pa.array(names, pa.string()) for names in zip(*rows.names))
    columns = {
        "setting": pa.repeat(rows.setting, len(rows)),
        "query_id": ids.take(rows.query),
        "query_lang": query_languages.take(rows.cell),
        "doc_lang": document_languages.take(rows.cell),
        "group": groups.take(rows.query),
        "n_relevant": pa.array(rows.ranked.n_relevant, pa.int64()),
        **{name: pa.array(column, pa.float64()) for name, column in values.items()},
        "best_rank": pa.array(rows.ranked.best, pa.int64()),
        "worst_rank": pa.array(rows.ranked.worst, pa.int64()),
        RANK_DISTANCE: pa.array(distance, pa.float64(), from_pandas=True),
    }
    return pa.table(columns)
