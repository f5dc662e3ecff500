"""Benchmarks as folders that can be written by hand.

    queries/<lang>.jsonl   {"_id": "q1", "text": "..."}
    corpus/<lang>.jsonl    {"_id": "d1", "title": "...", "text": "..."}      (title is optional; .jsonl.gz will do too)
    qrels.tsv              q1 0 d1 1   (TREC)   or   q1 d1 1   (BEIR, with or without its header)
    benchmark.json         {"name": ..., "license": ..., "source": ...}      (optional)

With `qrels.tsv` a query id that occurs in several languages is one parallel query and document ids are unique in the
whole benchmark. With `qrels/<query-lang>.tsv` instead, ids are unique only within a language, and the documents are
those of the query's own language (MIRACL). Grades of 0 and below are "not relevant".
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

from isoglot.data.benchmarks.qrels import Judgments, judged_lines, make_benchmark
from isoglot.data.jsonl import json_object, lines
from isoglot.data.languages import language
from isoglot.errors import InputError, LineError
from isoglot.files import read_json
from isoglot.records import Benchmark, Texts

Numbers = Mapping[str, list[int]]
"""Pooled numbers per id: several where a query exists in several languages."""

Passage = Literal["title+text", "text"]
"""What of a passage is encoded: its title, a space and its text, or the text alone."""


def load_folder(name: str, folder: Path, passage: Passage = "title+text") -> Benchmark:
    """Read a folder in the layout above.

    Args:
        name: of the benchmark.
        folder: where it lies.
        passage: with titles, where there are some, or without; `text` is noted in the benchmark's `about`.

    Raises:
        InputError: a missing folder or file, a file name that is no language, no relevant document at all.
        LineError: a malformed line, an id that occurs twice, a judgment that names an unknown query or document.
    """
    titles = passage == "title+text"
    queries = {lang: _read_texts(path, title=False) for lang, path in _files(folder, "queries", ".jsonl").items()}
    corpus = {lang: _read_texts(path, title=titles) for lang, path in _files(folder, "corpus", ".jsonl").items()}
    single, several = folder / "qrels.tsv", folder / "qrels"
    if single.is_file() and several.is_dir():
        raise InputError(f"{folder}: has both qrels.tsv and qrels/; expected one of them")
    if single.is_file():
        _check_unique(folder, corpus)
        parts = [_read_qrels(single, _numbers(queries), _numbers(corpus))]
    elif several.is_dir():
        parts = [
            _read_qrels(path, _numbers(queries, lang), _numbers(corpus, lang))
            for lang, path in _files(folder, "qrels", ".tsv").items()
        ]
    else:
        raise InputError(f"{folder}: no judgments; expected qrels.tsv or qrels/<lang>.tsv")
    merged = Judgments(
        np.concatenate([part.queries for part, _ in parts]),
        np.concatenate([part.documents for part, _ in parts]),
        np.concatenate([part.gains for part, _ in parts]),
    )
    judged = np.array([document for _, documents in parts for document in documents], dtype=np.int64)
    about = _about(folder) | ({} if titles else {"passage": passage})
    return make_benchmark(name, queries, corpus, merged, about=about, judged=judged)


def _files(folder: Path, part: str, suffix: str) -> dict[str, Path]:
    """`<lang><suffix>` files of a part of the folder, by language code in alphabetical order."""
    home = folder / part
    if not home.is_dir():
        raise InputError(f"{folder}: no folder {part}/ in it; expected {part}/<lang>{suffix}")
    found: dict[str, Path] = {}
    for path in sorted([*home.glob(f"*{suffix}"), *home.glob(f"*{suffix}.gz")]):
        try:
            lang = language(path.name.removesuffix(".gz").removesuffix(suffix))
        except InputError as error:
            raise InputError(f"{path}: the file is named after no language ({error})") from None
        if lang in found:
            raise InputError(
                f"{path}: {found[lang].name} is the same language ({lang}); expected one file per language"
            )
        found[lang] = path
    if not found:
        raise InputError(f"{home}: no <lang>{suffix} in it, such as en{suffix}")
    return dict(sorted(found.items()))


def _read_texts(path: Path, *, title: bool) -> Texts:
    places: dict[str, int] = {}
    texts: list[str] = []
    for number, line in lines(path):
        row = json_object(line, path, number, '{"_id": "q1", "text": "..."}')
        key = _field(row, "_id", path, number)
        text = _field(row, "text", path, number)
        heading = row.get("title") if title else None
        if heading is not None and not isinstance(heading, str):
            raise LineError(path, number, f"field 'title' must be text, found {type(heading).__name__}")
        if key in places:
            raise LineError(path, number, f"id '{key}' is already on line {places[key]}; ids are unique within a file")
        if not (text.strip() or (heading or "").strip()):
            raise LineError(path, number, f"field 'text' of '{key}' is empty")
        places[key] = number
        texts.append(f"{heading} {text}" if heading else text)
    if not texts:
        raise InputError(f"{path}: no line in it; leave the file out where a language has none")
    return Texts(list(places), texts)


def _field(row: dict[str, Any], key: str, path: Path, line: int) -> str:
    value = row.get(key)
    if value is None:
        raise LineError(path, line, f'field \'{key}\' is missing; expected {{"_id": "...", "text": "..."}}')
    if key == "_id" and isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise LineError(path, line, f"field '{key}' must be text, found {type(value).__name__}")
    if key == "_id" and not value.strip():
        raise LineError(path, line, "field '_id' is empty")
    return value


def _numbers(side: Mapping[str, Texts], only: str | None = None) -> Numbers:
    """Pooled numbers per id, of all languages or of one."""
    numbers: dict[str, list[int]] = {}
    first = 0
    for lang, texts in side.items():
        if only in (None, lang):
            for i, key in enumerate(texts.ids):
                numbers.setdefault(key, []).append(first + i)
        first += len(texts)
    return numbers


def _check_unique(folder: Path, corpus: Mapping[str, Texts]) -> None:
    home: dict[str, tuple[str, int]] = {}
    for lang, texts in corpus.items():
        for row, key in enumerate(texts.ids):
            if key in home:
                raise InputError(
                    f"{folder}: document id '{key}' is in corpus/{home[key][0]}.jsonl and in corpus/{lang}.jsonl; with "
                    "qrels.tsv ids are unique in the benchmark (or use qrels/<lang>.tsv)"
                )
            home[key] = lang, row


def _read_qrels(path: Path, queries: Numbers, documents: Numbers) -> tuple[Judgments, list[int]]:
    """Judged pairs of one file and all documents it names; a query id of several numbers is judged in each language."""
    rows: list[tuple[int, int]] = []
    gains: list[float] = []
    judged: list[int] = []
    for number, query, document, grade in judged_lines(path):
        if query not in queries:
            raise LineError(path, number, f"query '{query}' is in no file of queries/ that these judgments are for")
        if document not in documents:
            raise LineError(
                path, number, f"document '{document}' is in no file of corpus/ that these judgments are for"
            )
        judged.append(documents[document][0])
        if grade > 0:
            pairs = [(q, documents[document][0]) for q in queries[query]]
            rows.extend(pairs)
            gains.extend([grade] * len(pairs))
    pairs_array = np.array(rows, dtype=np.int64).reshape(-1, 2)
    return Judgments(pairs_array[:, 0], pairs_array[:, 1], np.array(gains, dtype=np.float64)), judged


def _about(folder: Path) -> dict[str, str]:
    path = folder / "benchmark.json"
    if not path.is_file():
        return {}
    value = read_json(path)
    if not isinstance(value, dict):
        raise InputError(f'{path}: expected an object such as {{"name": ..., "license": ..., "source": ...}}')
    return {str(key): str(item) for key, item in value.items()}
