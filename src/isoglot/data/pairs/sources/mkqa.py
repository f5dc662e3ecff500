"""MKQA (Longpre et al. 2021, arXiv 2007.15207): 10,000 questions in 26 languages, parallel, with short answers.

    {"example_id": 563..., "query": ..., "queries": {"en": ..., "de": ...},
     "answers": {"en": [{"type": "entity", "text": ..., "aliases": [...]}], "de": ...}}

One line per question in `mkqa.jsonl.gz`. The layout was read in the README of apple/ml-mkqa, where the file lies, and in the
loading script `mkqa.py` of huggingface/datasets; the dataset on the hub (`apple/mkqa`) is a script without files.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from isoglot.data.languages import language
from isoglot.data.pairs.address import SetAddress
from isoglot.data.pairs.qa_set import objects, optional_text
from isoglot.data.pairs.source import SOURCES, Item, Place, Source
from isoglot.data.pairs.web_files import WebSet
from isoglot.data.readers import id_field, json_rows, valid
from isoglot.errors import InputError, LineError, say
from isoglot.files import first_file
from isoglot.records import PairRow

MKQA = WebSet(
    "mkqa",
    "https://raw.githubusercontent.com/apple/ml-mkqa/651b8cc85c407270b024157aff06ee6ab8c4fc6d/dataset",
    "CC BY-SA 3.0",
    {"mkqa.jsonl.gz": "cbb1cf5acb39917ace0165ea504f1e4d4503cf4b"},
)
_CODES = "ar da de en es fi fr he hu it ja ko km ms nl no pl pt ru sv th tr vi zh_cn zh_hk zh_tw"
LANGUAGES = {language(code.replace("_", "-")): code for code in _CODES.split()}
_WITHOUT = ("unanswerable", "long_answer", "binary")


class MkqaSource(Source):
    """MKQA: questions and short answers in 26 languages, parallel; options languages, limit (questions)."""

    name = "mkqa"
    form = "mkqa:web or mkqa:DIR"

    def read_on(self, spec: str, data_dir: Path | None, place: Place) -> Iterator[Item]:
        """A question in all its languages, then the next; the passage is the first answer.

        Questions whose answer is no text (unanswerable, long answer) or yes or no are left out and counted.

        Raises:
            InputError: no such file, a language that MKQA does not have.
        """
        address = SetAddress.parse(spec, "languages", "limit", remote="web")
        wanted = address.languages or tuple(LANGUAGES)
        if unknown_ones := [lang for lang in wanted if lang not in LANGUAGES]:
            raise InputError(f"{spec}: MKQA has no language '{unknown_ones[0]}' (it has: {', '.join(LANGUAGES)})")
        path = MKQA.fetch("mkqa.jsonl.gz") if address.is_hub else _find(address)
        limit, behind, counts = address.number("limit"), replace(place.mark), Counter[str]()
        for line, fields in valid(json_rows(path, mark=behind)):
            rows = _rows(fields, wanted, path, line, counts)
            place.file += bool(rows) and not place.within  # here: questions so far
            if limit is not None and place.file > limit:
                break
            for row in place.give(rows, behind):
                yield row, str(path), line
        if counts["questions"]:
            say(f"{spec}: {counts['questions']:,} questions left out: their answer is no text, or yes or no")
        if counts["rows"]:
            say(f"{spec}: {counts['rows']:,} rows left out: no question or answer in the language")


def _find(address: SetAddress) -> Path:
    names = [f"{folder}mkqa.jsonl{gz}" for folder in ("", "dataset/") for gz in (".gz", "")]
    if path := first_file(address.folder / name for name in names):
        return path
    raise InputError(f"{address.spec}: no mkqa.jsonl.gz in {address.folder}")


def _rows(
    fields: Mapping[str, Any], wanted: tuple[str, ...], path: Path, line: int, counts: Counter[str]
) -> list[PairRow]:
    """The rows of a question; [] for one that is left out."""
    key = str(id_field(fields, "example_id", path, line, "expected example_id, queries and answers"))
    queries, answers = fields.get("queries"), fields.get("answers")
    if not (isinstance(queries, dict) and isinstance(answers, dict)):
        raise LineError(path, line, "fields 'queries' and 'answers' must be objects, by language")
    rows, without = [], 0
    for lang in wanted:
        code = LANGUAGES[lang]
        first = next(iter(objects(answers, code, path, line)), {})
        if first.get("type") in _WITHOUT:
            without += 1
            continue
        query, text = (optional_text(of, name, path, line).strip() for of, name in ((queries, code), (first, "text")))
        if query and text:
            rows.append(PairRow("mkqa", key, lang, query, text))
        else:
            counts["rows"] += 1
    counts["questions"] += without == len(wanted)
    counts["rows"] += without if without < len(wanted) else 0
    return rows


SOURCES.register(MkqaSource())
