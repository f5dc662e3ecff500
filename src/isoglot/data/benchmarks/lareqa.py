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
from isoglot.records import Benchmark, Texts


def lareqa_benchmark(name: str, queries: int, passages: int, order: int) -> NamedBenchmark:
    """The entry of one of `LAREQA`."""

    def available(data_dir: str | Path | None) -> str:
        if folder := local_lareqa(name, data_dir) or local_lareqa(name, None):
            return f"here: {folder}"
        return "here: cache" if is_complete(lareqa_cache(name), name) else "download"

    return NamedBenchmark(
        name=name,
        languages=tuple(sorted(LAREQA[name].sha256)),
        queries=queries,
        passages=passages,
        license=LAREQA[name].license,
        source=LAREQA[name].url,
        help="parallel questions, all sentences of their paragraphs",
        load=partial(load_lareqa, name),
        available=available,
        has_paragraphs=True,
        order=order,
    )


def load_lareqa(name: str, request: Request) -> Benchmark:
    """XQuAD-R, MLQA-R or a directory in their layout as a benchmark.

    A candidate is every sentence of every paragraph. The relevant candidates of a question are its gold sentences in
    every language where the question exists. With the context `paragraph` the text of a candidate is the sentence, a line
    break and its paragraph: LAReQA's own models encode a sentence together with that context.

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
    for lang, paragraphs in content.items():
        questions = [question for paragraph in paragraphs for question in paragraph.questions]
        queries[lang] = Texts([q.id for q in questions], [q.question for q in questions])
        corpus[lang] = Texts(
            [f"{lang}:{p.article}:{p.paragraph}:{s}" for p in paragraphs for s in range(len(p.sentences))],
            [f"{s}\n{p.context}" if context == "paragraph" else s for p in paragraphs for s in p.sentences],
        )
        for paragraph in paragraphs:
            gold += [(q.id, n_documents + sentence) for q in paragraph.questions for sentence in q.gold]
            n_documents += len(paragraph.sentences)
    about: dict[str, str] = {"context": context}
    if known := name if name in LAREQA else recognise(folder):
        about |= {"license": LAREQA[known].license, "source": LAREQA[known].url}
    judgments = judge_by_key([key for texts in queries.values() for key in texts.ids], gold)
    return make_benchmark(name, queries, corpus, judgments, _groups(content), about)


def _groups(content: Mapping[str, Sequence[LareqaParagraph]]) -> list[str]:
    """Per pooled query, the name of the set of paragraphs it shares with others.

    Paragraphs (of any language) that hold the same question are one group, and so are all questions over one paragraph:
    connected components. A group is called after its first paragraph.
    """
    names = [f"{lang}:{p.article}:{p.paragraph}" for lang, paragraphs in content.items() for p in paragraphs]
    questions = [[q.id for q in paragraph.questions] for paragraphs in content.values() for paragraph in paragraphs]
    holder = np.repeat(np.arange(len(names)), [len(ids) for ids in questions])
    first: dict[str, int] = {}
    first_holder = [first.setdefault(key, paragraph) for paragraph, ids in enumerate(questions) for key in ids]
    component = components(np.array(first_holder, dtype=np.int64), holder, len(names))
    _, first_of_group = np.unique(component, return_index=True)
    return [names[first_of_group[number]] for number in component[holder].tolist()]
