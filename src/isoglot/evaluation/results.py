"""Result files, from which every figure that is printed comes, and what was measured by content: digests and versions."""

from __future__ import annotations

import hashlib
import platform
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from isoglot.data.readers import read_parquet
from isoglot.disk import delete, sync
from isoglot.errors import InputError
from isoglot.evaluation.report import blocks
from isoglot.files import atomic_path, digest_file, package_versions, read_json, write_json
from isoglot.one_writer import locked
from isoglot.places import RUN, did_you_mean, is_model, it_is, what_is
from isoglot.retrieval.encode import Embeddings
from isoglot.tables import as_html, as_text

if TYPE_CHECKING:
    import pandas as pd

SUMMARY_FILE = "summary.json"
PER_QUERY_FILE = "per_query.parquet"
_NEXT = "per_query.next.parquet"
_TEXTS = ("setting", "query_id", "query_lang", "doc_lang", "group")
_ROWS = "per_query"  # the rows' key among the digests
_PACKAGES = ("numpy", "sentence-transformers", "torch", "transformers")


@dataclass(frozen=True)
class Result:
    """What one model scored on one benchmark.

    Attributes:
        summary: plain JSON values:
            model, benchmark: names, as given;
            context: what a candidate was encoded with ("sentence" where that is no choice);
            settings: {setting: {measure: macro-average over languages or ordered language pairs}};
            bias: {"rank_distance", "rank_distance_median", "per_language": {lang: both}}, {} without the multi setting;
            per_language: {"mono" | "multi" | "natural": {lang: {measure: x}},
                "cross" | "natural-cross": {"by_query", "by_document", "matrix"}};
            counts: {"languages": n, "queries": {lang: n}, "documents": {lang: n}, "cells": {setting: n}};
            notes: what could not be measured, and why;
            leak: what the model is known to have been trained on of the benchmark (see `isoglot.evaluation.leak`), if anything;
            tie_rule; prompts; about (licence and source of the benchmark); digests: {"benchmark", "model"} (SHA-256; in
            summary.json also that of the file of the rows, "per_query");
            model_facts: see `isoglot.models.facts.describe` (only of a `SentenceTransformer`);
            versions: {package: version}; seconds: {"encode_queries", "encode_corpus", "rank", "measure", "total"}.
        per_query: one row per query and cell: setting, query_id, query_lang, doc_lang ("*" in multi), group (the query
            id where the benchmark has no groups), n_relevant, one float64 column per measure, best_rank, worst_rank,
            rank_distance (float64; null outside multi and where a query has no relevant documents in two languages).
    """

    summary: dict[str, Any]
    per_query: pa.Table

    def save(self, directory: str | Path) -> None:
        """Write `summary.json` and `per_query.parquet`, both or (of an older result there) neither.

        Raises:
            InputError: the folder cannot be written, or another process writes into it.
        """
        with locked(Path(directory)):
            write_result(self, Path(directory))

    def to_pandas(self) -> pd.DataFrame:
        """The rows per query as a DataFrame."""
        return self.per_query.to_pandas()

    def __str__(self) -> str:
        """The table that `isoglot evaluate` prints."""
        return as_text(blocks(self.summary))

    def __repr__(self) -> str:
        return (
            f"<Result of {self.summary.get('model')} on {self.summary.get('benchmark')}: {len(self.per_query):,} rows>"
        )

    def _repr_html_(self) -> str:
        return as_html(blocks(self.summary))


def check_no_result(folder: Path) -> None:
    """InputError where a folder holds a result, or something else that a result would lie among."""
    if (folder / SUMMARY_FILE).exists() or (folder / PER_QUERY_FILE).exists():
        raise InputError(
            f"{folder}: holds a result already{_of(folder)}; give another --output, or --overwrite to replace it"
        )
    if (kind := what_is(folder)) not in ("", RUN):
        raise InputError(f"{folder}: is {kind}; give another --output")


def _of(folder: Path) -> str:
    """` (of 'runs/repaired' on xquad-r)`, or "" where that cannot be read."""
    with suppress(InputError, AttributeError):
        summary = read_json(folder / SUMMARY_FILE)
        return f" (of '{summary.get('model')}' on {summary.get('benchmark')})"
    return ""


