"""Benchmarks in BEIR's layout (Thakur et al. 2021, arXiv 2104.08663), in one language or in several.

    corpus.jsonl          {"_id", "title", "text"}        also .gz
    queries.jsonl         {"_id", "text"}                 also .gz
    qrels/<split>.tsv     query id, passage id, score; of several splits test is read, else dev

In several languages: a folder of such folders, each named after its language. A query of one id is parallel in all of them. Where
the judgments are the same in all, translations of a passage have one id as well, and each answers queries in every language;
otherwise a query is answered in its own language only.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from isoglot.data.benchmarks.catalog import Request
from isoglot.data.benchmarks.qrels import Judgments, judged_lines, make_benchmark, unique_texts
from isoglot.data.languages import known_language
from isoglot.data.readers import id_field, json_rows, text_field, valid
from isoglot.errors import InputError, say, warn
from isoglot.files import first_file
from isoglot.places import BEIR, what_is
from isoglot.records import Benchmark, Texts

_SPLITS = ("test", "dev", "validation")
_EXAMPLE = '{"_id": "q1", "text": "..."}'


def beir_folders(folder: Path) -> dict[str, Path]:
    """The folders of a benchmark in this layout, by what they are called; "" for the folder itself. {} where it is none."""
    if what_is(folder) == BEIR:
        return {"": folder}
    return {path.name: path for path in sorted(folder.iterdir()) if what_is(path) == BEIR}


def load_beir(name: str, folder: Path, request: Request) -> Benchmark:
    """Read a folder in the layout above.

    Args:
        name: of the benchmark.
        folder: where it lies.
        request: of a folder in one language, its `languages` say which; by default its name, else English, which is said.

    Raises:
        InputError: a folder that is named after no language, no split, several of which none is a test.
        LineError: a malformed line, an id that occurs twice, a judgment that names an unknown query or passage.
    """
    folders = {_language(path, code, request): path for code, path in beir_folders(folder).items()}
    folders = dict(sorted(folders.items()))
    queries = {lang: _texts(_file(path, "queries"), titles=False) for lang, path in folders.items()}
    corpus = {
        lang: _texts(_file(path, "corpus"), titles=request.passage == "title+text") for lang, path in folders.items()
    }
    splits = {lang: _split(path) for lang, path in folders.items()}
    judged = {lang: list(judged_lines(path)) for lang, path in splits.items()}
    pairs = [{(query, passage, grade) for _, query, passage, grade in rows} for rows in judged.values()]
    is_parallel = len(pairs) > 1 and all(own == pairs[0] for own in pairs)
    if is_parallel:
        say(f"{folder}: judgments are the same in all languages: passages of one id are taken for translations")
    asked, found = _numbers(queries), _numbers(corpus)
    rows: list[tuple[int, int, float]] = []
    seen: list[int] = []
    for lang, own in judged.items():
        for line, query, passage, grade in own:
            for key, known, what in ((query, asked[lang], "query"), (passage, found[lang], "passage")):
                if key not in known:
                    raise InputError(f"{splits[lang]}:{line}: {what} '{key}' is not in {folders[lang]}")
            answers = [
                found[other][passage] for other in (folders if is_parallel else (lang,)) if passage in found[other]
            ]
            seen += answers
            rows += [(asked[lang][query], answer, grade) for answer in answers if grade > 0]
    about = {"source": f"BEIR layout, {', '.join(sorted({path.stem for path in splits.values()}))}"}
    about |= {} if request.passage == "title+text" else {"passage": request.passage}
    return make_benchmark(name, queries, corpus, Judgments.of(rows), (), about, seen)


def _language(path: Path, code: str, request: Request) -> str:
    if code:
        if lang := known_language(code):
            return lang
        raise InputError(f"{path}: named after no language; expected folders such as en and de, or one benchmark alone")
    given = list(request.languages or ())
    if len(given) == 1 and known_language(given[0]):
        return known_language(given[0])
    if lang := known_language(path.resolve().name):
        return lang
    warn(f"{path}: taken to be in English; --languages CODE says another")
    return "en"


def _file(folder: Path, name: str) -> Path:
    if path := first_file(folder / f"{name}.jsonl{packed}" for packed in ("", ".gz")):
        return path
    raise InputError(f"{folder}: no {name}.jsonl in it")


def _split(folder: Path) -> Path:
    """The judgments that are measured by, said where there was a choice."""
    found = {path.stem: path for path in sorted((folder / "qrels").glob("*.tsv"))}
    if single := first_file([folder / "qrels.tsv"]):
        found.setdefault("qrels", single)
    name = next((name for name in _SPLITS if name in found), next(iter(found), "") if len(found) == 1 else "")
    if not name:
        there = ", ".join(found) or "none"
        raise InputError(f"{folder}: no judgments qrels/test.tsv (there: {there})")
    if len(found) > 1 or name != "test":
        say(f"{folder}: measured by qrels/{name}.tsv (there: {', '.join(found)})")
    return found[name]


def _texts(path: Path, *, titles: bool) -> Texts:
    def rows() -> Iterator[tuple[int, str, str]]:
        for number, row in valid(json_rows(path, _EXAMPLE)):
            key = id_field(row, "_id", path, number, f"expected {_EXAMPLE}") or ""
            text = text_field(row, "text", path, number, f"expected {_EXAMPLE}", empty=True)
            title = row.get("title") if titles else None
            yield number, key, f"{title} {text}".strip() if isinstance(title, str) and title.strip() else text

    return unique_texts(path, rows(), "id", "no line in it")


def _numbers(side: dict[str, Texts]) -> dict[str, dict[str, int]]:
    """Pooled numbers by language and id."""
    numbers, first = {}, 0
    for lang, texts in side.items():
        numbers[lang] = {key: first + number for number, key in enumerate(texts.ids)}
        first += len(texts)
    return numbers
