"""Benchmarks as folders that can be written by hand.

    queries/<lang>.jsonl   {"_id": "q1", "text": "...", "group": "..."}      (group is optional)
    corpus/<lang>.jsonl    {"_id": "d1", "title": "...", "text": "..."}      (title is optional; .jsonl.gz will do too)
    qrels.tsv              q1 0 d1 1   (TREC)   or   q1 d1 1   (BEIR, with or without its header)
    benchmark.json         {"name": ..., "license": ..., "source": ...}      (optional)

With `qrels.tsv` a query id that occurs in several languages is one parallel query and document ids are unique in the
whole benchmark. With `qrels/<query-lang>.tsv` instead, ids are unique only within a language, and the documents are
those of the query's own language (MIRACL). Grades of 0 and below are "not relevant". Queries of one group are not
independent, such as questions over one paragraph: intervals are bootstrapped over groups.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from isoglot.data.benchmarks.catalog import Request
from isoglot.data.benchmarks.qrels import Judgments, judged_lines, judgments_of, make_benchmark, unique_texts
from isoglot.data.languages import files_by_language
from isoglot.data.readers import id_field, json_rows, text_field, valid
from isoglot.errors import InputError, LineError
from isoglot.files import atomic_path, read_json, write_json, write_jsonl
from isoglot.records import Benchmark, Texts

Numbers = Mapping[str, list[int]]
"""Pooled numbers per id: several where a query exists in several languages."""


def load_folder(name: str, folder: Path, request: Request) -> Benchmark:
    """Read a folder in the layout above.

    Args:
        name: of the benchmark.
        folder: where it lies.
        request: its passage `text` leaves titles out, and is noted in the benchmark's `about`.

    Raises:
        InputError: a missing folder or file, a file name that is no language, no relevant document at all.
        LineError: a malformed line, an id that occurs twice, a judgment that names an unknown query or document.
    """
    titles = request.passage == "title+text"
    groups: list[str] = []
    queries = {lang: _read_texts(path, groups=groups) for lang, path in _files(folder, "queries", ".jsonl").items()}
    if groups and len(groups) < sum(map(len, queries.values())):
        raise InputError(
            f"{folder}: some queries have a group and some have none; expected all or none of them to have one"
        )
    corpus = {lang: _read_texts(path, title=titles) for lang, path in _files(folder, "corpus", ".jsonl").items()}
    single, several = folder / "qrels.tsv", folder / "qrels"
    if single.is_file() and several.is_dir():
        raise InputError(f"{folder}: has both qrels.tsv and qrels/; expected one of them")
    if not (single.is_file() or several.is_dir()):
        raise InputError(f"{folder}: no judgments; expected qrels.tsv or qrels/<lang>.tsv")
    files: list[tuple[str | None, Path]] = [(None, single)]
    if single.is_file():
        _check_unique(folder, corpus)
    else:
        files = [*_files(folder, "qrels", ".tsv").items()]
    judgments = [_read_qrels(path, _numbers(queries, lang), _numbers(corpus, lang)) for lang, path in files]
    relevant = Judgments.of([pair for pairs, _ in judgments for pair in pairs])
    judged = [document for _, documents in judgments for document in documents]
    about = _about(folder) | ({} if titles else {"passage": request.passage})
    return make_benchmark(name, queries, corpus, relevant, groups, about, judged)


def write_folder(benchmark: Benchmark, folder: Path) -> None:
    """Write a benchmark in the layout above; `load_folder` gives the same benchmark.

    Args:
        benchmark: its languages in alphabetical order, no title apart from its passages, document ids unique in all languages,
            ids without white space, and every query id judged alike in all its languages.
        folder: where to; not there yet, or empty.
    """
    groups = iter(benchmark.query_groups)
    for side, by_language in (("queries", benchmark.queries), ("corpus", benchmark.corpus)):
        (folder / side).mkdir(parents=True)
        for lang, texts in by_language.items():
            rows = ({"_id": key, "text": text} for key, text in zip(texts.ids, texts.texts))
            if side == "queries" and benchmark.query_groups:
                rows = (row | {"group": next(groups)} for row in rows)
            write_jsonl(folder / side / f"{lang}.jsonl", rows)
    queries, documents = (
        [key for _, key, _ in side] for side in (benchmark.pooled_queries(), benchmark.pooled_documents())
    )
    judged = (
        (queries[query], documents[document], gain)
        for query, document, gain in zip(*(array.tolist() for array in judgments_of(benchmark)))
    )
    with atomic_path(folder / "qrels.tsv") as path, path.open("w", encoding="utf-8", newline="\n") as sink:
        sink.write("query-id\tcorpus-id\tscore\n")  # without it, a first query called `qid` would be taken for a header
        sink.writelines(f"{query}\t{document}\t{gain:g}\n" for query, document, gain in dict.fromkeys(judged))
    write_json(folder / "benchmark.json", dict(benchmark.about))


def _files(folder: Path, name: str, suffix: str) -> dict[str, Path]:
    """`<lang><suffix>` files in the subfolder `name`, by language code in alphabetical order."""
    inner = folder / name
    if not inner.is_dir():
        raise InputError(f"{folder}: no folder {name}/ in it; expected {name}/<lang>{suffix}")
    files = files_by_language(sorted([*inner.glob(f"*{suffix}"), *inner.glob(f"*{suffix}.gz")]), suffix)
    if not files:
        raise InputError(f"{inner}: no <lang>{suffix} in it, such as en{suffix}")
    return dict(sorted(files.items()))


def _read_texts(path: Path, *, title: bool = False, groups: list[str] | None = None) -> Texts:
    """The texts of a file; with their titles, and the groups of those that have one appended to `groups`."""
    example = '{"_id": "q1", "text": "..."}'

    def rows() -> Iterator[tuple[int, str, str]]:
        for number, row in valid(json_rows(path, example)):
            key = id_field(row, "_id", path, number, f"expected {example}") or ""
            text = text_field(row, "text", path, number, f"expected {example}", empty=True)
            heading = ""
            if title and row.get("title") is not None:
                heading = text_field(row, "title", path, number, "", empty=True)
            if not (text.strip() or heading.strip()):
                raise LineError(path, number, f"field 'text' of '{key}' is empty")
            if groups is not None and (group := id_field(row, "group", path, number)):
                groups.append(group)
            yield number, key, f"{heading} {text}" if heading else text

    return unique_texts(path, rows(), "id", "no line in it; leave the file out where a language has none")


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
    language_of: dict[str, str] = {}
    for lang, texts in corpus.items():
        for key in texts.ids:
            if (other := language_of.setdefault(key, lang)) != lang:
                raise InputError(
                    f"{folder}: document id '{key}' is in corpus/{other}.jsonl and in corpus/{lang}.jsonl; with "
                    "qrels.tsv ids are unique in the benchmark (or use qrels/<lang>.tsv)"
                )


def _read_qrels(path: Path, queries: Numbers, documents: Numbers) -> tuple[list[tuple[int, int, float]], list[int]]:
    """(query, document, grade) of the relevant pairs of one file, and all documents that it names.

    A query id of several numbers is judged in each language.
    """
    relevant: list[tuple[int, int, float]] = []
    judged: list[int] = []
    for number, query, document, grade in judged_lines(path):
        for key, known, what, files in (
            (query, queries, "query", "queries"),
            (document, documents, "document", "corpus"),
        ):
            if key not in known:
                raise LineError(path, number, f"{what} '{key}' is in no file of {files}/ that these judgments are for")
        judged.append(documents[document][0])
        if grade > 0:
            relevant += [(query_number, judged[-1], grade) for query_number in queries[query]]
    return relevant, judged


def _about(folder: Path) -> dict[str, str]:
    path = folder / "benchmark.json"
    if not os.path.lexists(path):
        return {}
    value = read_json(path)
    if not isinstance(value, dict):
        raise InputError(f'{path}: expected an object such as {{"name": ..., "license": ..., "source": ...}}')
    for key, item in value.items():
        if not isinstance(item, (str, int, float)) or isinstance(item, bool):
            raise InputError(f"{path}: '{key}' must be a text or a number, found {type(item).__name__}")
    return {key: str(item) for key, item in value.items()}
