"""LAReQA's files (Roy et al. 2020, arXiv 2004.05484): questions whose candidates are all sentences of all paragraphs.

One `<lang>.json` per language in SQuAD's layout; every paragraph has besides `sentences` and their `sentence_breaks`
([start, end) in characters of `context`). A question's id is the same in every language it exists in.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from isoglot.data.json_value import JsonValue
from isoglot.data.languages import files_by_language
from isoglot.data.readers import yaml_data
from isoglot.errors import InputError, first_line, unknown
from isoglot.files import cache_dir, data_roots, digest_file, read_json

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
    file = JsonValue(path, "", read_json(path))
    paragraphs = [
        _paragraph(paragraph, a, p, article.get("title", str) if article.value.get("title") is not None else "")
        for a, article in enumerate(file.items("data"))
        for p, paragraph in enumerate(article.items("paragraphs"))
    ]
    counts = Counter(question.id for paragraph in paragraphs for question in paragraph.questions)
    if not counts:
        raise InputError(f"{path}: no question in it; expected LAReQA's JSON (SQuAD's layout with sentences)")
    key, times = counts.most_common(1)[0]
    if times > 1:
        raise InputError(f"{path}: question id '{key}' occurs twice; ids are unique within a language")
    return paragraphs


def read_lareqa(directory: str | Path) -> dict[str, list[LareqaParagraph]]:
    """Every `<lang>.json` of a directory, by language code in alphabetical order.

    Raises:
        InputError: no such files, a file name that is no language, a malformed file.
    """
    if not Path(directory).is_dir():
        raise InputError(f"{directory}: no such directory")
    files = files_by_language(sorted(Path(directory).glob("*.json")), ".json")
    if not files:
        raise InputError(f"{directory}: no <lang>.json in it (en.json, de.json, ... in LAReQA's layout)")
    return {lang: read_lareqa_file(path) for lang, path in sorted(files.items())}


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
    if folder := local_lareqa(name_or_dir, data_dir):
        return folder
    if data_dir is None:
        return download_lareqa(name_or_dir)
    raise InputError(
        f"{data_dir}: does not hold {name_or_dir}; expected {name_or_dir}/<lang>.json or the files "
        f"{', '.join(f'{lang}.json' for lang in LAREQA[name_or_dir].sha256)} and no other .json"
    )


def local_lareqa(name: str, data_dir: str | Path | None) -> Path | None:
    """The directory of a benchmark in `data_dir` or, where that is None, in `$ISOGLOT_DATA`."""
    inside: tuple[str, ...] = (name, f"lareqa/{name}", "") if data_dir is not None else (f"lareqa/{name}",)
    folders = (root / path for root in data_roots(data_dir)[:1] for path in inside)
    return next((folder for folder in folders if is_complete(folder, name)), None)


def is_complete(folder: Path, name: str) -> bool:
    """Whether `folder` holds exactly this benchmark's files (XQuAD-R has every language of MLQA-R: more is wrong too)."""
    return {path.stem for path in folder.glob("*.json")} == set(LAREQA[name].sha256)


def recognise(folder: Path) -> str | None:
    """The benchmark that some file of a folder is of, whatever the folder is called; None where none is."""
    digests = set(map(digest_file, folder.glob("*.json")))
    return next((name for name, source in LAREQA.items() if not digests.isdisjoint(source.sha256.values())), None)


def lareqa_cache(name: str) -> Path:
    """Where a benchmark is downloaded to."""
    return cache_dir() / "lareqa" / name


def download_lareqa(name: str) -> Path:
    """The directory with the benchmark's `<lang>.json`, fetched into the cache where it is not there yet.

    Raises:
        InputError: no network, or a file whose SHA-256 is not the pinned one.
    """
    import pooch

    folder, downloader = lareqa_cache(name), pooch.HTTPDownloader(timeout=_TIMEOUT)
    pooch.get_logger().setLevel("WARNING")
    for lang, sha256 in LAREQA[name].sha256.items():
        url = f"{LAREQA[name].url}/{lang}.json"
        try:
            pooch.retrieve(url, f"sha256:{sha256}", f"{lang}.json", folder, downloader=downloader)
        except ValueError as error:
            raise InputError(f"{url} is not the file that isoglot knows: {first_line(error)}") from None
        except Exception as error:  # requests, urllib3 and OSError share no narrower base
            raise InputError(
                f"{name} could not be downloaded ({type(error).__name__} for {url}); without a network, set "
                f"ISOGLOT_DATA to a folder that holds lareqa/{name}/<lang>.json, or name one by --data-dir"
            ) from None
    return folder


def _paragraph(json: JsonValue, article: int, number: int, title: str) -> LareqaParagraph:
    sentences, breaks = json.get("sentences", list), json.get("sentence_breaks", list)
    if len(sentences) != len(breaks):
        raise json.wrong(f"sentence_breaks has {len(breaks)} entries for {len(sentences)} sentences")
    for i, (text, ends) in enumerate(zip(sentences, breaks)):
        if not isinstance(text, str) or not text.strip():
            raise json.wrong(f"sentences[{i}] is not a text with at least one character")
        if not (isinstance(ends, list) and len(ends) == 2 and all(type(end) is int for end in ends)):
            raise json.wrong(f"sentence_breaks[{i}] is {str(ends)[:80]}; expected [start, end]")
    return LareqaParagraph(
        article=article,
        paragraph=number,
        title=title,
        context=json.get("context", str),
        sentences=tuple(sentences),
        questions=tuple(_question(question, sentences, breaks) for question in json.items("qas")),
    )


def _question(json: JsonValue, sentences: list[str], breaks: list[list[int]]) -> LareqaQuestion:
    text, key = json.get("question", str), json.get("id", str)
    if not (text.strip() and key.strip()):
        raise json.wrong(f"{'id' if text.strip() else 'question'} is empty")
    gold = {sentences[_sentence_at(answer, breaks)] for answer in json.items("answers")}
    if not gold:
        raise json.wrong("answers is empty; expected at least one {text, answer_start}")
    return LareqaQuestion(key, text, tuple(i for i, sentence in enumerate(sentences) if sentence in gold))


def _sentence_at(answer: JsonValue, breaks: list[list[int]]) -> int:
    """The first sentence with begin <= start < end, else the nearest one that begins before the answer's start."""
    start = answer.get("answer_start", int)
    for i, (begin, end) in enumerate(breaks):
        if begin <= start < end:
            return i
    before = [(begin, i) for i, (begin, _) in enumerate(breaks) if begin <= start]
    if not before:
        raise answer.wrong(f"answer_start {start} lies before the first sentence")
    return max(before)[1]
