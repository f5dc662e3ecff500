"""MIRACL dev and Mr. TyDi test: retrieval from whole Wikipedias, in one language at a time.

Topics are `id<TAB>text`, judgments TREC qrels, corpora JSON-lines shards of {"docid", "title", "text"}. A docid is
`article#paragraph` and unique only within a language, so a query's relevant passages are in its own language's corpus.
Sources: Zhang et al. 2023, "MIRACL" (TACL 11, arXiv 2210.09984); Zhang et al. 2021, "Mr. TyDi" (arXiv 2108.08787).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from isoglot.data.benchmarks.folder import Passage
from isoglot.data.benchmarks.qrels import Judgments, judged_lines, make_benchmark, wanted_languages
from isoglot.data.hub import data_homes, hub_file, hub_revision
from isoglot.data.jsonl import MappedCorpus, lines, map_corpus
from isoglot.errors import InputError, LineError
from isoglot.records import Benchmark, IntArray, Texts

PASSAGES: tuple[Passage, ...] = ("title+text", "text")


@dataclass(frozen=True)
class Layout:
    """Where the files of one benchmark lie, in its repositories on the hub and in a folder alike.

    Attributes:
        names: language codes and how the files call the language (`{name}` below).
        topics, qrels, corpus: paths in the repositories; `corpus` has a `{shard}` where there may be several.
        shards: number of corpus files per language.
        queries, passages: numbers per language, in the released files.
    """

    name: str
    split: str
    license: str
    repo: str
    corpus_repo: str
    topics: str
    qrels: str
    corpus: str
    names: Mapping[str, str]
    shards: Mapping[str, int]
    queries: Mapping[str, int]
    passages: Mapping[str, int]


def _table(codes: str, numbers: str) -> dict[str, int]:
    return dict(zip(codes.split(), map(int, numbers.replace(",", "").split()), strict=True))


_M = "ar bn de en es fa fi fr hi id ja ko ru sw te th yo zh"
MIRACL = Layout(
    name="miracl",
    split="dev",
    license="Apache-2.0",
    repo="miracl/miracl",
    corpus_repo="miracl/miracl-corpus",
    topics="miracl-v1.0-{name}/topics/topics.miracl-v1.0-{name}-dev.tsv",
    qrels="miracl-v1.0-{name}/qrels/qrels.miracl-v1.0-{name}-dev.tsv",
    corpus="miracl-corpus-v1.0-{name}/docs-{shard}.jsonl.gz",
    names={code: code for code in _M.split()},
    shards=_table(_M, "5 1 32 66 21 5 4 30 2 3 14 3 20 1 2 2 1 10"),
    queries=_table(_M, "2896 411 305 799 648 632 1271 343 350 960 860 213 1252 482 828 733 119 393"),
    passages=_table(
        _M,
        "2,061,414 297,265 15,866,222 32,893,221 10,373,953 2,207,172 1,883,509 14,636,953 506,264 1,446,315 6,953,614 "
        "1,486,752 9,543,918 131,924 518,079 542,166 49,043 4,934,368",
    ),
)
_T = "ar bn en fi id ja ko ru sw te th"
_T_NAMES = "arabic bengali english finnish indonesian japanese korean russian swahili telugu thai"
MR_TYDI = Layout(
    name="mr-tydi",
    split="test",
    license="Apache-2.0",
    repo="castorini/mr-tydi",
    corpus_repo="castorini/mr-tydi-corpus",
    topics="mrtydi-v1.1-{name}/ir-format-data/topics.test.txt",
    qrels="mrtydi-v1.1-{name}/ir-format-data/qrels.test.txt",
    corpus="mrtydi-v1.1-{name}/corpus.jsonl.gz",
    names=dict(zip(_T.split(), _T_NAMES.split(), strict=True)),
    shards=dict.fromkeys(_T.split(), 1),
    queries=_table(_T, "1081 111 744 1254 829 720 421 995 670 646 1190"),
    passages=_table(
        _T,
        "2,106,586 304,059 32,907,100 1,908,757 1,469,399 7,000,027 1,496,126 9,597,504 136,689 548,224 568,855",
    ),
)
LAYOUTS: dict[str, Layout] = {layout.name: layout for layout in (MIRACL, MR_TYDI)}


def load_miracl(
    languages: Sequence[str] | None = None,
    data_dir: str | Path | None = None,
    passage: Passage = "title+text",
    *,
    allow_missing: bool = False,
    layout: Layout = MIRACL,
) -> Benchmark:
    """MIRACL's dev set (or the benchmark of another layout).

    Every file is looked for in `<data_dir>/miracl`, `<data_dir>`, `$ISOGLOT_DATA/miracl` and `$ISOGLOT_DATA`, in the
    hub's layout or by its bare name, corpora also in `corpus/<lang>/`; what is in none of them comes from the hub.

    Args:
        languages: only these are read and downloaded. When None: all whose topics lie on this machine.
        data_dir: where to look first.
        passage: what is encoded: title and text with a space between, or the text alone; noted in `about`.
        allow_missing: accept judged passages that the corpus does not have. They are left out of the judgments, and
            the result is marked as not comparable.
        layout: `MIRACL` or `MR_TYDI`.

    Raises:
        InputError: an unknown language, files that are nowhere, judged passages that are not in the corpus.
        LineError: a malformed line.
    """
    if passage not in PASSAGES:
        raise InputError(f"unknown passage '{passage}'; expected {' or '.join(PASSAGES)}")
    homes = data_homes(layout.name, data_dir)
    chosen = _chosen(layout, languages, homes)
    finder = _Finder(layout, homes)
    asked = {lang: (finder.topics(lang), finder.qrels(lang)) for lang in chosen}
    shards = {lang: finder.corpus(lang) for lang in chosen}  # every file is there before the long reading begins
    queries, corpus, parts = {}, {}, []
    missing: list[str] = []
    n_queries = n_documents = 0
    for lang in chosen:
        queries[lang] = _read_topics(asked[lang][0])
        mapped = map_corpus(shards[lang], f"{layout.name} {lang}")
        part, judged, lost = _judge(asked[lang][1], queries[lang], mapped)
        missing += [f"{key} ({lang})" for key in lost]
        parts.append((part.queries + n_queries, part.documents + n_documents, part.gains, judged + n_documents))
        n_queries, n_documents = n_queries + len(queries[lang]), n_documents + len(mapped.ids)
        corpus[lang] = Texts(mapped.ids, mapped.passages if passage == "title+text" else mapped.texts)
    about = {"license": layout.license, "source": f"https://huggingface.co/datasets/{layout.repo}"}
    about |= {"split": layout.split, "passage": passage} | finder.about() | _missing(layout, missing, allow_missing)
    merged = [np.concatenate(arrays) for arrays in zip(*parts)]
    judgments = Judgments(*merged[:3])
    return make_benchmark(layout.name, queries, corpus, judgments, about=about, judged=merged[3])


def languages_here(layout: Layout, data_dir: str | Path | None = None) -> list[str]:
    """The languages whose topics lie on this machine outside the hub's cache."""
    return _Finder(layout, data_homes(layout.name, data_dir)).here()


