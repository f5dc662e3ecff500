"""The rows per query of a whole study in one small table, as an export holds them: bit for bit what the results held.

Most values repeat: with one relevant passage every measure follows from its rank, and languages, seeds and systems share their
queries. A row has its values where they occur for the first time, and else, in `same_as`, the number of that row among those
with values. Rank distance is kept as what it is more than worst minus best rank. Rows of one place in their results stand
together. Summaries and whatever else only programs read are JSON in the metadata of the file.
"""

from __future__ import annotations

import base64
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

from isoglot.data.readers import open_parquet, read_parquet
from isoglot.errors import InputError, first_line
from isoglot.evaluation.results import Result
from isoglot.files import atomic_path
from isoglot.reading import parse_json
from isoglot.records import IntArray

PACKED = "per_query.parquet"
_MOST = 1 << 28  # bytes of what only programs read, unpacked
_RANKS = {"best_rank", "worst_rank", "rank_distance"}


def pack(path: Path, results: Mapping[str, Result], details: Mapping[str, Any]) -> None:
    """Write the rows of results as one table, and read it back to be sure.

    Args:
        path: of the table.
        results: by folder in the study, `cells/<id>/results/<benchmark>`.
        details: JSON values to keep beside the summaries.

    Raises:
        InputError: rows do not come out as they went in.
    """
    entries = {folder: [result.summary, result.per_query.column_names] for folder, result in results.items()}
    text = json.dumps({**details, "entries": entries}, ensure_ascii=False)
    table = _shorten(_together(results))
    # hardly two values of AP are alike; all others are worth a dictionary
    encodings = {"use_dictionary": sorted({*table.column_names} - {"AP"})}
    encodings["use_byte_stream_split"] = sorted({*table.column_names} & {"AP"})
    options: dict[str, Any] = {**encodings, "data_page_size": 1 << 23, "dictionary_pagesize_limit": 1 << 23}
    with atomic_path(path) as temporary:
        with pq.ParquetWriter(temporary, table.schema, compression="brotli", compression_level=11, **options) as writer:
            writer.write_table(table, row_group_size=1 << 22)
            encoded = base64.b85encode(lzma.compress(text.encode(), preset=9)).decode()
            writer.add_key_value_metadata({"details": encoded})
        packed = PackedStudy(temporary)
        for folder, result in results.items():
            if not packed.result(folder).per_query.equals(result.per_query):
                raise InputError(f"{path}: the rows of {folder} do not come out as they went in")


