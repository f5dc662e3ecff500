"""A plan in words and tables, before any model is loaded."""

from __future__ import annotations

from collections import Counter
from typing import Any

from isoglot.batching.plan import BatchPlan
from isoglot.data.pairs.table import PairTable
from isoglot.records import Batch


def composition(plan: BatchPlan, table: PairTable, steps: int) -> dict[str, Any]:
    """Counts over the first `steps` batches.

    Returns:
        {"steps", "batches": {"mono": n, "cross": n}, "mono_languages": {lang: batches}, "sources": {source: batches},
        "cross_pairs": {query language: {passage language: pairs}}, "pairs_seen": n, "pairs": n}
    """
    kinds: Counter[str] = Counter()
    languages: Counter[str] = Counter()
    sources: Counter[str] = Counter()
    cross: dict[str, Counter[str]] = {lang: Counter() for lang in table.languages}
    seen: set[tuple[str, str]] = set()
    for batch in plan[:steps]:
        kinds[batch.kind] += 1
        sources[batch.source] += 1
        seen.update((batch.source, key) for key in table.column("id", batch.query_rows))
        if batch.language is not None:
            languages[batch.language] += 1
        else:
            for query, passage in zip(table.column("lang", batch.query_rows), table.column("lang", batch.passage_rows)):
                cross[query][passage] += 1
    return {
        "steps": steps,
        "batches": {"mono": kinds["mono"], "cross": kinds["cross"]},
        "mono_languages": dict(sorted(languages.items())),
        "sources": dict(sorted(sources.items())),
        "cross_pairs": {lang: dict(sorted(row.items())) for lang, row in cross.items() if row},
        "pairs_seen": len(seen),
        "pairs": plan.index.n_pairs,
    }


def format_strata(plan: BatchPlan) -> str:
    """One line per stratum: what it is drawn from and how often."""
    width = max(6, *(len(info.source) for info in plan.strata))
    lines = [
        f"{'kind':<6} {'source':<{width}} {'language':<10} {'share':>7} {'pairs':>9} {'groups':>9} {'batches/epoch':>14}"
    ]
    lines += [
        f"{info.kind:<6} {info.source:<{width}} {info.language or 'any two':<10} {info.share:>7.4f} {info.pairs:>9} "
        f"{info.groups:>9} {info.batches_per_epoch:>14}"
        for info in plan.strata
    ]
    return "\n".join(lines)


def format_composition(counts: dict[str, Any]) -> str:
    """The table that `isoglot plan` prints under the strata."""
    mono, cross = counts["batches"]["mono"], counts["batches"]["cross"]
    lines = [
        f"first {counts['steps']} steps: {mono} monolingual and {cross} cross-lingual batches, "
        f"{counts['pairs_seen']} of {counts['pairs']} pairs seen"
    ]
    if counts["mono_languages"]:
        lines.append("monolingual batches: " + "  ".join(f"{lang} {n}" for lang, n in counts["mono_languages"].items()))
    if counts["cross_pairs"]:
        columns = sorted({lang for row in counts["cross_pairs"].values() for lang in row})
        lines.append("cross-lingual pairs (rows: query language, columns: passage language)")
        lines.append(" " * 8 + "".join(f"{lang:>8}" for lang in columns))
        for lang, row in sorted(counts["cross_pairs"].items()):
            lines.append(f"{lang:<8}" + "".join(f"{row.get(other, 0) or '.':>8}" for other in columns))
    return "\n".join(lines)


def format_batch(batch: Batch, table: PairTable, *, most: int = 5, width: int = 48) -> str:
    """A batch with the first `most` of its pairs, texts cut to `width` characters."""
    lines = [
        f"step {batch.step}: {batch.kind} {batch.language or ''}".rstrip()
        + f", source {batch.source}, {len(batch)} pairs"
    ]
    queries, passages = batch.query_rows[:most], batch.passage_rows[:most]
    columns = [
        table.column("id", queries),
        table.column("lang", queries),
        table.column("query", queries),
        table.column("lang", passages),
        table.column("passage", passages),
    ]
    for key, query_lang, query, passage_lang, passage in zip(*columns):
        lines.append(
            f"  {_cut(key, 16):<16} {query_lang}: {_cut(query, width)}  ->  {passage_lang}: {_cut(passage, width)}"
        )
    if len(batch) > most:
        lines.append(f"  ... and {len(batch) - most} more")
    return "\n".join(lines)


def _cut(text: str, width: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= width else text[: width - 1] + "…"
