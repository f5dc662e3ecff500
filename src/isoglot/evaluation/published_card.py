"""The card of a model that is published: what it is, what was measured and how surely, what it was trained on, its limits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from isoglot.errors import InputError
from isoglot.evaluation.contrasts import PairedRows
from isoglot.evaluation.leak import leak_notes
from isoglot.evaluation.matching import RANK_DISTANCE, System
from isoglot.evaluation.significance import Interval
from isoglot.records import NATURAL, SETTINGS
from isoglot.tables import code_span, escape, markdown_table

_SETTINGS = (*SETTINGS, *NATURAL)
_CARD = """\
---
{header}
---

# {name}

{how}

## Use

```python
from sentence_transformers import SentenceTransformer

model = SentenceTransformer("{repo}"{more})
questions, passages = model.encode_query(["..."]), model.encode_document(["..."])
scores = model.similarity(questions, passages)
```

{prompts}

## Evaluation

{evaluation}

## Data

{data}

## Limits

{limits}
"""


@dataclass(frozen=True)
class Figure:
    """An average of one setting of a benchmark with its 95% interval."""

    benchmark: str
    setting: str
    measure: str
    value: float
    interval: Interval


@dataclass(frozen=True)
class Published:
    """What a card says of a model.

    Attributes:
        repo: on the hub.
        license: its identifier there.
        base: hub id of the model that it was made from; "" where it was made from none.
        languages: codes.
        how: how it was made, in sentences.
        prompts: of "query" and "document".
        max_length: tokens.
        backend: of sentence-transformers, "torch" or "onnx".
        data: what it was trained on, in sentences.
        known: what is known of the training of its base that touches benchmarks.
    """

    repo: str
    license: str
    base: str
    languages: Sequence[str]
    how: str
    prompts: dict[str, str]
    max_length: int
    backend: str
    data: str
    known: Sequence[str]


def figures_of(system: System) -> list[Figure]:
    """Every setting and measure of a result, and its rank distance, with intervals.

    Raises:
        InputError: all queries of the benchmark are of one group.
    """
    found = []
    summary = system.results[0].summary
    for setting in (*(name for name in _SETTINGS if name in system.settings), RANK_DISTANCE):
        if setting not in system.settings:
            continue
        measures = [RANK_DISTANCE] if setting == RANK_DISTANCE else list(summary["settings"][setting])
        for measure in measures:
            average = PairedRows([system], setting, measure).average(system.name)
            found.append(Figure(summary["benchmark"], setting, measure, average.mean, average.interval()))
    return found


def write_published(about: Published, systems: Sequence[System]) -> str:
    """The text of the card.

    Args:
        about: the model.
        systems: a result each, of this model.
    """
    measured = [(system, figures_of(system)) for system in systems]
    prompts = about.prompts
    sides = {"query": prompts.get("query", ""), "passage": prompts.get("document", "")}
    return _CARD.format(
        header=_header(about, [figure for _, figures in measured for figure in figures]),
        name=about.repo.rpartition("/")[2],
        repo=about.repo,
        how=about.how,
        more="" if about.backend == "torch" else f', backend="{about.backend}"',
        prompts=_about_prompts(**sides),
        evaluation="\n\n".join(_benchmark(*found) for found in measured) or "None was published with this model.",
        data=about.data,
        limits="\n".join(f"- {line}" for line in _limits(about, systems)),
    )


def _header(about: Published, figures: Sequence[Figure]) -> str:
    """The fields that the hub reads, as YAML."""
    from huggingface_hub import EvalResult, ModelCardData

    results = [
        EvalResult(
            task_type="retrieval",
            dataset_type=figure.benchmark,
            dataset_name=figure.benchmark,
            metric_type=figure.measure,
            metric_name="rank distance" if figure.setting == RANK_DISTANCE else f"{figure.measure}, {figure.setting}",
            metric_value=round(figure.value, 4),
        )
        for figure in figures
    ]
    data = ModelCardData(
        language=list(about.languages),
        license=about.license,
        base_model=about.base or None,
        library_name="sentence-transformers",
        pipeline_tag="sentence-similarity",
        tags=["sentence-transformers", "isoglot", "multilingual", "retrieval"],
        model_name=about.repo.rpartition("/")[2],
        eval_results=results or None,
    )
    return str(data.to_yaml())


def _about_prompts(query: str, passage: str) -> str:
    if not (query or passage):
        return "No prompts: texts are embedded as they are."
    return (
        f"`encode_query` puts {code_span(repr(query))} before every question and `encode_document` puts "
        f"{code_span(repr(passage))} before every passage. "
        "Programs that call `encode` alone have to put them there themselves: without them the model finds less."
    )


def _benchmark(system: System, figures: Sequence[Figure]) -> str:
    summary = system.results[0].summary
    counts = summary["counts"]
    queries, documents = sum(counts["queries"].values()), sum(counts["documents"].values())
    settings = list(dict.fromkeys(figure.setting for figure in figures if figure.setting != RANK_DISTANCE))
    measures = list(dict.fromkeys(figure.measure for figure in figures if figure.setting != RANK_DISTANCE))
    cells = {(figure.setting, figure.measure): _shown(figure, 3) for figure in figures}
    rows = [
        ["setting", *measures],
        *([name, *(cells.get((name, measure), "") for measure in measures)] for name in settings),
    ]
    lines = [
        f"### {escape(summary['benchmark'])}",
        "",
        f"{', '.join(sorted(counts['queries']))}: {queries:,} queries, {documents:,} passages.",
        "",
        *markdown_table(rows),
    ]
    distances = [figure for figure in figures if figure.setting == RANK_DISTANCE]
    lines += [f"\nRank distance (language bias; lower is better): {_shown(figure, 1)}." for figure in distances]
    notes = [*leak_notes(summary.get("leak")), *summary.get("notes", [])]
    return "\n".join([*lines, *(f"\n{escape(note[0].upper() + note[1:])}." for note in dict.fromkeys(notes))])


def _shown(figure: Figure, digits: int) -> str:
    low, high = figure.interval
    return f"{figure.value:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def _limits(about: Published, systems: Sequence[System]) -> Iterator[str]:
    if systems:
        yield (
            "Mono: query and passages in one language; cross: in two; multi: passages of all languages in one list. In brackets: "
            "95% intervals over queries (bootstrap). They hold for this model, not for others that are trained the same way."
        )
        measured = sorted({lang for system in systems for lang in system.results[0].summary["counts"]["queries"]})
        yield f"Nothing was measured in languages other than {', '.join(measured)}."
    else:
        yield "How it ranks was not measured here."
    yield f"Texts are cut at {about.max_length:,} tokens."
    yield from about.known
    yield f"The licence ({about.license}) is what whoever published it says it is; those of base and training data hold as well."


def check_results(systems: Sequence[System], digest: str | None) -> None:
    """InputError for a result of another model than the one with this digest, or of one that is not known."""
    for system in systems:
        found = system.results[0].summary["digests"].get("model")
        if found is None or found != digest:
            raise InputError(f"{system.folders[0]}: the result of another model, or of other weights; measure this one")
