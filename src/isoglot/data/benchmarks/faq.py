"""The built-in benchmark `faq`: questions and answers in eleven languages, among generated statements as distractors.

It is small and needs no download: a check of the whole path, not a ruler for papers.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import numpy as np

from isoglot.data.benchmarks.qrels import Judgments, make_benchmark
from isoglot.records import Benchmark, Texts

_PER_RELATION = 120
"""Distractors per held-out relation and language: more would only make the benchmark slower on a CPU, not harder."""


def read_faq() -> Iterator[dict[str, Any]]:
    """Rows of the package's `faq/*.jsonl`: {"id", "topic", "<lang>": {"question", "answer"}, ...}, by file name."""
    folder = files("isoglot.data.benchmarks") / "faq_texts"
    for part in sorted(folder.iterdir(), key=lambda item: item.name):
        if part.name.endswith(".jsonl"):
            for line in part.read_text(encoding="utf-8").splitlines():
                if line.strip():
                    yield json.loads(line)


def load_faq() -> Benchmark:
    """Queries are the questions; the corpus of a language is its answers and its distractors.

    Relevant to a question is its answer in every language. Document ids: `<id>:<lang>` for answers,
    `fact:<passage id>:<lang>` for distractors.
    """
    rows = list(read_faq())
    languages = sorted({key for row in rows for key, value in row.items() if isinstance(value, dict)})
    extra = _distractors(languages)
    queries, corpus = {}, {}
    for lang in languages:
        here = [row for row in rows if lang in row]
        ids = [row["id"] for row in here]
        queries[lang] = Texts(ids, [row[lang]["question"] for row in here])
        answers = [row[lang]["answer"] for row in here]
        more = extra[lang]
        corpus[lang] = Texts(
            [f"{key}:{lang}" for key in ids] + [f"fact:{key}:{lang}" for key in more],
            answers + list(more.values()),
        )
    about = {"license": "Apache-2.0", "source": "isoglot"}
    return make_benchmark("faq", queries, corpus, _judgments(queries, corpus), about=about)


def _distractors(languages: list[str]) -> dict[str, dict[str, str]]:
    """Per language, passage id -> passage of the first `_PER_RELATION` generated statements of each held-out relation."""
    from isoglot.data.facts.generate import distractors

    found: dict[str, dict[str, str]] = {lang: {} for lang in languages}
    counts: Counter[tuple[str, str]] = Counter()
    for fact in distractors():
        part = found.get(fact.lang)
        key = (fact.lang, fact.relation)
        if part is not None and fact.passage_id not in part and counts[key] < _PER_RELATION:
            part[fact.passage_id] = fact.passage
            counts[key] += 1
    return found


def _judgments(queries: dict[str, Texts], corpus: dict[str, Texts]) -> Judgments:
    document: dict[str, int] = {}
    first = 0
    for texts in corpus.values():
        document |= {key: first + i for i, key in enumerate(texts.ids)}
        first += len(texts)
    pairs = []
    number = 0
    for texts in queries.values():
        for key in texts.ids:
            pairs += [(number, document[f"{key}:{lang}"]) for lang in corpus if f"{key}:{lang}" in document]
            number += 1
    flat = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return Judgments(flat[:, 0], flat[:, 1], np.ones(len(flat)))