def _chosen(layout: Layout, languages: Sequence[str] | None, homes: Sequence[Path]) -> list[str]:
    if languages is not None:
        return wanted_languages(layout.name, languages, list(layout.names))
    if found := _Finder(layout, homes).here():
        return found
    raise InputError(
        f"{layout.name}: no topics on this machine; name languages to download (such as --languages sw; all "
        f"{len(layout.names)} are {sum(layout.passages.values()):,} passages), or a folder with "
        f"{Path(layout.topics.format(name='...')).name} by --data-dir or ISOGLOT_DATA"
    )


class _Finder:
    """Finds the files of a layout and remembers which commits of the hub's repositories they came from."""

    def __init__(self, layout: Layout, homes: Sequence[Path]) -> None:
        self._layout = layout
        self._homes = homes
        self._revisions: dict[str, str] = {}

    def here(self) -> list[str]:
        return [lang for lang in self._layout.names if self._local(self._layout.topics, lang)]

    def about(self) -> dict[str, str]:
        found = ", ".join(f"{repo}@{commit}" for repo, commit in self._revisions.items())
        return {"revision": found} if found else {}

    def topics(self, lang: str) -> Path:
        return self._file(self._layout.topics, lang)

    def qrels(self, lang: str) -> Path:
        return self._file(self._layout.qrels, lang)

    def corpus(self, lang: str) -> list[Path]:
        """The shards of a language in the order of their numbers."""
        name = self._layout.names[lang]
        folder, pattern = self._layout.corpus.format(name=name, shard="*").split("/")
        for home in self._homes:
            for place, names in (
                (home / "corpus" / lang, "*.jsonl"),
                (home / folder, pattern.removesuffix(".gz")),
                (home.parent / self._layout.corpus_repo.split("/")[1] / folder, pattern.removesuffix(".gz")),
            ):
                if found := [*place.glob(names), *place.glob(f"{names}.gz")]:
                    return sorted(found, key=_natural)
        paths = [self._layout.corpus.format(name=name, shard=i) for i in range(self._layout.shards[lang])]
        way_out = f"put its passages into {self._layout.name}/corpus/{lang}/*.jsonl(.gz) of a folder and " + _NAME_IT
        return [self._hub(self._layout.corpus_repo, path, way_out) for path in paths]

    def _file(self, pattern: str, lang: str) -> Path:
        path = pattern.format(name=self._layout.names[lang])
        place = f"{self._layout.name}/{Path(path).name if '{name}' in Path(pattern).name else path}"
        return self._local(pattern, lang) or self._hub(self._layout.repo, path, f"put it into {place} and {_NAME_IT}")

    def _local(self, pattern: str, lang: str) -> Path | None:
        path = Path(pattern.format(name=self._layout.names[lang]))
        # Mr. TyDi's bare file names do not tell the language
        bare = [home / path.name for home in self._homes] if "{name}" in Path(pattern).name else []
        return next((place for place in [*(home / path for home in self._homes), *bare] if place.is_file()), None)

    def _hub(self, repo: str, path: str, way_out: str) -> Path:
        found = hub_file(repo, path, way_out)
        self._revisions |= hub_revision(repo, found)
        return found


