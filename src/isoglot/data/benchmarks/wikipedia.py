"""MIRACL and Mr. TyDi: retrieval from whole Wikipedias, in one language at a time.

Topics are `id<TAB>text`, judgments TREC qrels, corpora JSON-lines shards of {"docid", "title", "text"}. A docid is
`article#paragraph` and unique only within a language, so a query's relevant passages are in its own language's corpus.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from isoglot.data.benchmarks.catalog import NamedBenchmark, Request
from isoglot.data.benchmarks.mapped import map_corpus
from isoglot.data.benchmarks.qrels import Judgments, judged_lines, make_benchmark, unique_texts, wanted_languages
from isoglot.data.readers import lines, yaml_data
from isoglot.errors import InputError, LineError
from isoglot.files import data_folders, first_file
from isoglot.hub import about_revisions, hub_file, hub_revision
from isoglot.records import Benchmark, Texts

_NAME_IT = "name the folder that holds it by --data-dir or ISOGLOT_DATA"


class LanguageFiles(NamedTuple):
    """One language of a layout: how the files call it (`{name}` in paths), and numbers in the released files."""

    name: str
    shards: int
    queries: int
    passages: int


@dataclass(frozen=True)
class Layout:
    """Where the files of one benchmark lie, in its repositories on the hub and in a folder alike.

    Attributes:
        topics, qrels, corpus: paths in the repositories; `corpus` has a `{shard}` where there may be several.
        languages: by code.
    """

    name: str
    split: str
    license: str
    repo: str
    corpus_repo: str
    topics: str
    qrels: str
    corpus: str
    languages: Mapping[str, LanguageFiles]

    @property
    def n_queries(self) -> int:
        return sum(files.queries for files in self.languages.values())

    @property
    def n_passages(self) -> int:
        return sum(files.passages for files in self.languages.values())

    @property
    def source(self) -> str:
        return f"https://huggingface.co/datasets/{self.repo}"


def read_layout(path: Path) -> Layout:
    """The layout in a YAML file."""
    values = yaml_data(path)
    languages = {code: LanguageFiles(*files) for code, files in values["languages"].items()}
    return Layout(**{**values, "languages": languages})


def wikipedia_benchmark(layout: Layout, order: int) -> NamedBenchmark:
    """The entry of a layout."""

    def available(data_dir: str | Path | None) -> str:
        here = languages_here(layout, data_dir)
        return f"here: topics of {' '.join(here)}; rest: hub" if here else "hub"

    return NamedBenchmark(
        name=layout.name,
        languages=tuple(layout.languages),
        queries=layout.n_queries,
        passages=layout.n_passages,
        license=layout.license,
        source=layout.source,
        help=f"questions ({layout.split} set), all paragraphs of a Wikipedia",
        load=lambda request: load_wikipedia(layout, request),
        available=available,
        settings=("mono", "multi"),
        order=order,
    )


def load_wikipedia(layout: Layout, request: Request) -> Benchmark:
    """The benchmark of a layout.

    Every file is looked for in `<data_dir>/<name>`, `<data_dir>`, `$ISOGLOT_DATA/<name>` and `$ISOGLOT_DATA`, in the
    hub's layout or by its bare name, corpora also in `corpus/<lang>/`; what is in none of them comes from the hub.

    Args:
        layout: whose files.
        request: only its languages are read and downloaded; when None, all whose topics lie on this machine. `passage` is noted
            in `about`. With `allow_missing`, judged passages that the corpus does not have are left out of the
            judgments, and the result is marked as not comparable.

    Raises:
        InputError: an unknown language, files that are nowhere, judged passages that are not in the corpus.
        LineError: a malformed line.
    """
    finder = _Finder(layout, request.data_dir)
    chosen = languages_here(layout, request.data_dir)
    if request.languages is not None:
        chosen = wanted_languages(layout.name, request.languages, list(layout.languages))
    elif not chosen:
        raise InputError(
            f"{layout.name}: no topics on this machine; name languages to download (such as --languages sw; all "
            f"{len(layout.languages)} are {layout.n_passages:,} passages), or a folder with "
            f"{Path(layout.topics.format(name='...')).name} by --data-dir or ISOGLOT_DATA"
        )
    asked = {lang: (finder.file(layout.topics, lang), finder.file(layout.qrels, lang)) for lang in chosen}
    shards = {lang: finder.corpus(lang) for lang in chosen}  # every file is there before the long reading begins
    queries, corpus = {}, {}
    relevant: list[tuple[int, int, float]] = []
    judged: list[int] = []
    missing: list[str] = []
    n_queries = n_documents = 0
    for lang, (topics, qrels) in asked.items():
        queries[lang] = unique_texts(topics, _topics(topics), "query id", "no query in it")
        mapped = map_corpus(shards[lang], f"{layout.name} {lang}")
        corpus[lang] = Texts(mapped.ids, mapped.passages if request.passage == "title+text" else mapped.texts)
        rows = list(_judgments(qrels, queries[lang]))
        row_of = mapped.ids.find({document for _, document, _ in rows})
        missing += [f"{key} ({qrels})" for key in dict.fromkeys(key for _, key, _ in rows) if key not in row_of]
        judged += [n_documents + row for row in row_of.values()]
        relevant += [
            (n_queries + query, n_documents + row_of[document], grade)
            for query, document, grade in rows
            if document in row_of and grade > 0
        ]
        n_queries, n_documents = n_queries + len(queries[lang]), n_documents + len(mapped.ids)
    about = {name: getattr(layout, name) for name in ("license", "source", "split")} | {"passage": request.passage}
    about |= about_revisions(finder.revisions) | _missing(layout, missing, request.allow_missing)
    return make_benchmark(layout.name, queries, corpus, Judgments.of(relevant), about=about, judged=judged)


def languages_here(layout: Layout, data_dir: str | Path | None = None) -> list[str]:
    """The languages whose topics lie on this machine outside the hub's cache."""
    finder = _Finder(layout, data_dir)
    return [lang for lang in layout.languages if finder.local(layout.topics, lang)]


