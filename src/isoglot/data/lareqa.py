"""LAReQA (Roy et al. 2020, arXiv 2004.05484): questions whose candidates are all sentences of all paragraphs.

One `<lang>.json` per language in SQuAD's layout; every paragraph has besides `sentences` and their `sentence_breaks`
([start, end) in characters of `context`). A question's id is the same in every language it exists in.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from isoglot.data.benchmarks.qrels import Judgments, make_benchmark
from isoglot.data.download import LAREQA, download_lareqa
from isoglot.data.languages import language
from isoglot.errors import InputError, unknown
from isoglot.files import read_json
from isoglot.records import Benchmark, Texts

Context = Literal["sentence", "paragraph"]


@dataclass(frozen=True)
class LareqaQuestion:
    """A question and the sentences of its paragraph that answer it.

    Attributes:
        gold: indices into the paragraph's `sentences`, ascending: the sentence in which the answer starts and sentences
            of the same paragraph with the identical text.
    """

    id: str
    question: str
    gold: tuple[int, ...]


@dataclass(frozen=True)
class LareqaParagraph:
    """A paragraph, its sentences (the candidates) and its questions; `article`, `paragraph`: positions in the file."""

    article: int
    paragraph: int
    title: str
    context: str
    sentences: tuple[str, ...]
    questions: tuple[LareqaQuestion, ...]


def read_lareqa_file(path: str | Path) -> list[LareqaParagraph]:
    """All paragraphs of one language's file, in the order of the file.

    Raises:
        InputError: names the file, the place in it and what is malformed there.
    """
    path = Path(path)
    value = read_json(path)
    paragraphs = []
    for a, article in enumerate(_get(value, "data", list, path, "")):
        where = f"data[{a}]."
        title = str(article.get("title", "")) if isinstance(article, dict) else ""
        for p, paragraph in enumerate(_get(article, "paragraphs", list, path, where)):
            paragraphs.append(_paragraph(paragraph, a, p, title, path, f"{where}paragraphs[{p}]."))
    if not any(paragraph.questions for paragraph in paragraphs):
        raise InputError(f"{path}: no question in it; expected LAReQA's JSON (SQuAD's layout with sentences)")
    _check_ids(paragraphs, path)
    return paragraphs


def read_lareqa(directory: str | Path) -> dict[str, list[LareqaParagraph]]:
    """Every `<lang>.json` of a directory, by language code in alphabetical order.

    Raises:
        InputError: no such files, a file name that is no language, a malformed file.
    """
    files = _language_files(Path(directory))
    if not files:
        raise InputError(f"{directory}: no <lang>.json in it (en.json, de.json, ... in LAReQA's layout)")
    return {lang: read_lareqa_file(path) for lang, path in files.items()}


def find_lareqa(name_or_dir: str, data_dir: str | Path | None = None) -> Path:
    """The directory that holds `<lang>.json` for a name (`xquad-r`, `mlqa-r`) or for a directory given as such.

    A name is looked up in `data_dir` when one is given (which holds `<name>/`, `lareqa/<name>/` or the files
    themselves), else in `$ISOGLOT_DATA/lareqa/<name>/`, else it is downloaded into the cache with pinned digests.

    Raises:
        InputError: it is in none of these places, or files of the benchmark are missing there.
    """
    if name_or_dir not in LAREQA:
        if not Path(name_or_dir).is_dir():
            problem = unknown("LAReQA benchmark", name_or_dir, LAREQA)
            raise InputError(f"{problem}; or a directory with <lang>.json files")
        return Path(name_or_dir)
    if data_dir is not None:
        base = Path(data_dir)
        homes = [base / name_or_dir, base / "lareqa" / name_or_dir, base]
        for home in homes:
            if _has_files(home, name_or_dir):
                return home
        raise InputError(
            f"{base}: does not hold {name_or_dir}; expected {name_or_dir}/<lang>.json or the files "
            f"{', '.join(f'{lang}.json' for lang in LAREQA[name_or_dir].sha256)} and no other .json"
        )
    if root := os.environ.get("ISOGLOT_DATA"):
        home = Path(root) / "lareqa" / name_or_dir
        if _has_files(home, name_or_dir):
            return home
    return download_lareqa(name_or_dir)


def load_lareqa(name: str, data_dir: str | Path | None = None, context: Context = "sentence") -> Benchmark:
    """XQuAD-R or MLQA-R as a benchmark.

    A candidate is every sentence of every paragraph. The relevant candidates of a question are its gold sentences in
    every language where the question exists. With `context="paragraph"` the text of a candidate is the sentence, a line
    break and its paragraph: LAReQA's own models encode a sentence together with that context.

    Raises:
        InputError: see `find_lareqa` and `read_lareqa_file`.
    """
    if context not in ("sentence", "paragraph"):
        raise unknown("context", context, ("sentence", "paragraph"))
    content = read_lareqa(find_lareqa(name, data_dir))
    queries, corpus = {}, {}
    for lang, paragraphs in content.items():
        questions = [question for paragraph in paragraphs for question in paragraph.questions]
        queries[lang] = Texts([q.id for q in questions], [q.question for q in questions])
        corpus[lang] = Texts(
            [f"{lang}:{p.article}:{p.paragraph}:{s}" for p in paragraphs for s in range(len(p.sentences))],
            [f"{s}\n{p.context}" if context == "paragraph" else s for p in paragraphs for s in p.sentences],
        )
    source = LAREQA.get(name)
    about: dict[str, str] = {"context": context}
    if source:
        about |= {"license": source.license, "source": source.url}
    return make_benchmark(name, queries, corpus, _judgments(content), _groups(content), about)


def _judgments(content: Mapping[str, Sequence[LareqaParagraph]]) -> Judgments:
    """Every (query, gold sentence of that id in any language) as pooled numbers."""
    gold: dict[str, list[int]] = {}
    ids: list[str] = []
    first = 0
    for paragraphs in content.values():
        for paragraph in paragraphs:
            for question in paragraph.questions:
                ids.append(question.id)
                gold.setdefault(question.id, []).extend(first + s for s in question.gold)
            first += len(paragraph.sentences)
    query_numbers = np.repeat(np.arange(len(ids)), [len(gold[key]) for key in ids])
    documents = np.array([document for key in ids for document in gold[key]], dtype=np.int64)
    return Judgments(query_numbers.astype(np.int64), documents, np.ones(len(documents)))


def _groups(content: Mapping[str, Sequence[LareqaParagraph]]) -> list[str]:
    """Per pooled query, the name of the set of paragraphs it shares with others.

    Paragraphs (of any language) that hold the same question are one group, and so are all questions over one paragraph:
    connected components. A group is called after its first paragraph.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    names: list[str] = []
    holder: list[int] = []
    numbers: dict[str, int] = {}
    question: list[int] = []
    for lang, paragraphs in content.items():
        for paragraph in paragraphs:
            for item in paragraph.questions:
                holder.append(len(names))
                question.append(numbers.setdefault(item.id, len(numbers)))
            names.append(f"{lang}:{paragraph.article}:{paragraph.paragraph}")
    size = len(names) + len(numbers)
    edges = (np.ones(len(holder)), (np.array(holder), np.array(question) + len(names)))
    _, component = connected_components(coo_matrix(edges, shape=(size, size)), directed=False)
    _, first = np.unique(component[: len(names)], return_index=True)
    called = dict(zip(component[first].tolist(), (names[i] for i in first.tolist()), strict=True))
    return [called[number] for number in component[holder].tolist()]


