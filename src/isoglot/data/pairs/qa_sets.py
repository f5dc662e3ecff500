"""English question-answer sets in the formats of their repositories on the hub, as pairs in one language.

A set is Parquet or JSON-lines files with one column for the question and one for the passage, or one of two layouts of its
own (MFAQ: pages of questions and answers; Mr. TyDi: queries with the ids or texts of their passages). Files lie on the hub or
in a folder, there under the same paths or directly.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isoglot.data.hub import hub_file, hub_reachable
from isoglot.data.jsonl import json_value, lines
from isoglot.data.pairs.address import Place
from isoglot.errors import InputError, LineError
from isoglot.records import PairRow


@dataclass(frozen=True)
class QaSet:
    """Where a set lies and which of its columns are what.

    Attributes:
        repo: dataset repository.
        start: of the paths of its training files there.
        query, passage: columns.
        passage_id: column by which rows over one passage are known; "": none.
        keep: column and value of the rows that are pairs; None: all rows.
    """

    repo: str
    start: str
    query: str
    passage: str
    passage_id: str = ""
    keep: tuple[str, object] | None = None


QA_SETS: Mapping[str, QaSet] = {
    "wikiqa": QaSet("microsoft/wiki_qa", "data/train", "question", "answer", keep=("label", 1)),
    "duorc": QaSet("ibm-research/duorc", "SelfRC/train", "question", "plot", "plot_id", keep=("no_answer", False)),
    "newsqa": QaSet("lucadiliello/newsqa", "data/train", "question", "context"),
    "nq": QaSet("sentence-transformers/natural-questions", "pair/train", "query", "answer"),
    "yahoo": QaSet("sentence-transformers/yahoo-answers", "question-answer-pair/train", "question", "answer"),
    "mfaq": QaSet("clips/mfaq", "data/en/train", "question", "answer"),
    "mr-tydi": QaSet("castorini/mr-tydi", "mrtydi-v1.1-english/train", "query", "text"),
}
_TYDI_CORPUS = ("castorini/mr-tydi-corpus", "mrtydi-v1.1-english/corpus.jsonl.gz")
_SUFFIXES = (".parquet", ".jsonl", ".jsonl.gz")


def read_qa_set(place: Place) -> Iterator[tuple[PairRow | LineError, str, int]]:
    """The pairs of a set, each with its file and row; option `limit`: the first so many.

    Raises:
        InputError: no such file, no such column, an unknown option.
    """
    place.check("limit")
    known = QA_SETS[place.name]
    limit = place.number("limit")
    count = 0
    for path in _files(place, known):
        rows = _rows(path)
        if place.name == "mfaq":
            items = _mfaq(rows)
        elif place.name == "mr-tydi":
            items = _mr_tydi(rows, place)
        else:
            items = _flat(rows, known, path)
        for number, key, query, passage, passage_id in items:
            if limit is not None and count >= limit:
                return
            count += 1
            name = f"{path.name.split('.')[0]}-{key}"
            row = PairRow(place.name, name, "en", query.strip(), passage.strip(), passage_id)
            yield row, str(path), number


Found = Iterator[tuple[int, str, str, str, "str | None"]]
"""(row number, id, query, passage, passage id)."""


def _flat(rows: Iterator[tuple[int, Mapping[str, Any]]], known: QaSet, path: Path) -> Found:
    for number, fields in rows:
        needed = [known.query, known.passage, *([known.keep[0]] if known.keep else [])]
        if missing := [name for name in needed if name not in fields]:
            raise LineError(path, number, f"column '{missing[0]}' is missing; found {', '.join(fields)}")
        if known.keep and fields[known.keep[0]] != known.keep[1]:
            continue
        query, passage = fields[known.query], fields[known.passage]
        if isinstance(query, str) and isinstance(passage, str) and query.strip() and passage.strip():
            shared = fields.get(known.passage_id) if known.passage_id else None
            yield number, str(number), query, passage, None if shared is None else str(shared)


def _mfaq(rows: Iterator[tuple[int, Mapping[str, Any]]]) -> Found:
    for number, fields in rows:
        for place, pair in enumerate(fields.get("qa_pairs") or fields.get("pairs") or ()):
            query, passage = str(pair.get("question") or ""), str(pair.get("answer") or "")
            if query.strip() and passage.strip():
                yield number, f"{number}-{place}", query, passage, None


def _mr_tydi(rows: Iterator[tuple[int, Mapping[str, Any]]], place: Place) -> Found:
    held = [(number, fields) for number, fields in rows]
    wanted = {
        str(passage["docid"])
        for _, fields in held
        for passage in fields.get("positive_passages") or ()
        if not passage.get("text")
    }
    texts = _tydi_texts(place, wanted) if wanted else {}
    for number, fields in held:
        for passage in fields.get("positive_passages") or ():
            key = str(passage["docid"])
            text = str(passage.get("text") or texts.get(key) or "")
            if text.strip() and str(fields.get("query") or "").strip():
                yield number, f"{fields['query_id']}-{key}", str(fields["query"]), text, key


def _tydi_texts(place: Place, wanted: set[str]) -> dict[str, str]:
    repo, path = _TYDI_CORPUS
    way_out = f"put it into a folder and name that: {place.name}:DIR"
    corpus = hub_file(repo, path, way_out) if place.hub else _local(place.folder, path)
    if corpus is None:
        raise InputError(f"{place.spec}: the queries name passages by id only, and no {path} is in {place.folder}")
    found = {}
    for number, line in lines(corpus):
        fields = _fields(line, corpus, number)
        if str(fields.get("docid")) in wanted:
            found[str(fields["docid"])] = str(fields.get("text") or "")
    return found


def _files(place: Place, known: QaSet) -> list[Path]:
    """The training files of a set, in the order of their names."""
    if place.hub:
        way_out = f"put its files into a folder and name that: {place.name}:DIR"
        if not hub_reachable():
            raise InputError(
                f"the dataset {known.repo} lies on the Hugging Face hub, which cannot be reached; {way_out}"
            )
        from huggingface_hub import list_repo_files

        try:
            listed = list_repo_files(known.repo, repo_type="dataset")
        except Exception as error:  # the hub's errors share no narrower base
            raise InputError(f"{known.repo} on the hub cannot be listed ({type(error).__name__}); {way_out}") from None
        names = sorted(name for name in listed if name.startswith(known.start) and name.endswith(_SUFFIXES))
        found = [hub_file(known.repo, name, way_out) for name in names]
    else:
        folder, start = place.folder / Path(known.start).parent, Path(known.start).name
        homes = (folder, place.folder)
        parts = [sorted(path for path in home.glob(f"{start}*") if path.name.endswith(_SUFFIXES)) for home in homes]
        found = next((part for part in parts if part), [])
    if not found:
        raise InputError(
            f"{place.spec}: no {known.start}* ({', '.join(_SUFFIXES)}) there, as in the dataset {known.repo}"
        )
    return found


def _local(folder: Path, path: str) -> Path | None:
    return next((one for one in (folder / path, folder / Path(path).name) if one.is_file()), None)


def _rows(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """(1-based number, fields) of every row of a Parquet or JSON-lines file."""
    if path.suffix == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            file = pq.ParquetFile(path)
        except pa.ArrowInvalid as error:
            raise InputError(f"{path}: not a Parquet file ({str(error).splitlines()[0]})") from None
        number = 0
        for batch in file.iter_batches():
            for fields in batch.to_pylist():
                number += 1
                yield number, fields
        return
    for number, line in lines(path):
        yield number, _fields(line, path, number)


def _fields(line: str, path: Path, number: int) -> dict[str, Any]:
    """The JSON object on a line."""
    fields = json_value(line, path, number)
    if not isinstance(fields, dict):
        raise LineError(path, number, f"expected a JSON object, found {type(fields).__name__}")
    return fields
