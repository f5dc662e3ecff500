"""Files with one row per pair and language."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from isoglot.data.csv_rows import csv_rows
from isoglot.data.opening import HeaderError
from isoglot.data.pairs.columns import REQUIRED, Columns
from isoglot.data.pairs.source import SOURCES, Item, Place, Source
from isoglot.data.readers import READERS, Mark, id_field, json_rows, marked, split_name, text_field
from isoglot.errors import LineError
from isoglot.reading import JsonError, parse_json
from isoglot.records import PairRow


class Files(Source):
    """JSON lines, CSV, TSV or Parquet with the columns id, lang, query, passage [passage_id, document_id, negatives, source]."""

    name = "files"
    form = "FILE (.jsonl .csv .tsv .parquet, also .gz)"

    def takes(self, spec: str) -> bool:
        return bool(split_name(Path(spec))[1]) and os.path.exists(spec) and not os.path.isdir(spec)

    def read_on(self, spec: str, data_dir: Path | None, place: Place) -> Iterator[Item]:
        return read_file(Path(spec), {}, {}, place)


def read_file(
    path: Path,
    names: Mapping[str, str],
    dialect: Mapping[str, str],
    place: Place,
    of: tuple[str, str] | None = None,
) -> Iterator[Item]:
    """The rows of a file, see `Columns`.

    Args:
        names: of its columns.
        dialect: delimiter and encoding of a CSV file, where they are given.
        place: where to begin; it moves with every row.
        of: (language, source) of its rows, where it is one of several files that are named after their languages.
    """
    columns, (stem, ending) = Columns(path, names, of[0] if of else None), split_name(path)
    stem = of[1] if of else stem
    behind = replace(place.mark)
    if ending in (".csv", ".tsv", ""):
        usual = "\t" if ending == ".tsv" else ","
        rows = marked(csv_rows(path, columns.needed, usual, **dialect), behind)
    else:
        rows = READERS[ending](path, columns.needed, behind)
        if ending == ".jsonl" and behind != Mark():
            columns.look(fields for _, fields in json_rows(path))
    try:
        for number, fields in rows:
            own = behind.before if of else None
            made = (fields,) if isinstance(fields, LineError) else columns.rows(fields, number, own)
            for item in place.give([_parsed(row, stem, str(path), number) for row in made], behind):
                yield item, str(path), number
    except HeaderError as error:
        raise LineError(path, error.line, f"{error.problem}; {columns.hint(error.columns)}") from None


def _parsed(row: Mapping[str, Any] | LineError, stem: str, path: str, number: int) -> PairRow | LineError:
    try:
        return row if isinstance(row, LineError) else parse_row(row, stem, path, number)
    except LineError as problem:
        return problem


def parse_row(fields: Mapping[str, Any], default_source: str, path: str, line: int) -> PairRow:
    """A row from the fields of a file. LineError says what is wrong with it."""
    hint = f"a row needs {', '.join(REQUIRED)}"
    key = id_field(fields, "id", path, line, hint) or ""
    lang, query, passage = (text_field(fields, name, path, line, hint) for name in REQUIRED[1:])
    return PairRow(
        source=id_field(fields, "source", path, line) or default_source,
        id=key,
        lang=lang,
        query=query.strip(),
        passage=passage.strip(),
        passage_id=id_field(fields, "passage_id", path, line),
        negatives=_negatives(fields.get("negatives"), path, line),
        document_id=id_field(fields, "document_id", path, line),
    )


def _negatives(value: Any, path: str, line: int) -> tuple[str, ...]:
    """Texts from a list, a JSON list (CSV cells) or nothing."""
    if value is None or value == "":
        return ()
    try:
        texts = parse_json(value) if isinstance(value, str) else value
    except JsonError as error:
        raise LineError(path, line, f"field 'negatives' must be a list of non-empty texts ({error})") from None
    if not isinstance(texts, list) or not all(isinstance(text, str) and text.strip() for text in texts):
        raise LineError(path, line, "field 'negatives' must be a list of non-empty texts")
    return tuple(text.strip() for text in texts)


SOURCES.register(Files())
