"""How strong a correction of embeddings should be: measured on parallel pairs that it was not fitted on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from isoglot.data.pair_benchmark import make_pair_benchmark
from isoglot.data.pairs.table import PairTable
from isoglot.errors import InputError, warn
from isoglot.evaluation.bias import rank_distance
from isoglot.evaluation.cells import macro, make_rows
from isoglot.evaluation.measures import parse_measures
from isoglot.models.language_maps import LanguageMaps, Side
from isoglot.records import SETTINGS, Benchmark, Float32Array
from isoglot.retrieval.encode import pooled_languages, pooled_texts
from isoglot.retrieval.rankings import rank_benchmark
from isoglot.retrieval.ties import pooled_ties

Encode = Callable[[Sequence[str], Side, Sequence[str]], Float32Array]
"""Vectors of texts of one side in some languages, shape (n, d)."""
MEASURE = "nDCG@10"
STRENGTHS = tuple(step / 10 for step in range(11))
MOST_PAIRS = 200
"""Pairs that are measured on: some thousand queries of a dozen languages, in seconds."""
_EASY = 0.95  # nDCG@10 within one language above which there is little to lose, and so no loss to see


def hold_out(table: PairTable, share: float, seed: int) -> tuple[PairTable, PairTable]:
    """(pairs to fit on, at most `MOST_PAIRS` others): no pair, passage or query is in both.

    Raises:
        InputError: a share that leaves one side empty, or no pair held out that is there in two languages.
    """
    held = table.held(share, seed)
    measured = np.zeros_like(held)
    measured[
        np.flatnonzero(held)[np.linspace(0, held.sum() - 1, min(MOST_PAIRS, int(held.sum()))).astype(np.int64)]
    ] = True
    rest, chosen = table.select_pairs(~held), table.select_pairs(measured)
    if not ((chosen.index.rows >= 0).sum(axis=1) > 1).any():
        raise InputError("strength auto needs parallel pairs: of those that are held out none is in two languages")
    return rest, chosen


def choose_strength(
    encode: Encode,
    held: PairTable,
    maps: LanguageMaps,
    max_mono_loss: float,
    *,
    unit: bool = True,
) -> tuple[LanguageMaps, list[dict[str, Any]]]:
    """The maps with the strength of the best multilingual nDCG@10 among those that lose little within one language.

    Where hardly anything can be lost within one language, because everything is found there, it is said that no loss is seen.

    Args:
        encode: gives the vectors that maps are for.
        held: pairs that they were not fitted on.
        max_mono_loss: most nDCG@10 that retrieval within one language may lose against strength 0, which always passes.
        unit: whether corrected vectors are of length 1.

    Returns:
        the maps, and a row per strength: strength, mono, cross, multi (nDCG@10; None where it cannot be measured),
        rank_distance, allowed, chosen.
    """
    benchmark = make_pair_benchmark(held, "held-out", "parallel")
    sides: tuple[Side, Side] = ("query", "passage")
    vectors = [encode(pooled_texts(benchmark, side), side, pooled_languages(benchmark, side)) for side in sides]
    rows: list[dict[str, Any]] = []
    for strength in STRENGTHS:
        tried = replace(maps, strength=strength)
        queries, documents = (map_pooled(tried, benchmark, side, own, unit=unit) for side, own in zip(sides, vectors))
        rows.append(_row(strength, scores_of(benchmark, queries, documents)))
    if (mono := rows[0]["mono"]) is not None and mono > _EASY:
        warn(
            f"within one language the pairs that are held out are found too easily ({MEASURE} {mono:.3f}) to show what a "
            "correction costs there: evaluate base and result on texts of yours, and give a lower --strength if it costs too much"
        )
    best = 0
    for number, row in enumerate(rows):
        row["allowed"] = row["mono"] is None or rows[0]["mono"] - row["mono"] <= max_mono_loss
        if row["allowed"] and row["multi"] > rows[best]["multi"]:
            best = number
    for number, row in enumerate(rows):
        row["chosen"] = number == best
    return replace(maps, strength=STRENGTHS[best]), rows


def map_each(
    maps: LanguageMaps, vectors: Float32Array, side: Side, languages: Sequence[str | None], *, unit: bool = True
) -> Float32Array:
    """Corrected vectors of texts of one side, each by the map of its language; float32, shape (n, d), as `vectors`."""
    corrected = np.empty_like(vectors)
    rows_of: defaultdict[str | None, list[int]] = defaultdict(list)
    for row, lang in enumerate(languages):
        rows_of[lang].append(row)
    for lang, rows in rows_of.items():
        corrected[rows] = maps.apply(vectors[rows], side, lang, unit=unit)
    return corrected


def map_pooled(
    maps: LanguageMaps,
    benchmark: Benchmark,
    side: Side,
    vectors: Float32Array,
    *,
    unit: bool = True,
    told: bool = False,
) -> Float32Array:
    """Corrected vectors of all queries or passages of a benchmark, in pooled order.

    Args:
        vectors: float32, shape (n, d).
        told: each language is told from the embedding, instead of what the benchmark says.
    """
    by_language = benchmark.queries if side == "query" else benchmark.corpus
    ends = np.cumsum([len(texts) for texts in by_language.values()])
    parts = zip(by_language, np.split(vectors, ends[:-1]))
    return np.concatenate([maps.apply(part, side, None if told else lang, unit=unit) for lang, part in parts])


def format_strengths(rows: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """The table of strengths as rows of texts, headed."""
    head = ["strength", *(f"{setting} {MEASURE}" for setting in SETTINGS), "rank distance", ""]
    shown = [
        [
            f"{row['strength']:g}",
            *("-" if row[setting] is None else f"{row[setting]:.4f}" for setting in SETTINGS),
            f"{row['rank_distance']:.1f}",
            "chosen" if row["chosen"] else "" if row["allowed"] else "loses too much within one language",
        ]
        for row in rows
    ]
    return [head, *shown]


def scores_of(
    benchmark: Benchmark, queries: Float32Array, documents: Float32Array, measures: Sequence[str] = (MEASURE,)
) -> dict[str, dict[str, float] | float | None]:
    """{setting: {measure: macro-average}} (None where it cannot be measured), and "rank_distance", the mean over queries."""
    ranks = rank_benchmark(benchmark, queries, documents, pooled_ties(benchmark), None)
    scores: dict[str, dict[str, float] | float | None] = {}
    for setting in SETTINGS:
        rows = make_rows(setting, benchmark, ranks)
        values = {str(measure): measure(rows.ranked) for measure in parse_measures(measures)} if len(rows) else {}
        scores[setting] = macro(rows.means(values).values()) if values else None
        if setting == "multi":
            scores["rank_distance"] = round(float(np.nanmean(rank_distance(rows.ranked, rows.n_languages))), 4)
    return scores


def _row(strength: float, scores: Mapping[str, Any]) -> dict[str, Any]:
    """Of the table of strengths."""
    values: dict[str, Any] = {setting: scores[setting] and round(scores[setting][MEASURE], 6) for setting in SETTINGS}
    return {"strength": strength, **values, "rank_distance": scores["rank_distance"]}
