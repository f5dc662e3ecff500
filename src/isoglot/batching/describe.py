"""A plan in words and tables, before any model is loaded."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

from isoglot.batching.plan import BatchPlan
from isoglot.data.pairs.table import PairTable
from isoglot.records import Batch, Column, Side
from isoglot.tables import text_table


def composition(plan: BatchPlan, table: PairTable, steps: int) -> dict[str, Any]:
    """Counts over the first `steps` batches.

    Returns:
        {"steps", "batches": {kind: n}, "mono_languages": {lang: batches}, "sources": {source: batches},
        "cross_pairs": {query language: {passage language: pairs}}, "switched_pairs": the same by the languages that texts are
        switched into, "pairs_seen": n, "pairs": n}
    """
    kinds: Counter[str] = Counter({info.kind: 0 for info in plan.strata})
    languages: Counter[str] = Counter()
    sources: Counter[str] = Counter()
    cross: dict[str, Counter[str]] = {lang: Counter() for lang in table.languages}
    switched: dict[str, Counter[str]] = defaultdict(Counter)
    seen: set[tuple[str, str]] = set()
    for batch in plan[:steps]:
        kinds[batch.kind] += 1
        sources[batch.source] += 1
        seen.update((batch.source, key) for key in table.column("id", batch.query_rows))
        if batch.language is not None:
            languages[batch.language] += 1
            if batch.rewrite is not None:
                for query, passage in zip(*(_into(batch, side) for side in (batch.queries, batch.passages))):
                    switched[query][passage] += 1
        else:
            for query, passage in _language_pairs(batch):
                cross[table.languages[query]][table.languages[passage]] += 1
    return {
        "steps": steps,
        "batches": dict(kinds),
        "mono_languages": dict(sorted(languages.items())),
        "sources": dict(sorted(sources.items())),
        "cross_pairs": {lang: dict(sorted(row.items())) for lang, row in cross.items() if row},
        **(
            {"switched_pairs": {lang: dict(sorted(row.items())) for lang, row in sorted(switched.items())}}
            if switched
            else {}
        ),
        "pairs_seen": len(seen),
        "pairs": plan.index.n_pairs,
    }


def _into(batch: Batch, side: Side) -> list[str]:
    """The languages that the texts of a side are switched into; their own where they stay as they are."""
    assert batch.rewrite is not None
    assert side.targets is not None
    languages = batch.rewrite.languages
    return [languages[target] if target >= 0 else str(batch.language) for target in side.targets.tolist()]


def _language_pairs(batch: Batch) -> list[tuple[int, int]]:
    """(query language, passage language) of every query with every passage of its pair."""
    passages: dict[int, list[int]] = {}
    for place, language in zip(batch.passages.places.tolist(), batch.passages.languages.tolist()):
        passages.setdefault(place, []).append(language)
    queries = zip(batch.queries.places.tolist(), batch.queries.languages.tolist())
    return [(language, other) for place, language in queries for other in passages[place]]


def format_strata(plan: BatchPlan) -> str:
    """One line per stratum: what it is drawn from and how often."""
    rows = [["kind", "source", "language", "share", "pairs", "groups", "batches/epoch"]]
    for info in plan.strata:
        sizes = (info.pairs, info.groups, info.batches_per_epoch)
        rows.append([info.kind, info.source, info.language or "two or more", f"{info.share:.4f}", *map(str, sizes)])
    return "\n".join(text_table(rows, text_columns=3))


def format_composition(counts: dict[str, Any]) -> str:
    """The table that `isoglot plan` prints under the strata."""
    kinds = " and ".join(f"{number} {kind}" for kind, number in counts["batches"].items())
    lines = [f"first {counts['steps']} steps: {kinds} batches, {counts['pairs_seen']} of {counts['pairs']} pairs seen"]
    if counts["mono_languages"]:
        lines.append(
            "batches of one language: " + "  ".join(f"{lang} {n}" for lang, n in counts["mono_languages"].items())
        )
    for key, which in (
        ("cross_pairs", "of the other batches"),
        ("switched_pairs", "of switched texts, by the languages that they go into"),
    ):
        if rows := counts.get(key):
            columns = sorted({lang for row in rows.values() for lang in row})
            lines.append(f"pairs {which} (rows: query language, columns: passage language)")
            table = [["", *columns]]
            for lang, row in sorted(rows.items()):
                table.append([lang, *(str(row.get(other, 0) or ".") for other in columns)])
            lines += text_table(table)
    return "\n".join(lines)


def format_batch(batch: Batch, table: PairTable, *, most: int = 5, width: int = 48) -> str:
    """A batch with the texts of its first `most` pairs, cut to `width` characters."""
    lines = [
        f"step {batch.step}: {batch.kind} {batch.language or ''}".rstrip()
        + f", source {batch.source}, {len(batch)} pairs"
    ]
    for place in range(min(most, len(batch))):
        cut = batch.between(place, place + 1)
        (key, *_) = table.column("id", cut.query_rows)
        sides: tuple[tuple[Column, Side], ...] = (("query", cut.queries), ("passage", cut.passages))
        texts = [
            "  ".join(
                f"{lang}: {_cut(text, width)}"
                for lang, text in zip(
                    named_languages(cut, side, table), cut.texts(column, table.column(column, side.rows))
                )
            )
            for column, side in sides
        ]
        lines.append(f"  {_cut(key, 16):<16} {texts[0]}  ->  {texts[1]}")
    if len(batch) > most:
        lines.append(f"  ... and {len(batch) - most} more")
    return "\n".join(lines)


def named_languages(batch: Batch, side: Side, table: PairTable) -> list[str]:
    """The languages of the rows of a side, and those that they are switched into: `en>de`."""
    own = table.column("lang", side.rows)
    if batch.rewrite is None:
        return own
    return [lang if lang == into else f"{lang}>{into}" for lang, into in zip(own, _into(batch, side))]


def _cut(text: str, width: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= width else text[: width - 1] + "…"
