"""Documents of a corpus, whatever it lies in: files of rows, pairs, a folder of pages, a benchmark."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from isoglot.data.benchmarks.catalog import BENCHMARKS
from isoglot.data.benchmarks.load import load_benchmark
from isoglot.data.documents.find import LANG, find_files
from isoglot.data.documents.format import FORMATS as PAGES
from isoglot.data.documents.format import format_of
from isoglot.data.documents.page import Page
from isoglot.data.documents.sections import sections_of
from isoglot.data.documents.settings import DocumentSettings
from isoglot.data.languages import known_language, language_at
from isoglot.data.pairs.columns import are_pairs
from isoglot.data.pairs.source import SOURCES, read_source
from isoglot.data.readers import FORMATS, READERS, id_field, split_name, text_field, valid
from isoglot.errors import InputError, LineError
from isoglot.places import at_home

_IDS, _TEXTS = ("id", "_id", "docid"), ("text", "contents")
_KNOWN = {"lang", "language", "title", "url", "translation"}
_CORPORA = "documents come from a file of rows, a folder of pages, pairs or a benchmark"
_HINT = 'a document is a row such as {"id": "7", "text": "...", "lang": "de", "title": "...", "url": "..."}'

Scalar = str | int | float | bool


@dataclass(frozen=True)
class DocumentRow:
    """A document as it came.

    Attributes:
        id: different from those of all other documents of the corpus.
        lang: its language; "" where it is not given.
        title, url: "" where there is none.
        translation: the same for documents that are translations of each other; "" where nothing is known of that.
        metadata: whatever else its row has.
    """

    id: str
    text: str
    lang: str = ""
    title: str = ""
    url: str = ""
    translation: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Corpus:
    """Documents to be read, with how many there are where that is known before, and what is not read, by reason.

    Attributes:
        rows: (where a document stands, the document), in order; can be read once.
        total: documents, or None.
        left_out: files that are no documents, by reason.
        examples: questions that documents answer, where the corpus has some.
    """

    rows: Iterator[tuple[str, DocumentRow]]
    total: int | None = None
    left_out: Counter[str] = field(default_factory=Counter)
    examples: tuple[str, ...] = ()


def read_corpus(name: str, data_dir: Path | None = None) -> Corpus:
    """The documents of one of these.

    Args:
        name: a file of rows (.jsonl, .csv, .parquet, ...) with `id`, `text` and, where there are such, `lang`, `title`, `url`,
            `translation`; another source of pairs, whose passages are documents with their queries as titles; a folder of pages
            (HTML, Markdown, text, ...); a pattern of paths with `{lang}` in it; a benchmark.
        data_dir: where files of named data sets are looked for first.

    Raises:
        InputError: there is no such thing, or it is damaged. Rows raise it when they are read.
    """
    path = at_home(name)
    if os.path.isdir(path) and not (path / "qrels.tsv").is_file():
        return _folder(path)
    if os.path.isfile(path):
        if not split_name(path)[1]:
            return _pages([path], path.parent, Counter()) if format_of(path) else _refuse(path)
        return _file(path) if _has_texts(path) else _pairs(name, data_dir)
    if LANG in name:
        return _pattern(name)
    if any(source.takes(name) for source in SOURCES):
        return _pairs(name, data_dir)
    try:
        return _benchmark(name, data_dir)
    except InputError as error:
        if os.path.exists(path) or name in BENCHMARKS.names():
            raise
        raise InputError(f"{error}; {_CORPORA}") from None


def _refuse(path: Path) -> Corpus:
    endings = ", ".join(sorted({*FORMATS, *(ending for format in PAGES for ending in format.endings)}))
    raise InputError(f"{path}: unknown format (documents come from files that end in {endings})")


def _has_texts(path: Path) -> bool:
    """Whether a file of rows is one of documents; otherwise it is one of pairs."""
    _, ending = split_name(path)
    first: Any = next((row for _, row in islice(READERS[ending](path, ()), 1)), {})
    if isinstance(first, LineError):
        return True
    return not ({"query", "passage"} <= first.keys() or (are_pairs(first) and {*_TEXTS}.isdisjoint(first)))


def _file(path: Path) -> Corpus:
    def rows() -> Iterator[tuple[str, DocumentRow]]:
        for line, row in valid(READERS[split_name(path)[1]](path, ())):
            yield f"{path}:{line}", _row(path, line, row)

    return Corpus(rows(), _count(path))


def _count(path: Path) -> int | None:
    """Rows of a file where they are counted without being parsed."""
    if path.name.lower().endswith(".parquet"):
        from isoglot.data.readers import open_parquet

        with open_parquet(path) as file:
            return int(file.metadata.num_rows)
    if path.name.lower().endswith(".jsonl"):
        with path.open("rb") as source:
            return sum(not line.isspace() for line in source)
    return None


def _row(path: Path, line: int, fields: Mapping[str, Any]) -> DocumentRow:
    own, of_text = (next((name for name in names if name in fields), names[0]) for names in (_IDS, _TEXTS))
    title, url = (_optional(fields, key, path, line) for key in ("title", "url"))
    lang = _optional(fields, "lang" if "lang" in fields else "language", path, line)
    rest = {key: value for key, value in fields.items() if key not in _KNOWN | {own, of_text}}
    return DocumentRow(
        id=id_field(fields, own, path, line, _HINT) or "",
        text=text_field(fields, of_text, path, line, _HINT, empty=bool(title)),
        lang=language_at(lang, path, line) if lang else "",
        title=title,
        url=url,
        translation=id_field(fields, "translation", path, line) or "",
        metadata={key: _plain(value, path, line, key) for key, value in rest.items() if value is not None},
    )


def _optional(fields: Mapping[str, Any], key: str, path: Path, line: int) -> str:
    return "" if fields.get(key) is None else text_field(fields, key, path, line, _HINT, empty=True).strip()


def _plain(value: Any, path: Path, line: int, key: str) -> Any:
    """A value as JSON has it; dates and the like as text."""
    if isinstance(value, float) and not math.isfinite(value):
        raise LineError(path, line, f"field '{key}' is {value}, which JSON has no number for; leave it out")
    if isinstance(value, Mapping):
        return {str(inner): _plain(item, path, line, key) for inner, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item, path, line, key) for item in value]
    if isinstance(value, int) and not isinstance(value, bool) and not -(1 << 63) <= value < 1 << 63:
        raise LineError(path, line, f"field '{key}' is a number of more than 64 bits; write it as text")
    return value if value is None or isinstance(value, (str, int, float, bool)) else str(value)


def _pairs(name: str, data_dir: Path | None) -> Corpus:
    """Passages, each once in a language; the id of a pair is the same in all its languages."""

    def rows() -> Iterator[tuple[str, DocumentRow]]:
        seen: set[tuple[str, str, str]] = set()
        for row, path, line in read_source(name, data_dir):
            if isinstance(row, LineError):
                raise row
            key = (row.source, row.lang, row.passage_id or row.id)
            if row.passage_id and key in seen:
                continue
            seen.add(key)
            about = {"source": row.source, **({"document": row.document_id} if row.document_id else {})}
            shared = f"{row.source}/{row.passage_id or row.id}"
            yield (
                f"{path}:{line}",
                DocumentRow(f"{row.lang}/{shared}", row.passage, row.lang, row.query, "", shared, about),
            )

    path = Path(name)
    return Corpus(rows(), _count(path) if path.is_file() else None)


def _folder(root: Path) -> Corpus:
    left_out: Counter[str] = Counter()
    paths = []
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for path in (Path(folder, name) for name in sorted(names) if not name.startswith(".")):
            if format_of(path) is None:
                left_out[f"of an unknown format ({path.suffix or 'no ending'})"] += 1
            else:
                paths.append(path)
    if not paths:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in left_out.items())
        raise InputError(f"{root}: no file in it can be read{f' ({reasons})' if reasons else ''}")
    return _pages(paths, root, left_out)


def _pages(paths: Iterable[Path], root: Path, left_out: Counter[str]) -> Corpus:
    asked, paths = DocumentSettings(), list(paths)

    def rows() -> Iterator[tuple[str, DocumentRow]]:
        for path in paths:
            format, name = format_of(path), path.relative_to(root).as_posix()
            assert format is not None
            for page in format.read(path, asked):
                inside = f"{name}#{page.name}" if page.name else name
                document = _page(page, f"{page.lang}/{inside}" if page.lang else inside, known_language(page.lang))
                if document is None:
                    left_out["without text"] += 1
                else:
                    yield str(path), document

    return Corpus(rows(), len(paths), left_out)


def _pattern(name: str) -> Corpus:
    """Pages whose paths say their language; those with the same rest of the path are translations."""
    found = find_files([name], DocumentSettings())

    def rows() -> Iterator[tuple[str, DocumentRow]]:
        for file in found.files:
            for page in file.format.read(file.path, DocumentSettings()):
                shared = f"{file.page}#{page.name}" if page.name else file.page
                lang = file.lang or known_language(page.lang)
                if (document := _page(page, f"{lang}/{shared}", lang, shared)) is None:
                    found.left_out["without text"] += 1
                else:
                    yield str(file.path), document

    return Corpus(rows(), len(found.files), found.left_out)


def _page(page: Page, name: str, lang: str, translation: str = "") -> DocumentRow | None:
    """A page as a document: its sections with their headings, one blank line apart. None where it has no text."""
    parts = []
    for section in sections_of(page):
        heading = [section.heading] if section.heading and section.heading != section.title else []
        if section.paragraphs:
            parts.append("\n".join([*heading, *section.paragraphs]))
    return DocumentRow(name, "\n\n".join(parts), lang, page.title, "", translation) if parts else None


_EXAMPLES = 8


def _benchmark(name: str, data_dir: Path | None) -> Corpus:
    """A benchmark's passages; some of its queries, each of another language, are examples."""
    benchmark = load_benchmark(name, data_dir=data_dir)

    def rows() -> Iterator[tuple[str, DocumentRow]]:
        for lang, key, text in benchmark.pooled_documents():
            shared = key.removesuffix(f":{lang}").removeprefix(f"{lang}:")  # as the built-in ones name translations
            yield f"{name}, {key}", DocumentRow(f"{lang}/{key}", text, lang, translation=shared)

    asked = [texts.texts[number % len(texts)] for number, texts in enumerate(benchmark.queries.values())]
    return Corpus(rows(), benchmark.n_documents, examples=tuple(asked[:_EXAMPLES]))
