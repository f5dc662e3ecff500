"""The built-in benchmark: questions and answers in eleven languages, among generated statements as distractors.

It is small and needs no download: a check of the whole path, not a ruler for papers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from isoglot.data.benchmarks.catalog import BENCHMARKS, NamedBenchmark
from isoglot.data.benchmarks.qrels import judge_by_key, make_benchmark
from isoglot.data.facts.wordings import CORE
from isoglot.data.readers import json_rows, valid
from isoglot.records import Benchmark, Texts

NAME = "faq"
ABOUT = {"license": "Apache-2.0", "source": "isoglot"}
_FACTS = 1
"""The version of the facts that the distractors are of: another one would be another benchmark."""
_PER_RELATION = 120
"""Distractors per held-out relation and language: more would only make the benchmark slower on a CPU, not harder."""


def read_faq() -> Iterator[dict[str, Any]]:
    """Rows of `faq_texts/*.jsonl`: {"id", "topic", "<lang>": {"question", "answer"}, ...}, by file name."""
    for path in sorted((Path(__file__).parent / "faq_texts").glob("*.jsonl")):
        yield from (row for _, row in valid(json_rows(path)))


def load_faq() -> Benchmark:
    """Queries are the questions; the corpus of a language is its answers and its distractors.

    Relevant to a question is its answer in every language. Document ids: `<id>:<lang>` for answers,
    `fact:<passage id>:<lang>` for distractors.
    """
    rows = list(read_faq())
    languages = sorted({key for row in rows for key, value in row.items() if isinstance(value, dict)})
    distractors = _distractors(languages)
    queries, corpus = {}, {}
    for lang in languages:
        here = {row["id"]: row[lang] for row in rows if lang in row}
        queries[lang] = Texts(list(here), [texts["question"] for texts in here.values()])
        passages = {f"{key}:{lang}": texts["answer"] for key, texts in here.items()}
        passages |= {f"fact:{key}:{lang}": text for key, text in distractors[lang].items()}
        corpus[lang] = Texts(list(passages), list(passages.values()))
    documents = enumerate(key for texts in corpus.values() for key in texts.ids)
    answers = ((key.rpartition(":")[0], number) for number, key in documents)
    judgments = judge_by_key((key for texts in queries.values() for key in texts.ids), answers)
    return make_benchmark(NAME, queries, corpus, judgments, about=ABOUT)


def _distractors(languages: list[str]) -> dict[str, dict[str, str]]:
    """Per language, passage id -> passage of the first `_PER_RELATION` generated statements of each held-out relation."""
    from isoglot.data.facts.frozen import frozen
    from isoglot.data.facts.generate import generate_facts

    passages: dict[str, dict[str, str]] = {lang: {} for lang in languages}
    counts: Counter[tuple[str, str]] = Counter()
    for fact in generate_facts(languages, frozen(_FACTS).held_out, version=_FACTS):
        key = (fact.lang, fact.id.partition("/")[0])
        if fact.passage_id and fact.passage_id not in passages[fact.lang] and counts[key] < _PER_RELATION:
            passages[fact.lang][fact.passage_id] = fact.passage
            counts[key] += 1
    return passages


BENCHMARKS.register(
    NamedBenchmark(
        name=NAME,
        languages=CORE,
        queries=1_452,
        passages=4_092,
        license=ABOUT["license"],
        source=ABOUT["source"],
        help="questions, answers among distractors",
        load=lambda _: load_faq(),
        available=lambda _: "built in",
        order=0,
    )
)
