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
from functools import cache, partial
from itertools import permutations
from pathlib import Path
from typing import Any, cast

from isoglot.data.benchmarks.load import load_benchmark
from isoglot.data.benchmarks.qrels import benchmark_digest
from isoglot.data.languages import language
from isoglot.data.lareqa import LAREQA, Context
from isoglot.errors import InputError
from isoglot.evaluation.cells import POOLED, cell_judgments, language_pairs, parse_settings, require_whole_grades
from isoglot.evaluation.mteb_results import SPLIT, mteb_language, revision, subset_name, task_name
from isoglot.records import SETTINGS, Benchmark, Setting
from isoglot.retrieval.rankings import bounds
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
            pairs = {subset_name(*pair): pair for pair in language_pairs(benchmark, self.setting)}
            wanted = {name: pairs[name] for name in self.hf_subsets if name in pairs}
            self.dataset: Any = {name: {SPLIT: split} for name, split in _splits(benchmark, wanted).items()}
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
    tasks: list[AbsTaskRetrieval] = []
    chosen = parse_settings(settings, SETTINGS)
    wanted = None if languages is None else sorted({*map(language, languages)})
    for name in benchmarks:
        load = partial(load_benchmark, name, languages=wanted, context=context, data_dir=data_dir)
        if name not in LAREQA:
            loaded = load()
            tasks += [make_task(loaded, setting) for setting in chosen if language_pairs(loaded, setting)]
            continue
        have = sorted(LAREQA[name].sha256)
        if missing := sorted({*(wanted or [])} - {*have}):
            raise InputError(f"{name} has no language '{missing[0]}'; it has: {', '.join(have)}")
        own = wanted or have
        pairs = {"mono": zip(own, own), "cross": permutations(own, 2), "multi": ((lang, POOLED) for lang in own)}
        cells = {setting: list(pairs[setting]) for setting in chosen}
        tasks += [_task(name, setting, own, context, "", load, each) for setting, each in cells.items() if each]
    return tasks


def make_task(benchmark: Benchmark, setting: Setting) -> AbsTaskRetrieval:
    """A setting of any benchmark as a task.

    Raises:
        InputError: the benchmark cannot measure it, or its grades are no whole numbers.
    """
    require_whole_grades(benchmark, "MTEB's")
    codes = sorted({*benchmark.queries, *benchmark.corpus})
    context = benchmark.about.get("context", "sentence")
    pairs = sorted(language_pairs(benchmark, setting))
    if not pairs:
        raise InputError(f"{benchmark.name}: no query has a relevant document in setting '{setting}'")
    return _task(benchmark.name, setting, codes, context, benchmark_digest(benchmark), lambda: benchmark, pairs)


def _task(
    name: str,
    setting: Setting,
    languages: Sequence[str],
    context: str,
    digest: str,
    load: Callable[[], Benchmark],
    pairs: Sequence[tuple[str, str]],
) -> AbsTaskRetrieval:
    """An instance of a class of its own: mteb drops metadata that an instance carries when it unloads the data."""
    title, lareqa = task_name(name, setting, languages, context, digest), name in LAREQA
    metadata = TaskMetadata(
        name=title,
        description=f"{name}. {_DESCRIPTION[setting]}",
        reference="https://arxiv.org/abs/2004.05484" if lareqa else None,
        type="Retrieval",
        category="t2t",
        modalities=["text"],
        eval_splits=[SPLIT],
        eval_langs={
            subset_name(*pair): [mteb_language(code) for code in dict.fromkeys(pair) if code != POOLED]
            for pair in pairs
        },
        main_score=MAIN_SCORE,
        dataset={"path": f"isoglot/{name}", "revision": revision(name, digest)},
        domains=["Encyclopaedic", "Written"] if lareqa else None,
        task_subtypes=["Question Answering Retrieval"],
        bibtex_citation=_LAREQA_CITATION if lareqa else "",
    )
    members = {"metadata": metadata, "setting": setting, "load": staticmethod(load)}
    return cast(AbsTaskRetrieval, type(title, (SettingTask,), members)())


def _splits(benchmark: Benchmark, pairs: Mapping[str, tuple[str, str]]) -> dict[str, Any]:
    """The data of every subset as mteb takes them; what subsets share is made once.

    trec_eval ranks equal scores by document id, descending. Ids are therefore given our order of ties as a prefix: the
    document that comes first has the highest one.
    """
    last = benchmark.n_documents - 1
    rows = list(zip(pooled_ties(benchmark).tolist(), benchmark.pooled_documents()))
    ids = [f"{last - before:0{len(str(last + 1))}d}|{lang}|{key}" for before, (lang, key, _) in rows]

    @cache
    def corpus(lang: str) -> Any:
        first, end = bounds(benchmark, None if lang == POOLED else lang)
        texts = [text for _, (_, _, text) in rows[first:end]]
        return datasets.Dataset.from_dict({"id": ids[first:end], "title": [""] * len(texts), "text": texts})

    queries = list(benchmark.pooled_queries())
    subsets = {}
    for name, (query_language, document_language) in pairs.items():
        relevant: dict[str, dict[str, int]] = {}
        texts: dict[str, str] = {}
        for query, document, grade in cell_judgments(benchmark, query_language, document_language):
            _, key, texts[key] = queries[query]
            relevant.setdefault(key, {})[ids[document]] = grade
        subsets[name] = {
            "queries": datasets.Dataset.from_dict({"id": list(texts), "text": list(texts.values())}),
            "corpus": corpus(document_language),
            "relevant_docs": relevant,
            "top_ranked": None,
        }
    return subsets
