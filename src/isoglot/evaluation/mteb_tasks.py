"""XQuAD-R, MLQA-R and any other benchmark as tasks that mteb 2.x runs: a setting is a task, a cell is a subset.

    import mteb
    from isoglot.evaluation.mteb_tasks import get_tasks
    mteb.evaluate(model, get_tasks(["xquad-r"], settings=["mono"]), cache=None)

The data come from isoglot's own loader, not from the hub. Pass `cache=None`: mteb's cache of results goes by the names of
model and task, and a fine-tuned model that is named after its base gets the base's results from it.

mteb cuts a ranking at 1000 documents (its `map_at_1000` is our `AP@1000`), rounds to five decimals, encodes every corpus
again in every subset and strips blanks at both ends of a document.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from isoglot.data.benchmarks.digest import benchmark_digest
from isoglot.data.benchmarks.load import load_benchmark
from isoglot.data.benchmarks.qrels import judgments_of
from isoglot.data.languages import language
from isoglot.data.lareqa import LAREQA, Context
from isoglot.errors import InputError
from isoglot.evaluation.cells import parse_settings
from isoglot.evaluation.mteb_results import SPLIT, mteb_language, revision, subset_name, task_name
from isoglot.evaluation.trec import bounds
from isoglot.records import SETTINGS, Benchmark, Setting
from isoglot.retrieval.ties import pooled_ties

try:
    import datasets
    from mteb import TaskMetadata
    from mteb.abstasks.retrieval import AbsTaskRetrieval
except ImportError:
    raise InputError("MTEB's tasks need mteb 2, which is not installed: pip install 'isoglot[mteb]'") from None

MAIN_SCORE = "ndcg_at_10"

_DESCRIPTION = {
    "mono": "Questions against the passages of their own language.",
    "cross": "Questions against the passages of one other language.",
    "multi": "Questions against the pooled passages of all languages; the answers in every language are relevant.",
}
_LAREQA_CITATION = """@inproceedings{roy-etal-2020-lareqa,
  author = {Roy, Uma and Constant, Noah and Al-Rfou, Rami and Barua, Aditya and Phillips, Aaron and Yang, Yinfei},
  booktitle = {Proceedings of EMNLP 2020},
  title = {{LAReQA}: Language-Agnostic Answer Retrieval from a Multilingual Pool},
  year = {2020},
}"""


class SettingTask(AbsTaskRetrieval):
    """A setting of a benchmark; made by `make_task` and `get_tasks`."""

    setting: Setting
    load: Callable[[], Benchmark]
    data_loaded: bool = False

    def load_data(self, num_proc: int | None = None, **kwargs: Any) -> None:
        """Read the benchmark and cut it into subsets; queries without a relevant document in a subset are left out of it."""
        if not self.data_loaded:
            benchmark = type(self).load()
            corpora = _Corpora(benchmark)
            cells = _cells(benchmark, self.setting)
            dataset: Any = {
                subset: {SPLIT: _split(benchmark, corpora, *cell)}
                for subset, cell in cells.items()
                if subset in self.hf_subsets
            }
            self.dataset = dataset
            self.data_loaded = True


def get_tasks(
    benchmarks: Sequence[str] = tuple(LAREQA),
    *,
    settings: Sequence[str] = SETTINGS,
    languages: Sequence[str] | None = None,
    context: Context = "sentence",
    data_dir: str | Path | None = None,
) -> list[AbsTaskRetrieval]:
    """One task per benchmark and setting, with the same arguments as `load_benchmark`.

    XQuAD-R and MLQA-R are read when a task first runs, other benchmarks now. A setting without a cell (cross, in one
    language) is left out.

    Raises:
        InputError: an unknown benchmark or setting.
    """
    tasks = []
    wanted = None if languages is None else sorted({language(code) for code in languages})
    for name in benchmarks:
        if name not in LAREQA:
            loaded = load_benchmark(name, languages=languages, context=context, data_dir=data_dir)
            tasks += [make_task(loaded, setting) for setting in parse_settings(settings) if _cells(loaded, setting)]
            continue
        have = sorted(LAREQA[name].sha256)
        if wanted is not None and (missing := [lang for lang in wanted if lang not in have]):
            raise InputError(f"{name} has no language '{missing[0]}'; it has: {', '.join(have)}")

        def load(name: str = name) -> Benchmark:
            return load_benchmark(name, languages=wanted, context=context, data_dir=data_dir)

        chosen = wanted or have
        for setting in parse_settings(settings):
            if pairs := _pairs(setting, chosen):
                title = task_name(name, setting, chosen, context, "")
                tasks.append(_task(name, title, setting, load, pairs, revision(name, "")))
    return tasks


def make_task(benchmark: Benchmark, setting: Setting) -> AbsTaskRetrieval:
    """A setting of any benchmark as a task.

    Raises:
        InputError: the benchmark cannot measure it, or its grades are no whole numbers.
    """
    if not np.array_equal(benchmark.gains, np.rint(benchmark.gains)):
        raise InputError(f"{benchmark.name}: MTEB's judgments are whole numbers, but there are fractional grades")
    codes = sorted({*benchmark.queries, *benchmark.corpus})
    context = benchmark.about.get("context", "sentence")
    pairs = list(_cells(benchmark, setting).values())
    if not pairs:
        raise InputError(f"{benchmark.name}: no query has a relevant document in setting '{setting}'")
    digest = benchmark_digest(benchmark)
    title = task_name(benchmark.name, setting, codes, context, digest)
    return _task(benchmark.name, title, setting, lambda: benchmark, pairs, revision(benchmark.name, digest))


def _pairs(setting: Setting, languages: Sequence[str]) -> list[tuple[str, str]]:
    """(query language, document language) of every cell, as far as the languages alone say."""
    if setting == "cross":
        return [(one, other) for one in languages for other in languages if one != other]
    return [(lang, "*" if setting == "multi" else lang) for lang in languages]


def _cells(benchmark: Benchmark, setting: Setting) -> dict[str, tuple[str, str]]:
    """Subset -> (query language, document language or "*") of the cells that have a query."""
    judged = judgments_of(benchmark)
    asked = np.searchsorted(benchmark.query_offsets(), judged.queries, side="right") - 1
    found = np.searchsorted(benchmark.document_offsets(), judged.documents, side="right") - 1
    have = set(zip(asked.tolist(), found.tolist()))
    names = {(benchmark.query_languages[q], benchmark.corpus_languages[d]) for q, d in have}
    if setting == "multi":
        return {lang: (lang, "*") for lang in benchmark.query_languages if any(q == lang for q, _ in names)}
    chosen = sorted(pair for pair in names if (pair[0] == pair[1]) == (setting == "mono"))
    return {subset_name(*pair): pair for pair in chosen}


def _task(
    name: str,
    title: str,
    setting: Setting,
    load: Callable[[], Benchmark],
    pairs: Sequence[tuple[str, str]],
    commit: str,
) -> AbsTaskRetrieval:
    """An instance of a class of its own: mteb drops metadata that an instance carries when it unloads the data."""
    lareqa = name in LAREQA
    metadata = TaskMetadata(
        name=title,
        description=f"{name}. {_DESCRIPTION[setting]}",
        reference="https://arxiv.org/abs/2004.05484" if lareqa else None,
        type="Retrieval",
        category="t2t",
        modalities=["text"],
        eval_splits=[SPLIT],
        eval_langs={
            subset_name(query, document): [
                mteb_language(code) for code in dict.fromkeys((query, document)) if code != "*"
            ]
            for query, document in pairs
        },
        main_score=MAIN_SCORE,
        dataset={"path": f"isoglot/{name}", "revision": commit},
        domains=["Encyclopaedic", "Written"] if lareqa else None,
        task_subtypes=["Question Answering Retrieval"],
        bibtex_citation=_LAREQA_CITATION if lareqa else "",
    )
    members: Mapping[str, Any] = {"metadata": metadata, "setting": setting, "load": staticmethod(load)}
    made: AbsTaskRetrieval = type(title, (SettingTask,), dict(members))()
    return made


class _Corpora:
    """The documents of every language and all together, made once: a cross subset shares its corpus with ten others.

    trec_eval ranks equal scores by document id, descending. Ids are therefore given our order of ties as a prefix: the
    document that comes first has the highest one.
    """

    def __init__(self, benchmark: Benchmark) -> None:
        places = pooled_ties(benchmark)
        rows = list(benchmark.pooled_documents())
        digits = len(str(len(rows)))
        last = len(rows) - 1
        self.ids = [f"{last - place:0{digits}d}|{lang}|{key}" for place, (lang, key, _) in zip(places.tolist(), rows)]
        self._texts = [text for _, _, text in rows]
        self._made: dict[str, Any] = {}
        self._benchmark = benchmark

    def get(self, lang: str) -> Any:
        if lang not in self._made:
            first, end = (0, len(self.ids)) if lang == "*" else bounds(self._benchmark, lang)
            columns = {"id": self.ids[first:end], "title": [""] * (end - first), "text": self._texts[first:end]}
            self._made[lang] = datasets.Dataset.from_dict(columns)
        return self._made[lang]


def _split(benchmark: Benchmark, corpora: _Corpora, query_language: str, document_language: str) -> dict[str, Any]:
    place = benchmark.query_languages.index(query_language)
    start, stop = benchmark.query_offsets()[place : place + 2].tolist()
    pooled = document_language == "*"
    first, end = (0, benchmark.n_documents) if pooled else bounds(benchmark, document_language)
    texts = benchmark.queries[query_language]
    relevant: dict[str, dict[str, int]] = {}
    for q in range(start, stop):
        span = slice(int(benchmark.indptr[q]), int(benchmark.indptr[q + 1]))
        judged = zip(benchmark.relevant[span].tolist(), benchmark.gains[span].tolist())
        answers = {corpora.ids[d]: int(gain) for d, gain in judged if first <= d < end}
        if answers:
            relevant[texts.ids[q - start]] = answers
    kept = [(key, text) for key, text in zip(texts.ids, texts.texts) if key in relevant]
    queries = datasets.Dataset.from_dict({"id": [key for key, _ in kept], "text": [text for _, text in kept]})
    return {
        "queries": queries,
        "corpus": corpora.get(document_language),
        "relevant_docs": relevant,
        "top_ranked": None,
    }
