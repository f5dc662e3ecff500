"""Files with one row per pair and language."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from isoglot.data.languages import language
from isoglot.data.pairs.source import SOURCES, Item, Source
from isoglot.data.readers import READERS, split_name
from isoglot.errors import InputError, LineError
from isoglot.records import PairRow

_REQUIRED = ("id", "lang", "query", "passage")


class Files(Source):
    """JSON lines, CSV, TSV or Parquet with the columns id, lang, query, passage [passage_id, negatives, source]."""

    name = "files"
    form = "FILE (.jsonl .csv .tsv .parquet, also .gz)"

    def takes(self, spec: str) -> bool:
        return bool(split_name(Path(spec))[1]) and Path(spec).is_file()

    def read(self, spec: str, data_dir: Path | None) -> Iterator[Item]:
        path = Path(spec)
        stem, ending = split_name(path)
        for number, fields in READERS[ending](path, _REQUIRED):
            row = fields if isinstance(fields, LineError) else parse_row(fields, stem, spec, number)
            yield row, spec, number


def parse_row(fields: Mapping[str, Any], default_source: str, path: str, line: int) -> PairRow | LineError:
    """A row from the fields of a file, or what is wrong with it."""
    for key in _REQUIRED:
        value = fields.get(key)
        if value is None:
            return LineError(path, line, f"field '{key}' is missing (a row needs {', '.join(_REQUIRED)})")
        if not isinstance(value, str) and not (key == "id" and isinstance(value, int)):
            return LineError(path, line, f"field '{key}' must be text, found {type(value).__name__}")
        if not str(value).strip():
            return LineError(path, line, f"field '{key}' is empty")
    try:
        lang = language(fields["lang"])
    except InputError as error:
        return LineError(path, line, str(error))
    negatives = _negatives(fields.get("negatives"))
    if negatives is None:
        return LineError(path, line, "field 'negatives' must be a list of non-empty texts")
    passage_id, source = fields.get("passage_id"), fields.get("source")
    return PairRow(
        source=str(source) if source not in (None, "") else default_source,
        id=str(fields["id"]),
        lang=lang,
        query=fields["query"].strip(),
        passage=fields["passage"].strip(),
        passage_id=str(passage_id) if passage_id not in (None, "") else None,
        negatives=negatives,
    )


def _negatives(value: Any) -> tuple[str, ...] | None:
    """Texts from a list, a JSON list (CSV cells) or nothing; None where it is something else."""
    if value is None or value == "":
        return ()
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except json.JSONDecodeError:
            return None
    if not isinstance(value, list) or not all(isinstance(text, str) and text.strip() for text in value):
        return None
    return tuple(text.strip() for text in value)


SOURCES.register(Files())