def write_result(result: Result, folder: Path) -> None:
    """What `Result.save` does, for a caller that holds the folder's lock.

    The summary names the digest of its rows. The new rows wait under a name of their own until the new summary is there, so the
    pair changes at one moment; `load_result` ends what was killed right after it.
    """
    with atomic_path(folder / _NEXT) as temporary:
        pq.write_table(result.per_query, temporary, compression="zstd")
    digests = {**result.summary.get("digests", {}), _ROWS: digest_file(folder / _NEXT)}
    try:
        write_json(folder / SUMMARY_FILE, {**result.summary, "digests": digests})
    except InputError:
        if not _is_named(folder, digests[_ROWS]):
            delete(folder / _NEXT, ignore_errors=True)
        raise
    _take_name(folder)


def _is_named(folder: Path, rows: str) -> bool:
    """Does the summary that is there name these rows?"""
    with suppress(InputError, KeyError, TypeError):
        return bool(read_json(folder / SUMMARY_FILE)["digests"][_ROWS] == rows)
    return False


def _take_name(folder: Path) -> None:
    (folder / _NEXT).replace(folder / PER_QUERY_FILE)
    sync(folder)


def load_result(directory: str | Path) -> Result:
    """Read what `Result.save` wrote.

    Raises:
        InputError: a file is missing, damaged or no result, or summary and rows do not belong together.
    """
    folder = Path(directory)
    if not (folder / SUMMARY_FILE).exists():
        raise InputError(f"{folder}: {_no_result(folder)}")
    summary = read_json(folder / SUMMARY_FILE)
    if not (isinstance(summary, dict) and all(isinstance(summary.get(key), dict) for key in ("settings", "digests"))):
        raise InputError(f"{folder / SUMMARY_FILE}: not a result of `isoglot evaluate`")
    # results of earlier versions name no digest of their rows
    expected = summary["digests"].pop(_ROWS, None)
    path = folder / PER_QUERY_FILE
    if expected is not None and not _has_digest(path, expected):
        if not _has_digest(folder / _NEXT, expected):
            raise InputError(f"{path}: not the rows of the {SUMMARY_FILE} beside it, or damaged; measure again")
        with suppress(InputError, OSError), locked(folder):  # a folder that is only read stays as it is
            _take_name(folder)
        path = next(file for file in (folder / _NEXT, path) if _has_digest(file, expected))
    return Result(summary, _checked(path, read_parquet(path)))


def _no_result(folder: Path) -> str:
    """Why there is no result at a path, and what to do about it."""
    if not folder.is_dir():
        return "is a file" if folder.exists() else f"no such folder{did_you_mean(folder)}"
    if is_model(folder):
        return f"is {what_is(folder)}, not a result: isoglot evaluate {folder} BENCHMARK --output DIR makes one"
    return f"no result in it ({SUMMARY_FILE} is missing); isoglot evaluate --output writes one{it_is(folder)}"


def _checked(path: Path, rows: pa.Table) -> pa.Table:
    for column in rows.schema:
        is_number = pa.types.is_integer(column.type) or pa.types.is_floating(column.type)
        if not (pa.types.is_string(column.type) if column.name in _TEXTS else is_number):
            raise InputError(
                f"{path}: column '{column.name}' holds {column.type}, not what `isoglot evaluate` writes there"
            )
    return rows


def _has_digest(path: Path, expected: object) -> bool:
    return path.is_file() and digest_file(path) == expected


def model_digest(model: Any) -> str | None:
    """SHA-256 (hex) of a model's parameters and buffers with their names, shapes and types; None where it has none.

    For `Embeddings` it is that of the vectors. The same weights give the same digest on every device.
    """
    digest = hashlib.sha256()
    if isinstance(model, Embeddings):
        for array in (model.queries, np.asarray(model.documents[:])):
            digest.update(f"{array.shape} {array.dtype};".encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()
    if not hasattr(model, "state_dict"):
        return None
    import torch

    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype};".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def model_facts(model: Any) -> dict[str, Any]:
    """What a model is, for the summary; {} for anything but a `SentenceTransformer`."""
    if "sentence_transformers" not in sys.modules:  # then the model cannot be one of its own
        return {}
    from isoglot.models.facts import describe

    return describe(model)


def versions() -> dict[str, str]:
    """Versions of Python, isoglot and the packages that decide a number."""
    return package_versions(["isoglot"]) | {"python": platform.python_version()} | package_versions(_PACKAGES)