class _Finder:
    """Finds the files of a layout and remembers which commits of the hub's repositories they came from."""

    def __init__(self, layout: Layout, data_dir: str | Path | None) -> None:
        self.layout = layout
        self.revisions: dict[str, str] = {}
        self._folders = data_folders(layout.name, data_dir)

    def corpus(self, lang: str) -> list[Path]:
        """The shards of a language in the order of their numbers."""
        files = self.layout.languages[lang]
        folder, pattern = self.layout.corpus.format(name=files.name, shard="*").split("/")
        pattern = pattern.removesuffix(".gz")
        for root in self._folders:
            beside = root.parent / self.layout.corpus_repo.split("/")[1] / folder
            for shards, names in ((root / "corpus" / lang, "*.jsonl"), (root / folder, pattern), (beside, pattern)):
                if paths := [*shards.glob(names), *shards.glob(f"{names}.gz")]:
                    return sorted(paths, key=_natural)
        names_on_hub = [self.layout.corpus.format(name=files.name, shard=i) for i in range(files.shards)]
        way_out = f"put its passages into {self.layout.name}/corpus/{lang}/*.jsonl(.gz) of a folder and {_NAME_IT}"
        return [self._hub(self.layout.corpus_repo, path, way_out) for path in names_on_hub]

    def file(self, pattern: str, lang: str) -> Path:
        """The topics or the judgments of a language."""
        path = pattern.format(name=self.layout.languages[lang].name)
        by_hand = f"{self.layout.name}/{Path(path).name if '{name}' in Path(pattern).name else path}"
        return self.local(pattern, lang) or self._hub(self.layout.repo, path, f"put it into {by_hand} and {_NAME_IT}")

    def local(self, pattern: str, lang: str) -> Path | None:
        path = pattern.format(name=self.layout.languages[lang].name)
        # Mr. TyDi's bare file names do not tell the language
        inside = [path, Path(path).name] if "{name}" in Path(pattern).name else [path]
        return first_file(folder / name for name in inside for folder in self._folders)

    def _hub(self, repo: str, path: str, way_out: str) -> Path:
        downloaded = hub_file(repo, path, way_out)
        self.revisions |= hub_revision(repo, downloaded)
        return downloaded


def _natural(path: Path) -> list[tuple[int, str]]:
    """`docs-10` after `docs-2`."""
    return [(int(run or -1), "") if i % 2 else (-1, run) for i, run in enumerate(re.split(r"(\d+)", path.name))]


def _topics(path: Path) -> Iterator[tuple[int, str, str]]:
    for number, line in lines(path):
        key, _, text = (field.strip() for field in line.partition("\t"))
        if not (key and text):
            raise LineError(path, number, "expected a query id, a tab and the text of the query")
        yield number, key, text


def _judgments(path: Path, queries: Texts) -> Iterator[tuple[int, str, float]]:
    """(number of the query, document id, grade) of every line."""
    numbers = {key: i for i, key in enumerate(queries.ids)}
    for line, query, document, grade in judged_lines(path):
        if query not in numbers:
            raise LineError(path, line, f"query '{query}' is not among the topics of this language")
        yield numbers[query], document, grade


def _missing(layout: Layout, missing: Sequence[str], allowed: bool) -> dict[str, str]:
    """What `about` says of judged passages that are not in the corpus."""
    if not missing:
        return {}
    count = f"{len(missing):,} judged passages are not in the corpus"
    if not allowed:
        raise InputError(
            f"{layout.name}: {count}, first: {missing[0]}; is a shard missing, or is it the corpus of another version? "
            "(--allow-missing leaves them out of the judgments)"
        )
    return {"missing": f"{count}, first: {missing[0]}", "comparable": f"no: {count} and were left out of the judgments"}
