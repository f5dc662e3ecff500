"""Texts of any kind, whatever they are for: files, sources of pairs, benchmarks."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from isoglot.data.benchmarks.load import load_benchmark
from isoglot.data.pairs.source import SOURCES, read_source
from isoglot.data.readers import FORMATS, READERS, lines, split_name, valid
from isoglot.errors import InputError, LineError

_PLAIN = (".txt", ".txt.gz")
_NO_TEXTS = {"id", "_id", "lang", "language", "source"}


def read_texts(name: str, data_dir: Path | None = None) -> Iterator[str]:
    """The texts of one of these, one at a time.

    Args:
        name: a file of lines (.txt), a file of rows (.jsonl, .csv, ...), all of whose texts count but ids, languages and sources;
            another source of pairs (`isoglot list sources`); a benchmark (`isoglot data list`) or its folder.
        data_dir: where files of named data sets are looked for first.

    Raises:
        InputError: there is no such thing, or it is damaged.
    """
    path = Path(name)
    if path.is_file():
        return _of_file(path)
    if any(source.takes(name) for source in SOURCES):
        return _of_pairs(name, data_dir)
    benchmark = load_benchmark(name, data_dir=data_dir)
    texts = chain(benchmark.pooled_queries(), benchmark.pooled_documents())
    return (text for _, _, text in texts)


def _of_file(path: Path) -> Iterator[str]:
    ending = split_name(path)[1]
    if path.name.lower().endswith(_PLAIN):
        yield from (text for _, text in lines(path))
    elif ending:
        for _, row in valid(READERS[ending](path, ())):
            yield from _texts_in({key: value for key, value in row.items() if not _is_id(key)})
    else:
        raise InputError(f"{path}: unknown format (texts come from {', '.join([*_PLAIN, *FORMATS])})")


def _is_id(key: str) -> bool:
    return key in _NO_TEXTS or key.endswith("_id")


def _texts_in(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts_in(inner)


def _of_pairs(name: str, data_dir: Path | None) -> Iterator[str]:
    for row, _, _ in read_source(name, data_dir):
        if isinstance(row, LineError):
            raise row
        yield from (row.query, row.passage, *row.negatives)