class PackedStudy:
    """What the table of an export holds.

    Args:
        path: of the table.

    Attributes:
        details: as `pack` was given them.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            with open_parquet(path) as file:
                metadata = file.metadata.metadata or {}
            text = metadata[b"details"]
            self.details: dict[str, Any] = parse_json(_unpacked(base64.b85decode(text)).decode())
            self._entries: dict[str, Any] = self.details.pop("entries")
            if not isinstance(self._entries, dict):
                raise ValueError("no results by folder")
        except (AttributeError, TypeError, OSError, lzma.LZMAError, EOFError, ValueError, KeyError) as error:
            problem = " ".join(str(error).split())
            raise InputError(
                f"{path}: cannot be read ({problem}); expected what `isoglot study export` writes"
            ) from None

    def result(self, folder: str) -> Result:
        """The result that lay in a folder of the study. InputError where the export has none from there."""
        if folder not in self._entries:
            raise InputError(f"{self._path}: no rows of {folder}")
        try:
            summary, columns = self._entries[folder]
            return Result(dict(summary), self._tables[folder].select(columns))
        except (ValueError, TypeError, KeyError) as error:
            raise InputError(
                f"{self._path}: damaged (the rows of {folder}: {first_line(error)}); export the study again"
            ) from None

    @cached_property
    def _tables(self) -> dict[str, pa.Table]:
        """The rows by folder, with a column for every measure of the study."""
        try:
            table = _lengthen(read_parquet(self._path))
        except (pa.ArrowException, ValueError, KeyError, IndexError) as error:  # what damaged bytes lead to
            problem = " ".join(str(error).split())
            raise InputError(f"{self._path}: damaged ({problem}); export the study again") from None
        names = table.select(["cell", "benchmark"]).append_column("row", pa.array(np.arange(len(table))))
        grouped = names.group_by(["cell", "benchmark"], use_threads=False).aggregate([("row", "list")])
        columns = [grouped[name].to_pylist() for name in ("cell", "benchmark")]
        rows = grouped["row_list"].combine_chunks()
        table = table.drop_columns(["cell", "benchmark"])
        return {f"cells/{c}/results/{b}": table.take(rows[i].values) for i, (c, b) in enumerate(zip(*columns))}


def _unpacked(data: bytes) -> bytes:
    """What `lzma.compress` was given, within bounds: some kilobytes can be unpacked to gigabytes."""
    unpacking = lzma.LZMADecompressor(memlimit=_MOST)
    text = unpacking.decompress(data, max_length=_MOST)
    if not unpacking.eof:
        raise EOFError(f"its details are cut, or of more than {_MOST >> 20} MiB")
    return text


def _together(results: Mapping[str, Result]) -> pa.Table:
    """All rows with the names of their benchmark and cell: the first of every result, then the second, and so on."""
    names = dict.fromkeys(("benchmark", "cell"), pa.array([], pa.string()))
    tables = [pa.table({**names, "row": np.arange(0)})]
    for folder, result in results.items():
        size, (cell, benchmark) = len(result.per_query), folder.removeprefix("cells/").split("/results/")
        added = {"benchmark": pa.repeat(benchmark, size), "cell": pa.repeat(cell, size), "row": np.arange(size)}
        tables.append(pa.table({**_columns(result.per_query), **added}))
    table = pa.concat_tables(tables, promote_options="default")
    order = pc.sort_indices(table, [(name, "ascending") for name in ("benchmark", "row", "cell")])
    return table.take(order).drop_columns(["row"])


def _shorten(table: pa.Table) -> pa.Table:
    """Values that occurred before become nulls."""
    columns, number = _columns(table), np.zeros(len(table), dtype=np.int64)
    if columns.keys() >= _RANKS:
        columns["rank_distance"] = pc.subtract(columns["rank_distance"], _distance(columns))
    values = {name: column for name, column in columns.items() if not pa.types.is_string(column.type)}
    for column in values.values():  # number: of the values of each row together, as they appear
        # as the bits of float64, so that nulls and zeros with a sign are told apart
        codes = _codes(np.asarray(column.to_numpy(), dtype=np.float64).view(np.int64))
        number = _codes(number * (codes.max(initial=0) + 1) + codes)
    is_first = np.zeros(len(table), dtype=bool)
    is_first[np.unique(number, return_index=True)[1]] = True
    first = {name: pc.if_else(is_first, column, pa.scalar(None, column.type)) for name, column in values.items()}
    return pa.table({**columns, **first, "same_as": pa.array(number, mask=is_first)})


def _lengthen(table: pa.Table) -> pa.Table:
    """The inverse of `_shorten`."""
    columns, source = _columns(table.combine_chunks()), np.arange(len(table))
    same_as = columns.pop("same_as").to_numpy()
    repeats = ~np.isnan(same_as)
    source[repeats] = np.flatnonzero(~repeats)[same_as[repeats].astype(np.int64)]
    for name, column in columns.items():
        columns[name] = column if pa.types.is_string(column.type) else column.take(source)
    if columns.keys() >= _RANKS:
        columns["rank_distance"] = pc.add(columns["rank_distance"], _distance(columns))
    return pa.table(columns)


def _columns(table: pa.Table) -> dict[str, Any]:
    return dict(zip(table.column_names, table.columns))


def _codes(values: IntArray) -> IntArray:
    """Numbers for different values, from 0 as they appear, shape (n,)."""
    codes: IntArray = pa.array(values).dictionary_encode().indices.to_numpy().astype(np.int64)
    return codes


def _distance(columns: Mapping[str, Any]) -> Any:
    """Worst minus best rank, 0 where there is none."""
    return pc.subtract(columns["worst_rank"], columns["best_rank"]).cast(pa.float64()).fill_null(0.0)
