"""The rows per query of a whole study in one small table, as an export holds them: bit for bit what the results held.

Most values repeat: with one relevant passage every measure follows from its rank, and languages, seeds and systems share their
queries. The rows of one query stand together, and where values are those of the first row with the same ranks, there are nulls
in their place (bit 1 of `coded`); where the rank distance is that of the ranks (2); where R@1 and R@10 are those of the first row
with the same ranks and nDCG@10 (4).
"""

from __future__ import annotations

import json
import lzma
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from isoglot.errors import InputError
from isoglot.evaluation.results import Result
from isoglot.files import atomic_path
from isoglot.records import BoolArray, IntArray

PACKED, DETAILS = "per_query.parquet", "details.json.xz"
_RANKS = ("n_relevant", "best_rank")
_ADDED = ("cell", "benchmark", "block", "place", "coded")
_ALL, _DISTANCE, _SHALLOW = 1, 2, 4  # bits of the column `coded`


def pack(directory: Path, tables: Mapping[tuple[str, str], pa.Table], details: Mapping[str, Any]) -> None:
    """Write tables of rows per query as one, and read it back to be sure; beside it what only programs read.

    Args:
        directory: where to.
        tables: by (id of a run, benchmark), as `Result.per_query`.
        details: JSON values; `results` has per id and benchmark the `record`, the `summary` and the `columns` of a result.

    Raises:
        InputError: a table does not come out as it went in.
    """
    named = [_with_places(table, *key) for key, table in tables.items()]
    keys = ["benchmark", "setting", "query_id", "query_lang", "doc_lang", "cell"]
    together = pa.table({key: pa.array([], pa.string()) for key in keys})
    if named:
        together = pa.concat_tables(named, promote_options="default").sort_by([(key, "ascending") for key in keys])
        together = _shorten(together.combine_chunks())
    with atomic_path(directory / PACKED) as temporary:
        pq.write_table(
            together,
            temporary,
            compression="zstd",
            compression_level=19,
            row_group_size=1 << 22,
            data_page_size=1 << 23,
            dictionary_pagesize_limit=1 << 23,
            **_encodings(together),
        )
    packed = unpack(directory / PACKED)
    for key, table in tables.items():
        if not packed[key].select(table.column_names).equals(table):
            raise InputError(f"{directory}: the rows of {key[0]} on {key[1]} do not come out as they went in")
    text = json.dumps(details, ensure_ascii=False, separators=(",", ":"))
    with atomic_path(directory / DETAILS) as temporary:
        temporary.write_bytes(lzma.compress(text.encode(), preset=9))


