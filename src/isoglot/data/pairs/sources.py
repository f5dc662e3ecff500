"""Where parallel pairs come from: files, the LAReQA layout, the built-in facts. Each source yields rows or line errors."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

from isoglot.data.jsonl import BROKEN_GZIP, open_bytes
from isoglot.data.languages import language
from isoglot.data.pairs.qa_sets import QA_SETS
from isoglot.errors import InputError, LineError
from isoglot.records import PairRow

SCHEMES = ("facts:", "lareqa:", "lareqa-paragraphs:", "mmarco:", *(f"{name}:" for name in QA_SETS))
FORMATS = (".jsonl", ".jsonl.gz", ".csv", ".csv.gz", ".tsv", ".tsv.gz", ".parquet")

Item = tuple[PairRow | LineError, str, int]
"""A row or what is wrong with it, and the file and 1-based line it stands on."""


def read_source(spec: str, data_dir: Path | None = None) -> Iterator[Item]:
    """The rows of one source.

    Args:
        spec: a file (`.jsonl`, `.csv`, `.tsv`, each also `.gz`; `.parquet`), a folder of packed pairs, `facts:` or
            `facts:en,de`, `lareqa:DIR` (questions with their answer sentences; DIR may be `xquad-r` or `mlqa-r`),
            `lareqa-paragraphs:DIR` (whole paragraphs), `mmarco:hub` or `mmarco:DIR` (see `isoglot.data.pairs.mmarco`), or one of
            `isoglot.data.pairs.qa_sets` in the same way.
        data_dir: where named LAReQA folders are looked for first.

    Yields:
        (row or LineError, file, line). A malformed line is yielded, not raised, so that a check can list them all.

    Raises:
        InputError: no such file, unknown format.
    """
    if spec.startswith("facts:"):
        return _read_facts(spec.removeprefix("facts:"))
    if spec.startswith("lareqa:"):
        return _read_lareqa(spec.removeprefix("lareqa:"), data_dir, paragraphs=False)
    if spec.startswith("lareqa-paragraphs:"):
        return _read_lareqa(spec.removeprefix("lareqa-paragraphs:"), data_dir, paragraphs=True)
    if spec.startswith(SCHEMES):
        return _read_set(spec)
    path = Path(spec)
    if (path / "pairs.json").is_file():
        return _read_packed(path)
    if not path.is_file():
        what = "is a directory, not a file, and holds no packed pairs" if path.is_dir() else "no such file"
        raise InputError(f"{spec}: {what} (pairs come from a file {', '.join(FORMATS)} or from {', '.join(SCHEMES)})")
    name = path.name.lower()
    plain = name.removesuffix(".gz")
    if plain.endswith(".jsonl"):
        return _read_jsonl(path, plain.removesuffix(".jsonl"))
    if plain.endswith((".csv", ".tsv")):
        return _read_csv(path, plain[:-4], "\t" if plain.endswith(".tsv") else ",")
    if name.endswith(".parquet"):
        return _read_parquet(path, plain.removesuffix(".parquet"))
    raise InputError(f"{spec}: unknown format (expected {', '.join(FORMATS)} or {', '.join(SCHEMES)})")


def parse_row(fields: Mapping[str, Any], default_source: str, path: str, line: int) -> PairRow | LineError:
    """A row from the fields of a file, or what is wrong with it."""
    for key in ("id", "lang", "query", "passage"):
        value = fields.get(key)
        if value is None:
            return LineError(path, line, f"field '{key}' is missing (a row needs id, lang, query, passage)")
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


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Physical lines with their 1-based numbers; bytes, so that one bad byte spoils one line only."""
    with open_bytes(path) as source:
        try:
            yield from enumerate(source, start=1)
        except BROKEN_GZIP as error:
            raise InputError(f"{path}: not a complete gzip file ({error})") from None


def _read_jsonl(path: Path, name: str) -> Iterator[Item]:
    for number, data in _lines(path):
        if not data.strip():
            continue
        item: PairRow | LineError
        try:
            fields = json.loads(data.decode("utf-8-sig" if number == 1 else "utf-8"))
            if isinstance(fields, dict):
                item = parse_row(fields, name, str(path), number)
            else:
                item = LineError(path, number, f"expected a JSON object, found {type(fields).__name__}")
        except UnicodeDecodeError as error:
            item = LineError(path, number, f"not UTF-8 ({error.reason} at byte {error.start})")
        except json.JSONDecodeError as error:
            item = LineError(path, number, f"not valid JSON ({error.msg} at column {error.colno})")
        yield item, str(path), number


