"""Files in SQuAD's layout, one per language: a question and the paragraph or the sentence that answers it."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from isoglot.data.languages import files_by_language, language
from isoglot.data.pairs.address import parse_options
from isoglot.data.pairs.source import SOURCES, Item, Place, Source
from isoglot.data.squad import SquadQuestion, answer_sentence, cut_sentences, read_squad
from isoglot.errors import InputError, say, unknown
from isoglot.records import PairRow

PASSAGES = ("paragraph", "sentence")
_OPTIONS = ("passage", "languages", "source")


class SquadFile(NamedTuple):
    """A file, its language, the source that its rows name, and what stands before its questions' ids."""

    path: Path
    lang: str
    source: str
    before: str = ""


class Squad(Source):
    """SQuAD's layout, a file per language: options passage (paragraph or sentence), languages, source (its name in the rows)."""

    name = "squad"
    form = "squad:DIR or squad:DIR/{lang}.json"

    def read_on(self, spec: str, data_dir: Path | None, place: Place) -> Iterator[Item]:
        """One language after the other. Rows with one question id are translations of each other.

        Questions without an answer (SQuAD 2's impossible ones) are left out and counted.

        Raises:
            InputError: no such file, one that is named after no language, a malformed one.
        """
        where, _, query = spec.partition(":")[2].partition("?")
        options = parse_options(spec, query, _OPTIONS)
        passage = options.get("passage", PASSAGES[0])
        if passage not in PASSAGES:
            raise InputError(f"{spec}: {unknown('passage', passage, PASSAGES)}")
        files = _files(spec, Path(os.path.expanduser(where)))
        wanted = [language(code) for code in options.get("languages", "").split(",") if code] or list(files)
        if absent := [lang for lang in wanted if lang not in files]:
            raise InputError(f"{spec}: no file in {absent[0]} (there: {', '.join(files)})")
        source = options.get("source") or (Path(where).parent if "{lang}" in where else Path(where)).name
        yield from squad_rows(spec, [SquadFile(files[lang], lang, source) for lang in wanted], passage, place)


def _files(spec: str, where: Path) -> dict[str, Path]:
    """The files of a folder, or of a path with `{lang}` in its last part, by language."""
    start, brace, end = where.name.partition("{lang}")
    if brace:
        paths = sorted(where.parent.glob(f"{glob.escape(start)}*{glob.escape(end)}"))
        files: dict[str, Path] = {}
        for path in paths:
            code = path.name.removeprefix(start).removesuffix(end)
            try:
                lang = language(code)
            except InputError as error:
                raise InputError(f"{path}: '{code}' is no language ({error})") from None
            if (other := files.setdefault(lang, path)) != path:
                raise InputError(f"{path}: {other.name} is the same language ({lang}); expected one file per language")
    elif where.is_dir():
        files = files_by_language(sorted(where.glob("*.json")), ".json")
    else:
        raise InputError(f"{spec}: no such folder; expected {Squad.form}")
    if not files:
        raise InputError(f"{spec}: no file there; expected <lang>.json in SQuAD's layout")
    return files


def squad_rows(spec: str, files: Iterable[SquadFile], passage: str, place: Place) -> Iterator[Item]:
    """The rows of files, from a place on; what is left out or chosen among several is counted and said."""
    counts: Counter[str] = Counter()
    for file in list(files)[place.file :]:
        number = 0
        sentences: tuple[str, tuple[tuple[int, int], ...]] = ("", ())  # of the paragraph before: questions share it
        for question in read_squad(file.path):
            if not question.starts:
                counts["without"] += 1
                continue
            if passage == "sentence" and sentences[0] != question.paragraph:
                sentences = question.paragraph, question.sentences or cut_sentences(question.context, file.lang)
            number += 1
            row = _row(file, question, sentences[1] if passage == "sentence" else None, counts)
            if number > place.within:
                place.rows, place.within = place.rows + 1, number
                yield row, str(file.path), number
        place.next_file()
    if counts["without"]:
        say(f"{spec}: {counts['without']:,} questions left out: they have no answer")
    if counts["several"]:
        say(f"{spec}: {counts['several']:,} questions have answers in several sentences; that of most answers is taken")


def _row(
    file: SquadFile, question: SquadQuestion, sentences: tuple[tuple[int, int], ...] | None, counts: Counter[str]
) -> PairRow:
    key = f"{file.lang}:{file.before}{question.paragraph}"
    text, passage_id, document = question.context, key, f"{file.lang}:{file.before}{question.article}"
    if sentences is not None:
        chosen, of = answer_sentence(question, sentences)
        counts["several"] += of > 1
        text, passage_id, document = question.context[slice(*sentences[chosen])], f"{key}:{chosen}", key
    texts = question.question, text.strip(), passage_id
    return PairRow(file.source, f"{file.before}{question.id}", file.lang, *texts, (), document)


SOURCES.register(Squad())