_NAME_IT = "name the folder that holds it by --data-dir or ISOGLOT_DATA"


def _natural(path: Path) -> list[tuple[int, str]]:
    """`docs-10` after `docs-2`."""
    return [(int(part or -1), "") if i % 2 else (-1, part) for i, part in enumerate(re.split(r"(\d+)", path.name))]


def _read_topics(path: Path) -> Texts:
    places: dict[str, int] = {}
    texts = []
    for number, line in lines(path):
        key, tab, text = (part.strip() if part != "\t" else part for part in line.partition("\t"))
        if not (key and tab and text):
            raise LineError(path, number, "expected a query id, a tab and the text of the query")
        if key in places:
            raise LineError(path, number, f"query id '{key}' is already on line {places[key]}")
        places[key] = number
        texts.append(text)
    if not texts:
        raise InputError(f"{path}: no query in it")
    return Texts(list(places), texts)


def _judge(path: Path, queries: Texts, corpus: MappedCorpus) -> tuple[Judgments, IntArray, list[str]]:
    """Relevant pairs, all judged passages (numbers within the language) and the judged ids that the corpus lacks."""
    numbers = {key: i for i, key in enumerate(queries.ids)}
    rows: list[tuple[int, str, float]] = []
    for line, query, document, grade in judged_lines(path):
        if query not in numbers:
            raise LineError(path, line, f"query '{query}' is not among the topics of this language")
        rows.append((numbers[query], document, grade))
    ids = dict.fromkeys(document for _, document, _ in rows)
    found = corpus.ids.find(ids)
    kept = [(query, found[document], grade) for query, document, grade in rows if document in found and grade > 0]
    judgments = Judgments(
        np.array([query for query, _, _ in kept], dtype=np.int64),
        np.array([document for _, document, _ in kept], dtype=np.int64),
        np.array([grade for _, _, grade in kept], dtype=np.float64),
    )
    return judgments, np.array(sorted(found.values()), dtype=np.int64), [key for key in ids if key not in found]


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