def _read_csv(path: Path, name: str, delimiter: str) -> Iterator[Item]:
    try:
        yield from _csv_rows(path, name, delimiter)
    except BROKEN_GZIP as error:
        raise InputError(f"{path}: not a complete gzip file ({error})") from None


def _csv_rows(path: Path, name: str, delimiter: str) -> Iterator[Item]:
    with _open_text(path) as source:
        reader = csv.DictReader(source, delimiter=delimiter, strict=True)
        missing = {"id", "lang", "query", "passage"} - set(reader.fieldnames or ())
        if missing:
            found = ", ".join(reader.fieldnames or ()) or "nothing"
            raise LineError(path, 1, f"header lacks {', '.join(sorted(missing))} (found {found})")
        while True:
            try:
                fields = next(reader)
            except StopIteration:
                return
            except UnicodeDecodeError as error:
                raise LineError(path, reader.line_num + 1, f"not UTF-8 ({error.reason})") from None
            except csv.Error as error:
                yield LineError(path, reader.line_num, f"not valid CSV ({error})"), str(path), reader.line_num
                continue
            item: PairRow | LineError
            if None in fields or None in fields.values():
                item = LineError(
                    path, reader.line_num, f"expected {len(reader.fieldnames or ())} columns as in the header"
                )
            else:
                item = parse_row(fields, name, str(path), reader.line_num)
            yield item, str(path), reader.line_num


def _open_text(path: Path) -> TextIO:
    return io.TextIOWrapper(open_bytes(path), encoding="utf-8-sig", newline="")


def _read_parquet(path: Path, name: str) -> Iterator[Item]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
    except pa.ArrowInvalid as error:
        raise InputError(f"{path}: not a Parquet file ({str(error).splitlines()[0]})") from None
    missing = {"id", "lang", "query", "passage"} - set(file.schema_arrow.names)
    if missing:
        raise InputError(
            f"{path}: columns {', '.join(sorted(missing))} are missing (found {', '.join(file.schema_arrow.names)})"
        )
    number = 0
    for batch in file.iter_batches():
        for fields in batch.to_pylist():
            number += 1
            yield parse_row(fields, name, str(path), number), str(path), number


def _read_packed(folder: Path) -> Iterator[Item]:
    from isoglot.data.pairs.packed import TEXTS, open_packed, read_rows

    for number, row in enumerate(read_rows(open_packed(folder).table), start=1):
        yield row, str(folder / TEXTS), number


def _read_facts(languages: str) -> Iterator[Item]:
    from isoglot.data.facts.generate import generate_facts

    wanted = [language(code) for code in languages.split(",") if code.strip()] or None
    try:
        facts = list(generate_facts(wanted))
    except ValueError as error:
        raise InputError(f"facts:{languages}: {error}") from None
    for number, fact in enumerate(facts, start=1):
        row = PairRow("facts", fact.id, fact.lang, fact.query, fact.passage, fact.passage_id)
        yield row, f"facts:{languages}", number


def _read_set(spec: str) -> Iterator[Item]:
    from isoglot.data.pairs.address import Place
    from isoglot.data.pairs.mmarco import read_mmarco
    from isoglot.data.pairs.qa_sets import read_qa_set

    place = Place.parse(spec)
    return iter(read_mmarco(place) if place.name == "mmarco" else read_qa_set(place))


def _read_lareqa(folder: str, data_dir: Path | None, *, paragraphs: bool) -> Iterator[Item]:
    from isoglot.data.lareqa import find_lareqa, read_lareqa_file

    directory = find_lareqa(folder, data_dir)
    number = 0
    for path in sorted(directory.glob("*.json")):
        lang = language(path.stem)
        for part in read_lareqa_file(path):
            for question in part.questions:
                number += 1
                gold = question.gold[0]
                place = f"{lang}:{part.article}:{part.paragraph}"
                yield (
                    PairRow(
                        source=directory.name,
                        id=question.id,
                        lang=lang,
                        query=question.question,
                        passage=part.context if paragraphs else part.sentences[gold],
                        passage_id=place if paragraphs else f"{place}:{gold}",
                    ),
                    str(path),
                    number,
                )
