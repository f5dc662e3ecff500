"""Result files: every figure that is printed comes from one of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from isoglot.errors import InputError
from isoglot.files import atomic_path, read_json, write_json

SUMMARY_FILE = "summary.json"
PER_QUERY_FILE = "per_query.parquet"


@dataclass(frozen=True)
class Result:
    """What one model scored on one benchmark.

    Attributes:
        summary: plain JSON values:
            model, benchmark: names, as given;
            context: what a candidate was encoded with ("sentence" where that is no choice);
            settings: {"mono" | "cross" | "multi": {measure: macro-average over languages or ordered language pairs}};
            bias: {"rank_distance", "rank_distance_median", "per_language": {lang: both}}, {} without the multi setting;
            per_language: {"mono" | "multi": {lang: {measure: x}}, "cross": {"by_query", "by_document", "matrix"}};
            counts: {"languages": n, "queries": {lang: n}, "documents": {lang: n}, "cells": {setting: n}};
            notes: what could not be measured, and why;
            tie_rule; prompts; about (licence and source of the benchmark); digests: {"benchmark", "model"} (SHA-256);
            versions: {package: version}; seconds: {"encode_queries", "encode_corpus", "rank", "measure", "total"}.
        per_query: one row per query and cell: setting, query_id, query_lang, doc_lang ("*" in multi), group (the query
            id where the benchmark has no groups), n_relevant, one float64 column per measure, best_rank, worst_rank,
            rank_distance (float64; null outside multi and where a query has no relevant documents in two languages).
    """

    summary: dict[str, Any]
    per_query: pa.Table

    def save(self, directory: str | Path) -> None:
        """Write `summary.json` and `per_query.parquet`; the summary, written last, is never there without the rows."""
        folder = Path(directory)
        if folder.exists() and not folder.is_dir():
            raise InputError(f"{folder}: is a file; results are written into a folder")
        with atomic_path(folder / PER_QUERY_FILE) as temporary:
            pq.write_table(self.per_query, temporary, compression="zstd")
        write_json(folder / SUMMARY_FILE, self.summary)


def load_result(directory: str | Path) -> Result:
    """Read what `Result.save` wrote.

    Raises:
        InputError: a file is missing or is no result.
    """
    folder = Path(directory)
    summary = read_json(folder / SUMMARY_FILE)
    if not isinstance(summary, dict) or "settings" not in summary:
        raise InputError(f"{folder / SUMMARY_FILE}: not a result of `isoglot evaluate`")
    path = folder / PER_QUERY_FILE
    try:
        # ParquetFile reads this one file; read_table would take `setting=x` in a folder name for a column
        table = pq.ParquetFile(path).read()
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except pa.ArrowInvalid:
        raise InputError(f"{path}: not a Parquet file") from None
    return Result(summary, table)
