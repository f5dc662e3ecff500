"""LAReQA's files (Roy et al. 2020, arXiv 2004.05484): questions whose candidates are all sentences of all paragraphs.

One `<lang>.json` per language in SQuAD's layout; every paragraph has besides `sentences` and their `sentence_breaks`
([start, end) in characters of `context`). A question's id is the same in every language it exists in.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from isoglot.data.languages import language
from isoglot.data.readers import yaml_data
from isoglot.errors import InputError, unknown
from isoglot.files import cache_dir, data_roots, read_json

Context = Literal["sentence", "paragraph"]
# (seconds to connect, seconds between two bytes): a machine without a network must say so at once
_TIMEOUT = (5.0, 60.0)


class Source(NamedTuple):
    """Where the `<lang>.json` files of one benchmark lie, and what they must be: SHA-256 by language."""

    url: str
    license: str
    sha256: dict[str, str]


LAREQA = {name: Source(**source) for name, source in yaml_data(Path(__file__).with_name("lareqa.yaml")).items()}


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
        for p, paragraph in enumerate(_get(article, "paragraphs", list, path, f"data[{a}].")):
            title = str(article.get("title", ""))
            paragraphs.append(_paragraph(paragraph, a, p, title, path, f"data[{a}].paragraphs[{p}]."))
    if not any(paragraph.questions for paragraph in paragraphs):
        raise InputError(f"{path}: no question in it; expected LAReQA's JSON (SQuAD's layout with sentences)")
    seen: set[str] = set()
    for question in (question for paragraph in paragraphs for question in paragraph.questions):
        if question.id in seen:
            raise InputError(f"{path}: question id '{question.id}' occurs twice; ids are unique within a language")
        seen.add(question.id)
    return paragraphs


def read_lareqa(directory: str | Path) -> dict[str, list[LareqaParagraph]]:
    """Every `<lang>.json` of a directory, by language code in alphabetical order.

    Raises:
        InputError: no such files, a file name that is no language, a malformed file.
    """
    if not Path(directory).is_dir():
        raise InputError(f"{directory}: no such directory")
    files = sorted((language(path.stem), path) for path in Path(directory).glob("*.json"))
    if not files:
        raise InputError(f"{directory}: no <lang>.json in it (en.json, de.json, ... in LAReQA's layout)")
    return {lang: read_lareqa_file(path) for lang, path in files}


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
    if found := local_lareqa(name_or_dir, data_dir):
        return found
    if data_dir is not None:
        raise InputError(
            f"{data_dir}: does not hold {name_or_dir}; expected {name_or_dir}/<lang>.json or the files "
            f"{', '.join(f'{lang}.json' for lang in LAREQA[name_or_dir].sha256)} and no other .json"
        )
    return download_lareqa(name_or_dir)


def local_lareqa(name: str, data_dir: str | Path | None) -> Path | None:
    """The directory of a benchmark in `data_dir` or, where that is None, in `$ISOGLOT_DATA`."""
    inside: tuple[str, ...] = (name, f"lareqa/{name}", "") if data_dir is not None else (f"lareqa/{name}",)
    folders = (root / path for root in data_roots(data_dir)[:1] for path in inside)
    return next((folder for folder in folders if is_complete(folder, name)), None)


def is_complete(folder: Path, name: str) -> bool:
    """Whether `folder` holds exactly this benchmark's files (XQuAD-R has every language of MLQA-R: more is wrong too)."""
    return {path.stem for path in folder.glob("*.json")} == set(LAREQA[name].sha256)


def lareqa_cache(name: str) -> Path:
    """Where a benchmark is downloaded to."""
    return cache_dir() / "lareqa" / name


def download_lareqa(name: str) -> Path:
    """The directory with the benchmark's `<lang>.json`, fetched into the cache where it is not there yet.

    Raises:
        InputError: no network, or a file whose SHA-256 is not the pinned one.
    """
    import pooch

    pooch.get_logger().setLevel("WARNING")
    for lang, sha256 in LAREQA[name].sha256.items():
        url = f"{LAREQA[name].url}/{lang}.json"
        try:
            pooch.retrieve(
                url=url,
                known_hash=f"sha256:{sha256}",
                fname=f"{lang}.json",
                path=lareqa_cache(name),
                downloader=pooch.HTTPDownloader(timeout=_TIMEOUT),
            )
        except ValueError as error:
            problem = str(error).partition("\n")[0] or "ValueError"
            raise InputError(f"{url} is not the file that isoglot knows: {problem}") from None
        except Exception as error:  # requests, urllib3 and OSError share no narrower base
            raise InputError(
                f"{name} could not be downloaded ({type(error).__name__} for {url}); without a network, set "
                f"ISOGLOT_DATA to a folder that holds lareqa/{name}/<lang>.json, or name one by --data-dir"
            ) from None
    return lareqa_cache(name)


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
    questions = tuple(
        _question(question, sentences, bounds, path, f"{where}qas[{q}].")
        for q, question in enumerate(_get(value, "qas", list, path, where))
    )
    context = _get(value, "context", str, path, where)
    return LareqaParagraph(
        article=article,
        paragraph=number,
        title=title,
        context=context,
        sentences=tuple(sentences),
        questions=questions,
    )


def _question(
    value: Any, sentences: list[str], bounds: list[tuple[int, int]], path: Path, where: str
) -> LareqaQuestion:
    text = _get(value, "question", str, path, where)
    key = _get(value, "id", str, path, where)
    if not text.strip():
        raise InputError(f"{path}: {where}question is empty")
    gold: set[int] = set()
    for a, answer in enumerate(_get(value, "answers", list, path, where)):
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
    field = value.get(key)
    if not isinstance(field, kind) or isinstance(field, bool):
        what = "is missing" if field is None else f"is a {type(field).__name__}"
        wanted = {list: "a list", str: "a text", int: "a whole number"}[kind]
        raise InputError(f"{path}: {where}{key} {what}; expected {wanted}")
    return field
