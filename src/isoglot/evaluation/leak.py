"""What a measured model has seen of the benchmark: by the record beside a model of ours, and by what authors say of theirs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any

import numpy as np

from isoglot.data.audit.exposures import exposures
from isoglot.data.audit.texts import ENOUGH, LONG_ID, size
from isoglot.data.audit.trained import Seen, TrainedTexts, id_hash, text_hash, trained_of
from isoglot.data.benchmarks.catalog import BENCHMARKS
from isoglot.data.sameness import normalise
from isoglot.models.language_maps import record_of
from isoglot.records import Benchmark
from isoglot.retrieval.encode import pooled_texts

_PAIRS = "pairs"
_NAMES = {"queries": "questions", "passages": "answer passages", "ids": "question ids"}


def leak_of(model: Any, benchmark: Benchmark) -> dict[str, Any] | None:
    """What is known of a model's training that touches a benchmark, as JSON values; None where nothing is.

    "queries", "passages" (the relevant ones) and "ids": {"shared", "of"}, texts that are long enough to be no coincidence
    and ids likewise; where training had more texts than are kept, "of" counts only those of the benchmark that are in the
    sample. "pairs": where none of these is shared, questions of any length with an answer in their language, both of which were
    trained on. "known": sentences on the published models that it comes from.

    Args:
        model: as `load_model` gives it; of others nothing is known.

    Raises:
        InputError: the record beside the model is damaged.
    """
    record = trained_of(model)
    known = list(_known(record.bases, benchmark))
    sides = _shared(record, benchmark) if record.sides else {}
    if sides and not any(side["shared"] for side in sides.values()) and (pairs := _pairs(record, benchmark)).shared:
        sides[_PAIRS] = pairs._asdict()
    return {**sides, "known": known} if sides or known else None


def leak_notes(leak: dict[str, Any] | None) -> list[str]:
    """A line for each that a reader of the figures has to know; nothing where nothing is shared."""
    if leak is None:
        return []
    shared = [
        f"{side['shared']:,} of {side['of']:,} {name}"
        for key, name in {**_NAMES, _PAIRS: "questions with their answers"}.items()
        if (side := leak.get(key)) and side["shared"]
    ]
    return [
        *(
            [f"not zero-shot: the model was trained or fitted on {', '.join(shared)} of this benchmark"]
            if shared
            else []
        ),
        *leak["known"],
    ]


def prompt_notes(summary: Mapping[str, Any]) -> list[str]:
    """That a model was measured without the prompts of its family, where it was."""
    lacking = (summary.get("model_facts") or {}).get("prompts", {}).get("lacking")
    return [f"prompts: {lacking}"] if lacking else []


def debias_notes(model: Any, benchmark: Benchmark, leak: dict[str, Any] | None) -> list[str]:
    """How a model was debiased, and that its correction knows the benchmark's texts, where it does."""
    if (record := record_of(model)) is None:
        return []
    sources, strength = ", ".join(record.get("fit", ())), record.get("strength")
    notes = [f"debiased by {record['method'].get('name')}, strength {strength}, fitted on {sources}"]
    known = any(leak[key]["shared"] for key in (*_NAMES, _PAIRS) if key in leak) if leak else False
    own = {benchmark.name, benchmark.about.get("name", "")}
    if own & set(record.get("transductive", ())) or known:
        notes.append(f"transductive: the correction was fitted on texts of {benchmark.name}; figures are no test of it")
    return notes


def _shared(record: TrainedTexts, benchmark: Benchmark) -> dict[str, dict[str, int]]:
    texts = {"queries": pooled_texts(benchmark, "query"), "passages": list(_answers(benchmark))}
    hashes = {side: [text_hash(text) for text in own if size(normalise(text)) >= ENOUGH] for side, own in texts.items()}
    hashes["ids"] = [id_hash(key) for key in {key for _, key, _ in benchmark.pooled_queries()} if len(key) >= LONG_ID]
    return {side: record.sides[side].seen(own)._asdict() for side, own in hashes.items()}


def _pairs(record: TrainedTexts, benchmark: Benchmark) -> Seen:
    """Of the queries with a relevant document in their own language, those that were trained on together with one of these.

    A short text is in two places by chance, a question with its answer is not.
    """
    trained = [{*record.sides[side].hashes.tolist()} for side in ("queries", "passages")]
    limits = [record.sides[side].limit for side in ("queries", "passages")]
    ends = dict(zip(benchmark.corpus, accumulate(map(len, benchmark.corpus.values()))))
    shared = of = 0
    for number, (lang, _, text) in enumerate(benchmark.pooled_queries()):
        if lang not in ends:
            continue
        first = ends[lang] - len(benchmark.corpus[lang])
        judged = benchmark.relevant[benchmark.indptr[number] : benchmark.indptr[number + 1]]
        here = judged[(judged >= first) & (judged < ends[lang])] - first
        own = [benchmark.corpus[lang].texts[document] for document in here.tolist()]
        hashes = [text_hash(text), *map(text_hash, own)]
        if own and hashes[0] <= limits[0] and max(hashes[1:]) <= limits[1]:
            of += 1
            shared += hashes[0] in trained[0] and not trained[1].isdisjoint(hashes[1:])
    return Seen(shared, of)


def _answers(benchmark: Benchmark) -> Iterator[str]:
    """The texts of the relevant documents; a corpus on disk is not gone through."""
    numbers, first = np.unique(benchmark.relevant), 0
    for texts in benchmark.corpus.values():
        for number in numbers[(numbers >= first) & (numbers < first + len(texts))].tolist():
            yield texts.texts[number - first]
        first += len(texts)


def _known(models: Sequence[str], benchmark: Benchmark) -> Iterator[str]:
    """What authors say; a benchmark that was opened as a folder is known by what its files say of it."""
    if not models:
        return
    source = benchmark.about.get("source")
    own = {benchmark.name, benchmark.about.get("name", "")}
    own |= {member.name for member in BENCHMARKS if member.source == source}
    yield from exposures(models, own)
