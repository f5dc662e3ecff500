"""XQuAD-R and MLQA-R (LAReQA, Roy et al. 2020, arXiv 2004.05484): every sentence of every paragraph is a candidate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import get_args

import numpy as np

from isoglot.data.benchmarks.catalog import NamedBenchmark, Request
from isoglot.data.benchmarks.qrels import judge_by_key, make_benchmark
from isoglot.data.groups import components
from isoglot.data.lareqa import (
    LAREQA,
    Context,
    LareqaParagraph,
    find_lareqa,
    is_complete,
    lareqa_cache,
    local_lareqa,
    read_lareqa,
    recognise,
)
from isoglot.errors import unknown
from isoglot.records import NATURAL, SETTINGS, Benchmark, IntArray, Texts

_STREAM = 71  # of chance, beside those of other draws


def lareqa_benchmark(name: str, queries: int, passages: int, order: int, *, natural: bool = False) -> NamedBenchmark:
    """The entry of one of `LAREQA`; `natural`: see `load_lareqa`."""

    def available(data_dir: str | Path | None) -> str:
        if folder := local_lareqa(name, data_dir) or local_lareqa(name, None):
            return f"here: {folder}"
        return "here: cache" if is_complete(lareqa_cache(name), name) else "download"

    return NamedBenchmark(
        name=f"{name}-natural" if natural else name,
        languages=tuple(sorted(LAREQA[name].sha256)),
        queries=queries,
        passages=passages,
        license=LAREQA[name].license,
        source=LAREQA[name].url,
        help="the same questions, each paragraph in one of its languages only, drawn by chance"
        if natural
        else "parallel questions, all sentences of their paragraphs",
        load=partial(load_lareqa, name, natural=natural),
        available=available,
        settings=NATURAL if natural else SETTINGS,
        has_paragraphs=True,
        order=order,
    )


def load_lareqa(name: str, request: Request, *, natural: bool = False) -> Benchmark:
    """XQuAD-R, MLQA-R or a directory in their layout as a benchmark.

    A candidate is every sentence of every paragraph. The relevant candidates of a question are its gold sentences in
    every language where the question exists. With the context `paragraph` the text of a candidate is the sentence, a line
    break and its paragraph: LAReQA's own models encode a sentence together with that context.

    `natural`: of paragraphs that are translations of each other one is a candidate, in a language that is drawn by chance, always
    in the same way; the questions are there in all languages.

    Raises:
        InputError: see `find_lareqa` and `read_lareqa_file`.
    """
    context = request.context
    if context not in get_args(Context):
        raise unknown("context", context, get_args(Context))
    folder = find_lareqa(name, request.data_dir)
    content = read_lareqa(folder)
    queries, corpus = {}, {}
    gold: list[tuple[str, int]] = []
    n_documents = 0
    component, holder = _connected(content)
    drawn = iter(_drawn(content, component) if natural else [True] * len(component))
    for lang, paragraphs in content.items():
        kept = [paragraph for paragraph in paragraphs if next(drawn)]
        questions = [question for paragraph in paragraphs for question in paragraph.questions]
        queries[lang] = Texts([q.id for q in questions], [q.question for q in questions])
        corpus[lang] = Texts(
            [f"{lang}:{p.article}:{p.paragraph}:{s}" for p in kept for s in range(len(p.sentences))],
            [f"{s}\n{p.context}" if context == "paragraph" else s for p in kept for s in p.sentences],
        )
        for paragraph in kept:
            gold += [(q.id, n_documents + sentence) for q in paragraph.questions for sentence in q.gold]
            n_documents += len(paragraph.sentences)
    about: dict[str, str] = {"context": context}
    if known := name if name in LAREQA else recognise(folder):
        about |= {"license": LAREQA[known].license, "source": LAREQA[known].url}
    about |= {"pool": "natural"} if natural else {}
    judgments = judge_by_key([key for texts in queries.values() for key in texts.ids], gold)
    called = f"{name}-natural" if natural else name
    return make_benchmark(called, queries, corpus, judgments, _groups(content, component, holder), about)


def _groups(content: Mapping[str, Sequence[LareqaParagraph]], component: IntArray, holder: IntArray) -> list[str]:
    """Per pooled query, the name of the set of paragraphs it shares with others: that of the first one."""
    names = [f"{lang}:{p.article}:{p.paragraph}" for lang, paragraphs in content.items() for p in paragraphs]
    _, first_of_group = np.unique(component, return_index=True)
    return [names[first_of_group[number]] for number in component[holder].tolist()]


def _connected(content: Mapping[str, Sequence[LareqaParagraph]]) -> tuple[IntArray, IntArray]:
    """Number of the set that every paragraph belongs to, and number of the paragraph that holds every pooled query.

    Paragraphs (of any language) that hold the same question are one set, and so are all questions over one paragraph: connected
    components.
    """
    questions = [[q.id for q in paragraph.questions] for paragraphs in content.values() for paragraph in paragraphs]
    holder = np.repeat(np.arange(len(questions)), [len(ids) for ids in questions])
    first: dict[str, int] = {}
    first_holder = [first.setdefault(key, paragraph) for paragraph, ids in enumerate(questions) for key in ids]
    return components(np.array(first_holder, dtype=np.int64), holder, len(questions)), holder


def _drawn(content: Mapping[str, Sequence[LareqaParagraph]], component: IntArray) -> list[bool]:
    """Whether each paragraph is in the language that was drawn among those of its set."""
    language = np.repeat(np.arange(len(content)), list(map(len, content.values())))
    order = np.random.default_rng(_STREAM).random((int(component.max()) + 1, len(content)))
    absent = np.ones_like(order, dtype=np.bool_)
    absent[component, language] = False
    order[absent] = np.inf
    return [drawn == own for drawn, own in zip(order.argmin(axis=1)[component].tolist(), language.tolist())]
