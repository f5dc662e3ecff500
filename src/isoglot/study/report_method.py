"""The chapters of a report about what was done: data, strategies, tuning, measures, statistics, audit, learning rates."""

from __future__ import annotations

from collections.abc import Sequence

from isoglot.study.document import (
    Block,
    Bullets,
    Code,
    Column,
    Paragraph,
    Row,
    Section,
    Strong,
    Table,
    Text,
    cells,
)
from isoglot.study.report_data import STRATEGIES, Json, StudyFiles, finished
from isoglot.study.report_format import NOTHING, listed, number, plural, value_text
from isoglot.study.report_statistics import RESAMPLES, SEED

_STRATEGY: dict[str, str] = {
    "mono": ": a batch is in one language, chosen uniformly among the training languages; query and passage are both in it.",
    "cross": ": in every pair of a batch, query and passage are in two different languages, so that the in-batch negatives "
    "are in many languages.",
    "hybrid": ": a batch is monolingual with probability α and cross-lingual otherwise",
}


def method_section(files: StudyFiles) -> Section:
    """What was trained and measured, and how."""
    parts = (
        Section("Data", _data(files)),
        Section("Training", _training(files)),
        Section("Measures", _measures(files)),
        Section("Statistics", _statistics(files)),
    )
    return Section("Method", (), parts)


def _trained(files: StudyFiles) -> list[Json]:
    return [cell for cell in files.cells if cell.get("kind") != "base"]


def _data(files: StudyFiles) -> tuple[Block, ...]:
    rows: list[Row] = []
    parts = [part for part in files.spec.get("data") or [] if isinstance(part, dict)]
    common = files.spec.get("benchmarks") or []
    for part in parts:
        own = [cell for cell in _trained(files) if cell.get("data") == part.get("name")]
        languages = (
            sorted({lang for cell in own for lang in cell.get("languages") or []}) or part.get("languages") or []
        )
        pairs = _numbers(own, "pairs")
        amounts = part.get("amount") or [1.0]
        amounts = amounts if isinstance(amounts, list) else [amounts]
        rows.append(
            cells(
                str(part.get("name")),
                value_text(part.get("pairs")),
                " ".join(map(str, languages)) or NOTHING,
                listed([number(n) for n in pairs], NOTHING),
                value_text(amounts),
                value_text(part.get("benchmarks") or common),
            )
        )
    table = Table(
        "Training data, and what was measured after training on them",
        (
            Column("data", False),
            Column("pairs from", False),
            Column("languages", False),
            Column("pairs"),
            Column("shares of them"),
            Column("benchmarks", False),
        ),
        tuple(rows),
    )
    words = (
        "Training data are parallel: each question-answer pair exists in several languages. A model is measured on benchmarks "
        "that it was not trained on; whether they share any text with its training data is what the audit looked for."
    )
    if not rows:
        return (Paragraph("study.json lists no training data.", "note"), *_benchmarks(files))
    return (Paragraph(words), table, *_benchmarks(files))


def _numbers(own: Sequence[Json], name: str) -> list[float]:
    """The different values of a number among what training reports, in their order."""
    found = {(cell.get("train") or {}).get(name) for cell in own}
    return sorted(value for value in found if isinstance(value, (int, float)))


def _benchmarks(files: StudyFiles) -> tuple[Block, ...]:
    """Sizes as they were counted in the first result of every benchmark."""
    found: dict[str, Json] = {}
    for cell in files.cells:
        for name, part in (cell.get("benchmarks") or {}).items() if finished(cell) else ():
            found.setdefault(name, part)
    if not found:
        return (Paragraph("No cell has finished: nothing is known about the benchmarks.", "note"),)
    rows: list[Row] = []
    for name, part in found.items():
        counts = part.get("counts") or {}
        queries, documents = counts.get("queries") or {}, counts.get("documents") or {}
        sizes = counts.get("cells") or {}
        per = [number(sizes.get(setting)) for setting in STRATEGIES[:2]] + [number(sizes.get("multi"))]
        codes = " ".join(sorted({*queries, *documents}))
        rows.append(cells(name, codes, number(sum(queries.values())), number(sum(documents.values())), *per))
    heads = ("queries", "candidates", "mono settings", "cross settings", "multi settings")
    columns = (Column("benchmark", False), Column("languages", False), *map(Column, heads))
    return (Table("Benchmarks", columns, tuple(rows)),)


