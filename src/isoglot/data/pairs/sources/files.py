"""Files with one row per pair and language."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from isoglot.data.pairs.source import SOURCES, Item, Place, Source
from isoglot.data.readers import READERS, id_field, split_name, text_field
from isoglot.errors import LineError
from isoglot.reading import JsonError, parse_json
from isoglot.records import PairRow

_REQUIRED = ("id", "lang", "query", "passage")


class Files(Source):
    """JSON lines, CSV, TSV or Parquet with the columns id, lang, query, passage [passage_id, document_id, negatives, source]."""

    name = "files"
    form = "FILE (.jsonl .csv .tsv .parquet, also .gz)"

    def takes(self, spec: str) -> bool:
        return bool(split_name(Path(spec))[1]) and os.path.exists(spec) and not os.path.isdir(spec)

    def read(self, spec: str, data_dir: Path | None) -> Iterator[Item]:
        return self.read_on(spec, data_dir, Place())

    def read_on(self, spec: str, data_dir: Path | None, place: Place) -> Iterator[Item]:
        path = Path(spec)
        stem, ending = split_name(path)
        for number, fields in READERS[ending](path, _REQUIRED, place.mark):
            place.rows += 1
            try:
                row = fields if isinstance(fields, LineError) else parse_row(fields, stem, spec, number)
            except LineError as problem:
                row = problem
            yield row, spec, number


def parse_row(fields: Mapping[str, Any], default_source: str, path: str, line: int) -> PairRow:
    """A row from the fields of a file. LineError says what is wrong with it."""
    hint = f"a row needs {', '.join(_REQUIRED)}"
    key = id_field(fields, "id", path, line, hint) or ""
    lang, query, passage = (text_field(fields, name, path, line, hint) for name in _REQUIRED[1:])
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