def _language_files(directory: Path) -> dict[str, Path]:
    if not directory.is_dir():
        raise InputError(f"{directory}: no such directory")
    return dict(sorted((language(path.stem), path) for path in directory.glob("*.json")))


def _has_files(home: Path, name: str) -> bool:
    """Whether `home` holds exactly this benchmark's files (XQuAD-R has every language of MLQA-R: more is wrong too)."""
    return {path.stem for path in home.glob("*.json")} == set(LAREQA[name].sha256)


def _paragraph(value: Any, article: int, number: int, title: str, path: Path, where: str) -> LareqaParagraph:
    sentences = _get(value, "sentences", list, path, where)
    breaks = _get(value, "sentence_breaks", list, path, where)
    if len(sentences) != len(breaks):
        raise InputError(f"{path}: {where}sentence_breaks has {len(breaks)} entries for {len(sentences)} sentences")
    for s, sentence in enumerate(sentences):
        if not isinstance(sentence, str) or not sentence.strip():
            raise InputError(f"{path}: {where}sentences[{s}] is not a text with at least one character")
    for s, pair in enumerate(breaks):
        if not (isinstance(pair, list) and len(pair) == 2 and all(isinstance(end, int) for end in pair)):
            raise InputError(f"{path}: {where}sentence_breaks[{s}] is {pair!r}; expected [start, end]")
    bounds = [(begin, end) for begin, end in breaks]
    questions = []
    for q, item in enumerate(_get(value, "qas", list, path, where)):
        questions.append(_question(item, sentences, bounds, path, f"{where}qas[{q}]."))
    context = _get(value, "context", str, path, where)
    return LareqaParagraph(article, number, title, context, tuple(sentences), tuple(questions))


def _question(item: Any, sentences: list[str], bounds: list[tuple[int, int]], path: Path, where: str) -> LareqaQuestion:
    text = _get(item, "question", str, path, where)
    key = _get(item, "id", str, path, where)
    if not text.strip():
        raise InputError(f"{path}: {where}question is empty")
    gold: set[int] = set()
    for a, answer in enumerate(_get(item, "answers", list, path, where)):
        start = _get(answer, "answer_start", int, path, f"{where}answers[{a}].")
        gold.add(_sentence_at(start, bounds, path, f"{where}answers[{a}]."))
    if not gold:
        raise InputError(f"{path}: {where}answers is empty; expected at least one {{text, answer_start}}")
    same = {sentences[i] for i in gold}
    return LareqaQuestion(key, text, tuple(i for i, sentence in enumerate(sentences) if sentence in same))


def _sentence_at(start: int, bounds: list[tuple[int, int]], path: Path, where: str) -> int:
    """The first sentence with begin <= start < end, else the nearest one that begins before `start`."""
    for i, (begin, end) in enumerate(bounds):
        if begin <= start < end:
            return i
    before = [(begin, i) for i, (begin, _) in enumerate(bounds) if begin <= start]
    if not before:
        raise InputError(f"{path}: {where}answer_start {start} lies before the first sentence")
    return max(before)[1]


def _get(value: Any, key: str, kind: type, path: Path, where: str) -> Any:
    """`value[key]`, which must be of type `kind`."""
    if not isinstance(value, dict):
        raise InputError(f"{path}: {where.rstrip('.') or 'the file'} is not an object")
    found = value.get(key)
    if not isinstance(found, kind) or isinstance(found, bool):
        what = "is missing" if found is None else f"is a {type(found).__name__}"
        wanted = {list: "a list", str: "a text", int: "a whole number"}[kind]
        raise InputError(f"{path}: {where}{key} {what}; expected {wanted}")
    return found


def _check_ids(paragraphs: list[LareqaParagraph], path: Path) -> None:
    seen: set[str] = set()
    for paragraph in paragraphs:
        for question in paragraph.questions:
            if question.id in seen:
                raise InputError(f"{path}: question id '{question.id}' occurs twice; ids are unique within a language")
            seen.add(question.id)