def unpack(path: Path) -> dict[tuple[str, str], pa.Table]:
    """The tables that `pack` wrote, by (id of a cell, benchmark), with a column for every measure of the study.

    Raises:
        InputError: no such file, or it is no table of that kind.
    """
    try:
        together = pq.read_table(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise InputError(f"{path}: cannot be read as Parquet ({error})") from None
    if missing := [name for name in ("cell", "benchmark") if name not in together.column_names]:
        raise InputError(f"{path}: no column '{missing[0]}'; expected the rows of `isoglot study export`")
    if not len(together):
        return {}
    together = _lengthen(together.combine_chunks())
    codes = [_codes(together, name) for name in ("benchmark", "cell")]
    places = [_codes(together, "doc_lang"), together["place"].to_numpy(), together["block"].to_numpy()]
    order = np.lexsort((*places, codes[1], codes[0]))
    ordered = together.take(order)
    group = (codes[0] * (codes[1].max() + 1) + codes[1])[order]
    starts = [0, *(np.flatnonzero(np.diff(group)) + 1).tolist(), len(ordered)]
    tables = {}
    for start, end in zip(starts, starts[1:]):
        rows = ordered.slice(start, end - start).combine_chunks()
        tables[rows["cell"][0].as_py(), rows["benchmark"][0].as_py()] = rows.drop_columns(list(_ADDED))
    return tables


class PackedStudy:
    """An export: what its one table and its details hold of the results of a study.

    Attributes:
        details: as `pack` was given them.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        try:
            self.details: dict[str, Any] = json.loads(lzma.decompress((directory / DETAILS).read_bytes()))
            entries = [
                (run, name, entry) for run, own in self.details["results"].items() for name, entry in own.items()
            ]
            self._entries = {str(entry["record"]["path"]): (run, name, entry) for run, name, entry in entries}
        except (OSError, lzma.LZMAError, ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"{directory / DETAILS}: cannot be read ({error}); expected what an export holds"
            ) from None

    def restore(self, results: dict[str, Any]) -> dict[str, Any]:
        """results.json with what it said of single languages."""
        runs = []
        for run in results["cells"]:
            own = self.details["results"].get(run["id"], {})
            whole = {name: own[name]["record"] if name in own else scores for name, scores in run["benchmarks"].items()}
            runs.append({**run, "benchmarks": whole})
        return {**results, "cells": runs}

    def result(self, path: str) -> Result:
        """The result that lay in a folder of the study. InputError where the export has none from there."""
        run, benchmark, entry = self._entries.get(path, ("", "", {}))
        if (run, benchmark) not in self._tables:
            raise InputError(f"{self._directory / PACKED}: no rows of {path}")
        return Result(entry["summary"], self._tables[run, benchmark].select(entry["columns"]))

    @cached_property
    def _tables(self) -> dict[tuple[str, str], pa.Table]:
        return unpack(self._directory / PACKED)


def _encodings(table: pa.Table) -> dict[str, Any]:
    """Dictionaries for all columns but AP, which hardly has two values alike."""
    others = [name for name in table.column_names if name != "AP"]
    return {"use_dictionary": others, "use_byte_stream_split": [n for n in table.column_names if n == "AP"]}


def _with_places(table: pa.Table, cell: str, benchmark: str) -> pa.Table:
    """A table with its names and what restores its order: block (setting and query language) and place of the query in it."""
    n = len(table)
    block = _changes(_codes(table, "setting"), _codes(table, "query_lang"))
    place = _changes(block, _codes(table, "query_id"))
    place -= place[np.searchsorted(block, block)] if n else 0
    if (np.lexsort((_codes(table, "doc_lang"), place, block)) != np.arange(n)).any():
        block, place = np.zeros_like(block), np.arange(n)
    added: dict[str, Any] = {"cell": [cell] * n, "benchmark": [benchmark] * n, "block": block, "place": place}
    for name, values in added.items():
        table = table.append_column(name, pa.array(values))
    return table


def _changes(*codes: IntArray) -> IntArray:
    """How often any of several columns has changed up to each row, shape (n,)."""
    changed = np.any([np.diff(column, prepend=column[:1]) != 0 for column in codes], axis=0)
    return np.cumsum(changed, dtype=np.int64)


def _shorten(table: pa.Table) -> pa.Table:
    coded = np.zeros(len(table), dtype=np.int8)
    for code, (keys, columns) in _steps(table).items():
        first = _first(table, keys)
        repeats: BoolArray = (first != np.arange(len(table))) & (coded & _ALL == 0)
        for name in columns:
            bits = _bits(table[name])
            repeats &= bits == bits[first]
        coded[repeats] |= code
    if {"best_rank", "worst_rank", "rank_distance"} <= set(table.column_names):
        follows = (coded & _ALL == 0) & (_bits(table["rank_distance"]) == _bits(_distance(table)))
        coded[follows] |= _DISTANCE
        table = _put(table, "rank_distance", follows, None)
    for code, (_, columns) in _steps(table).items():
        for name in columns:
            table = _put(table, name, coded & code > 0, None)
    return table.append_column("coded", pa.array(coded))


def _lengthen(table: pa.Table) -> pa.Table:
    coded = table["coded"].to_numpy()
    if (coded & _DISTANCE > 0).any():
        table = _put(table, "rank_distance", coded & _DISTANCE > 0, pa.array(_distance(table)))
    for code, (keys, columns) in _steps(table).items():
        repeats = coded & code > 0
        source = np.where(repeats, _first(table, keys), np.arange(len(table)))
        for name in columns:
            table = _put(table, name, repeats, table[name].combine_chunks().take(source))
    return table


def _steps(table: pa.Table) -> dict[int, tuple[list[str], list[str]]]:
    """By code: by which columns the first row of a kind is found, and which columns repeat its values."""
    if not set(_RANKS) <= set(table.column_names):
        return {}
    skipped = (*_RANKS, *_ADDED)
    values = [f.name for f in table.schema if f.name not in skipped and not pa.types.is_string(f.type)]
    steps = {_ALL: (list(_RANKS), values)}
    shallow = [name for name in values if name in ("R@1", "R@10")]
    if "nDCG@10" in values and shallow:
        steps[_SHALLOW] = ([*_RANKS, "nDCG@10"], shallow)
    return steps


def _first(table: pa.Table, keys: Sequence[str]) -> IntArray:
    """For each row the first with the same values of some columns, shape (n,)."""
    group = np.zeros(len(table), dtype=np.int64)
    for name in keys:
        _, codes = np.unique(_bits(table[name]), return_inverse=True)
        group = group * (codes.max(initial=0) + 1) + codes
        _, group = np.unique(group, return_inverse=True)
    _, first = np.unique(group, return_index=True)
    rows: IntArray = first[group]
    return rows


def _put(table: pa.Table, name: str, mask: BoolArray, values: Any) -> pa.Table:
    """Replace the masked values of a column; None: by nulls."""
    old = table[name].combine_chunks()
    new = pc.if_else(pa.array(mask), pa.scalar(None, old.type) if values is None else values, old)
    return table.set_column(table.column_names.index(name), name, new)


def _distance(table: pa.Table) -> Any:
    worst = table["worst_rank"].to_numpy(zero_copy_only=False).astype(np.float64)
    return worst - table["best_rank"].to_numpy().astype(np.float64)


def _bits(values: Any) -> IntArray:
    """Numbers as the bits of float64, so that nulls and zeros with a sign are told apart, shape (n,)."""
    floats = values if isinstance(values, np.ndarray) else values.to_numpy(zero_copy_only=False)
    bits: IntArray = np.ascontiguousarray(floats, dtype=np.float64).view(np.int64)
    return bits


def _codes(table: pa.Table, name: str) -> IntArray:
    """A column of texts as numbers in their order, shape (n,)."""
    encoded = table[name].combine_chunks().dictionary_encode()
    ranks: IntArray = np.argsort(np.argsort(encoded.dictionary.to_numpy(zero_copy_only=False)))
    codes: IntArray = ranks[encoded.indices.to_numpy()]
    return codes
