"""Tables of texts: one row per section, with a key that is the same in all languages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from isoglot.data.documents.format import FORMATS, Format
from isoglot.data.documents.page import Block, Page
from isoglot.data.readers import FORMATS as ENDINGS
from isoglot.data.readers import READERS, id_field, split_name, text_field, valid
from isoglot.errors import LineError


class Table(Format):
    """CSV, TSV, JSON lines or Parquet with columns for key, heading and text, and where given for page and language."""

    name = "table"
    endings = ENDINGS
    names_language = True

    def read(self, path: Path, asked: Any) -> Iterator[Page]:
        names = [asked.key_column, asked.heading_column, asked.text_column]
        hint = f"a row needs {', '.join(names)}"
        seen: dict[tuple[str, str, str], int] = {}
        for number, fields in valid(READERS[split_name(path)[1]](path, names)):
            key = id_field(fields, names[0], path, number, hint) or ""
            page = id_field(fields, asked.page_column, path, number) or key
            heading, text, lang = (
                "" if fields.get(name) is None else text_field(fields, name, path, number, hint, empty=True)
                for name in (*names[1:], asked.language_column)
            )
            if (first := seen.setdefault((lang, page, key), number)) != number:
                raise LineError(
                    path, number, f"key '{key}' is already at line {first}; expected one row per key and language"
                )
            paragraphs = tuple(Block("text", line.strip()) for line in text.splitlines() if line.strip())
            yield Page(heading, (Block("heading", heading.strip(), 1, key), *paragraphs), page, lang)


FORMATS.register(Table())