def _training(files: StudyFiles) -> tuple[Block, ...]:
    trained = _trained(files)
    used = [name for name in STRATEGIES if any(cell.get("strategy") == name for cell in trained)]
    shares = sorted({cell["mono_share"] for cell in trained if isinstance(cell.get("mono_share"), (int, float))})
    items: list[Text] = []
    for name in used:
        end = f" (here α = {listed([f'{share:g}' for share in shares])})." if name == "hybrid" and shares else ""
        items.append((Strong(name), _STRATEGY[name] + (end or ("." if name == "hybrid" else ""))))
    bases = listed(sorted({str(cell.get("base")) for cell in files.cells}))
    words = (
        f"A dual encoder with shared weights ({bases}), cosine similarity, InfoNCE with in-batch negatives, AdamW with linear "
        "warm-up and decay. What differs between cells is how batches are put together and which weights move. The strategies "
        "(after Elmahdy et al. 2024, arXiv 2408.10536):"
    )
    return (Paragraph(words), Bullets(tuple(items)), *_tunings(trained), *_shared(files))


def _tunings(trained: Sequence[Json]) -> tuple[Block, ...]:
    rows: list[Row] = []
    seen: dict[str, Json] = {}
    for cell in trained:
        tuning = cell.get("tuning") or {}
        seen.setdefault(str(tuning.get("name")), tuning)
    for name, tuning in seen.items():
        own = [cell for cell in trained if str((cell.get("tuning") or {}).get("name")) == name]
        rates = sorted({c["learning_rate"] for c in own if isinstance(c.get("learning_rate"), (int, float))})
        budgets = sorted({(c.get("steps"), c.get("batch_size")) for c in own}, key=str)
        lora = tuning.get("kind") == "lora"
        what = "low-rank adapters (Hu et al. 2021)" if lora else "all weights"
        where = " ".join(map(str, tuning.get("targets") or [])) or ("by type of encoder" if lora else NOTHING)
        weights = _numbers(own, "trainable_parameters")
        rows.append(
            cells(
                name,
                what,
                value_text(tuning.get("rank")),
                where,
                listed([number(n) for n in weights], NOTHING),
                listed([f"{rate:g}" for rate in rates], NOTHING),
                listed([f"{value_text(steps)} × {value_text(batch)}" for steps, batch in budgets], NOTHING),
            )
        )
    heads = (("what is trained", False), ("rank", True), ("targets", False), ("trained parameters", True))
    columns = [Column("tuning", False), *(Column(*head) for head in heads)]
    columns += [Column("learning rate"), Column("steps × pairs per batch")]
    return (Table("Tuning and budgets", tuple(columns), tuple(rows)),) if rows else ()


def _shared(files: StudyFiles) -> tuple[Block, ...]:
    shared = files.spec.get("train") or {}
    own = files.spec.get("per_tuning") or {}
    lines: list[Text] = []
    if shared:
        lines.append(("Settings of all cells: ", Code(value_text(shared)), "."))
    lines += [(f"In addition for {name}: ", Code(value_text(values)), ".") for name, values in own.items()]
    return (Bullets(tuple(lines)),) if lines else ()


def _measures(files: StudyFiles) -> tuple[Block, ...]:
    context = (files.spec.get("evaluate") or {}).get("context", "sentence")
    candidates = (
        "a candidate is a sentence alone" if context == "sentence" else "a candidate is encoded with its paragraph"
    )
    items: tuple[Text, ...] = (
        (Strong("mono"), ": a query in language X against the corpus of X; macro-averaged over languages."),
        (Strong("cross"), ": X against the corpus of Y, X ≠ Y; macro-averaged over all ordered pairs of languages."),
        (
            Strong("multi"),
            ": X against the pooled corpora of all languages, every parallel answer relevant; macro-averaged over languages.",
        ),
        (Strong("mAP"), ": mean over queries of the average precision over the whole ranking."),
        (Strong("nDCG@10"), ": discounted cumulative gain of the first ten ranks over that of the best possible ten."),
        (
            Strong("rank distance"),
            ": per query, the worst minus the best rank of its relevant passages in the pooled ranking; averaged over the "
            "queries of a language, then over languages. It measures language bias; lower is better.",
        ),
    )
    words = (
        f"Every text is encoded once and ranks are exact; {candidates}; ties are broken by a hash of the document's id."
    )
    return (Paragraph(words), Bullets(items))


def _statistics(files: StudyFiles) -> tuple[Block, ...]:
    seeds = sorted({cell["seed"] for cell in _trained(files) if isinstance(cell.get("seed"), int)})
    return (
        Paragraph(
            f"Every recipe was planned with {plural(len(seeds), 'seed')} ({listed(seeds)}). Questions over one paragraph and "
            "translations of one question are not independent: intervals are 95% percentile intervals of a bootstrap that draws "
            "whole paragraphs with all their questions and languages, and training seeds where there are several. Differences "
            "are paired over queries and tested by flipping the signs of whole paragraphs (two-sided permutation test), with "
            f"Holm's correction over the tests of a table."
        ),
        Paragraph(
            (
                f"There are {RESAMPLES:,} resamples, seed {SEED}. The same figures come from ",
                Code("isoglot compare"),
                " on the result folders of the cells (its column “p by group” is the p value here).",
            )
        ),
    )
