"""Files in SQuAD's layout (Rajpurkar et al. 2016, arXiv 1606.05250; 2018, arXiv 1806.03822): one JSON object per file.

    {"version": ..., "data": [{"title": ..., "paragraphs": [{"context": ..., "qas": [
        {"id": ..., "question": ..., "answers": [{"text": ..., "answer_start": ...}], "is_impossible": false}]}]}]}

`is_impossible` is SQuAD 2's; `answer_start` counts characters. Paragraphs may have `sentences` (LAReQA's do), which are taken
then; otherwise `sentencex` cuts them (extra `sentences`). The layout was read in the loading scripts `squad.py`, `squad_v2.py`
and `squadshifts.py` of huggingface/datasets.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from isoglot.data.json_value import JsonValue
from isoglot.errors import InputError
from isoglot.files import read_json
from isoglot.optional import needed


@dataclass(frozen=True)
class SquadQuestion:
    """A question and where its answers begin.

    Attributes:
        paragraph: "article:paragraph", their positions in the file.
        starts: characters of `context`, in the order of the answers; () where the question has none.
        sentences: [first, end) characters of those that the file names; () where it names none.
    """

    id: str
    question: str
    article: int
    paragraph: str
    context: str
    starts: tuple[int, ...]
    sentences: tuple[tuple[int, int], ...]


def read_squad(path: Path) -> Iterator[SquadQuestion]:
    """All questions of a file, in its order; those without an answer too.

    Raises:
        InputError: names the file, the place in it and what is malformed there; no question, an id that occurs twice.
    """
    file, seen = JsonValue(path, "", read_json(path)), set()
    for a, article in enumerate(file.items("data")):
        for p, paragraph in enumerate(article.items("paragraphs")):
            context = paragraph.get("context", str)
            sentences = _named_sentences(paragraph, context)
            for asked in paragraph.items("qas"):
                question, key = asked.get("question", str).strip(), _id(asked)
                if not (question and key and context.strip()):
                    raise asked.wrong("the question, its id or its context is empty")
                if key in seen:
                    raise asked.wrong(f"id '{key}' occurs twice; ids are unique within a file")
                seen.add(key)
                yield SquadQuestion(key, question, a, f"{a}:{p}", context, _starts(asked, context), sentences)
    if not seen:
        raise InputError(f"{path}: no question in it; expected SQuAD's JSON (data, paragraphs, qas)")


def _id(asked: JsonValue) -> str:
    key = asked.value.get("id") if isinstance(asked.value, dict) else None
    return str(key) if isinstance(key, int) and not isinstance(key, bool) else asked.get("id", str).strip()


def _starts(asked: JsonValue, context: str) -> tuple[int, ...]:
    """Where the answers begin; () for a question that is marked as impossible or has none."""
    impossible = asked.value.get("is_impossible", False)
    if not isinstance(impossible, bool):
        raise asked.wrong(f"is_impossible is {str(impossible)[:80]}; expected true or false")
    if impossible:
        return ()
    starts = tuple(answer.get("answer_start", int) for answer in asked.items("answers"))
    if wrong := next((start for start in starts if not 0 <= start < len(context)), None):
        raise asked.wrong(f"answer_start {wrong} lies outside the context of {len(context)} characters")
    return starts


def _named_sentences(paragraph: JsonValue, context: str) -> tuple[tuple[int, int], ...]:
    """[first, end) of the sentences that the file names, () where it names none."""
    if "sentence_breaks" not in paragraph.value:
        return ()
    breaks = paragraph.get("sentence_breaks", list)
    for number, ends in enumerate(breaks):
        whole = isinstance(ends, list) and len(ends) == 2 and all(type(end) is int for end in ends)
        if not (whole and 0 <= ends[0] <= ends[1] <= len(context)):
            raise paragraph.wrong(
                f"sentence_breaks[{number}] is {str(ends)[:80]}; expected [start, end] in the context"
            )
    return tuple((first, end) for first, end in breaks if context[first:end].strip())


def cut_sentences(text: str, lang: str) -> tuple[tuple[int, int], ...]:
    """[first, end) of the sentences of a text in a language, one behind the other.

    Raises:
        InputError: `sentencex` is not installed.
    """
    segment = needed("sentencex", "sentences are cut by sentencex", "sentences").segment
    ends = list(accumulate(map(len, segment(lang.partition("-")[0], text))))
    return tuple((first, end) for first, end in zip([0, *ends[:-1]], ends) if text[first:end].strip())


def answer_sentence(question: SquadQuestion, sentences: tuple[tuple[int, int], ...]) -> tuple[int, int]:
    """(number of the sentence in which most answers begin, in how many sentences some do); of several such the first."""
    found = [
        max((number for number, (first, _) in enumerate(sentences) if first <= start), default=0)
        for start in question.starts
    ]
    counts = Counter(found)
    return max(counts, key=lambda number: (counts[number], -number)), len(counts)
