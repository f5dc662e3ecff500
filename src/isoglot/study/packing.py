"""The rows per query of a whole study in one small table, as an export holds them: bit for bit what the results held.

Most values repeat: with one relevant passage every measure follows from its rank, and languages, seeds and systems share their
queries. The rows of one query stand together, and a row whose values are those of an earlier row with the same ranks holds
nulls in their place (`coded` = 1). Where only the rank distance follows from the ranks, that is null (`coded` = 2).
"""

from __future__ import annotations

import json
import lzma
from collections.abc import Mapping
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
_REPEATS, _DISTANCE_FOLLOWS = 1, 2


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
    if set(_RANKS) <= set(table.column_names):
        first = _first_of_ranks(table)
        repeats: BoolArray = first != np.arange(len(table))
        for name in _values(table):
            bits = _bits(table, name)
            repeats &= bits == bits[first]
        table = _put(table, dict.fromkeys(_values(table), (repeats, None)))
        coded[repeats] = _REPEATS
        if {"worst_rank", "rank_distance"} <= set(table.column_names):
            follows = (coded == 0) & (_bits(table, "rank_distance") == _bits_of(_distance(table)))
            table = _put(table, {"rank_distance": (follows, None)})
            coded[follows] = _DISTANCE_FOLLOWS
    return table.append_column("coded", pa.array(coded))


def _lengthen(table: pa.Table) -> pa.Table:
    coded = table["coded"].to_numpy()
    if set(_RANKS) <= set(table.column_names):
        if (coded == _DISTANCE_FOLLOWS).any():
            table = _put(table, {"rank_distance": (coded == _DISTANCE_FOLLOWS, pa.array(_distance(table)))})
        source = np.where(coded == _REPEATS, _first_of_ranks(table), np.arange(len(table)))
        repeated = {name: table[name].combine_chunks().take(source) for name in _values(table)}
        table = _put(table, {name: (coded == _REPEATS, values) for name, values in repeated.items()})
    return table


def _values(table: pa.Table) -> list[str]:
    """The columns of numbers that may follow from the ranks."""
    skipped = (*_RANKS, *_ADDED)
    return [f.name for f in table.schema if f.name not in skipped and not pa.types.is_string(f.type)]


def _first_of_ranks(table: pa.Table) -> IntArray:
    """For each row the first with the same number of relevant passages and the same best rank, shape (n,)."""
    relevant, best = (table[name].to_numpy() for name in _RANKS)
    _, first, inverse = np.unique(best * (relevant.max() + 1) + relevant, return_index=True, return_inverse=True)
    rows: IntArray = first[inverse]
    return rows


def _put(table: pa.Table, columns: Mapping[str, tuple[BoolArray, Any]]) -> pa.Table:
    """Replace the masked values of columns; None: by nulls."""
    for name, (mask, values) in columns.items():
        old = table[name].combine_chunks()
        new = pc.if_else(pa.array(mask), pa.scalar(None, old.type) if values is None else values, old)
        table = table.set_column(table.column_names.index(name), name, new)
    return table


def _distance(table: pa.Table) -> Any:
    worst = table["worst_rank"].to_numpy(zero_copy_only=False).astype(np.float64)
    return worst - table["best_rank"].to_numpy().astype(np.float64)


def _bits(table: pa.Table, name: str) -> IntArray:
    return _bits_of(table[name].to_numpy(zero_copy_only=False).astype(np.float64))


def _bits_of(values: Any) -> IntArray:
    bits: IntArray = np.ascontiguousarray(values, dtype=np.float64).view(np.int64)
    return bits


def _codes(table: pa.Table, name: str) -> IntArray:
    """A column of texts as numbers in their order, shape (n,)."""
    encoded = table[name].combine_chunks().dictionary_encode()
    ranks: IntArray = np.argsort(np.argsort(encoded.dictionary.to_numpy(zero_copy_only=False)))
    codes: IntArray = ranks[encoded.indices.to_numpy()]
    return codes
