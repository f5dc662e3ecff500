"""Ranking measures from exact ranks: no list is cut off before a measure cuts it.

A measure is a value that prints as its command-line spelling (after ir_measures): `str(Measure("nDCG", 10))` is
`nDCG@10`. All of them are computed per query from the ascending ranks r_1 < r_2 < ... of its R relevant documents and
their gains, and agree with ir_measures (trec_eval).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from isoglot.errors import InputError, unknown
from isoglot.records import FloatArray, IntArray

DEFAULT_MEASURES = ("AP", "nDCG@10", "R@1", "R@10", "R@100")

# spellings that are accepted, lower case -> the one that is printed
_SPELLINGS = {
    "ap": "AP",
    "map": "AP",
    "ndcg": "nDCG",
    "r": "R",
    "recall": "R",
    "rr": "RR",
    "mrr": "RR",
    "success": "Success",
    "p": "P",
}
_NEEDS_CUTOFF = ("R", "Success", "P")


@dataclass(frozen=True)
class Measure:
    """A measure and its rank cutoff (None: the whole ranking)."""

    name: str
    cutoff: int | None = None

    def __str__(self) -> str:
        return self.name if self.cutoff is None else f"{self.name}@{self.cutoff}"


@dataclass(frozen=True)
class RankedQueries:
    """Judged documents of n queries, flat, by query and then by rank.

    Attributes:
        indptr: int64, shape (n + 1,); every query has at least one relevant document.
        ranks: int64, shape (n_judged,), 1 = best, ascending within a query.
        gains: float64, shape (n_judged,), grades > 0.
    """

    indptr: IntArray
    ranks: IntArray
    gains: FloatArray

    def __len__(self) -> int:
        return len(self.indptr) - 1

    @property
    def n_relevant(self) -> IntArray:
        """R per query, shape (n,)."""
        return np.diff(self.indptr)

    @property
    def query(self) -> IntArray:
        """The query of every judged document, shape (n_judged,)."""
        return np.repeat(np.arange(len(self)), self.n_relevant)

    @property
    def best(self) -> IntArray:
        """The best rank per query, shape (n,)."""
        return self.ranks[self.indptr[:-1]]

    @property
    def worst(self) -> IntArray:
        """The worst rank per query, shape (n,)."""
        return self.ranks[self.indptr[1:] - 1]


def parse_measure(spelling: str) -> Measure:
    """A measure from its spelling: AP, AP@k, nDCG, nDCG@k, RR, RR@k, R@k, P@k, Success@k; mAP and MRR mean AP and RR.

    Raises:
        InputError: no such measure, a cutoff that is missing or no positive whole number.
    """
    name, sign, cutoff = spelling.strip().partition("@")
    printed = _SPELLINGS.get(name.lower())
    if printed is None:
        raise unknown("measure", spelling, ["AP", "nDCG@10", "R@100", "RR@10", "Success@10", "P@10"])
    if not sign:
        if printed in _NEEDS_CUTOFF:
            raise InputError(f"measure '{spelling}' needs a cutoff, such as {printed}@10")
        return Measure(printed)
    if not re.fullmatch(r"[0-9]+", cutoff) or int(cutoff) < 1:
        raise InputError(f"measure '{spelling}': '{cutoff}' is no cutoff; expected a rank such as {printed}@10")
    return Measure(printed, int(cutoff))


def parse_measures(spellings: Iterable[str | Measure]) -> tuple[Measure, ...]:
    """Several measures, each once, in the order given.

    Raises:
        InputError: see `parse_measure`; also when none is given.
    """
    parsed = tuple(dict.fromkeys(s if isinstance(s, Measure) else parse_measure(s) for s in spellings))
    if not parsed:
        raise InputError(f"no measure given; expected some of {', '.join(DEFAULT_MEASURES)}")
    return parsed


def compute(measure: Measure, ranked: RankedQueries) -> FloatArray:
    """Values of one measure, float64 of shape (n_queries,)."""
    inside = np.ones(len(ranked.ranks), dtype=bool) if measure.cutoff is None else ranked.ranks <= measure.cutoff
    return _FORMULAS[measure.name](measure, ranked, inside.astype(np.float64))


def _sum(ranked: RankedQueries, values: FloatArray) -> FloatArray:
    """Sums per query of values per judged document."""
    return np.bincount(ranked.query, weights=values, minlength=len(ranked)).astype(np.float64)


def _place(ranked: RankedQueries) -> IntArray:
    """1, 2, ... within every query, shape (n_judged,)."""
    return np.arange(1, len(ranked.ranks) + 1) - ranked.indptr[:-1][ranked.query]


def _average_precision(measure: Measure, ranked: RankedQueries, inside: FloatArray) -> FloatArray:
    """AP = 1/R sum_i i / r_i, the sum over r_i <= k (Buckley and Voorhees 2000; trec_eval's map and map_cut)."""
    return _sum(ranked, inside * _place(ranked) / ranked.ranks) / ranked.n_relevant


def _ndcg(measure: Measure, ranked: RankedQueries, inside: FloatArray) -> FloatArray:
    """DCG = sum_i gain_i / log2(1 + r_i) over that of the best order (Jarvelin and Kekalainen 2002; linear gains)."""
    order = np.lexsort((-ranked.gains, ranked.query))
    ideal_place = _place(ranked)
    ideal_inside = 1.0 if measure.cutoff is None else ideal_place <= measure.cutoff
    ideal = _sum(ranked, ideal_inside * ranked.gains[order] / np.log2(1 + ideal_place))
    return _sum(ranked, inside * ranked.gains / np.log2(1 + ranked.ranks)) / ideal


def _recall(measure: Measure, ranked: RankedQueries, inside: FloatArray) -> FloatArray:
    """R@k = relevant documents at rank k or better, over R."""
    return _sum(ranked, inside) / ranked.n_relevant


def _reciprocal_rank(measure: Measure, ranked: RankedQueries, inside: FloatArray) -> FloatArray:
    """RR = 1 / r_1, and 0 where r_1 > k (Kantor and Voorhees 2000)."""
    return inside[ranked.indptr[:-1]] / ranked.best


def _success(measure: Measure, ranked: RankedQueries, inside: FloatArray) -> FloatArray:
    """Success@k = 1 where r_1 <= k, else 0."""
    return inside[ranked.indptr[:-1]]


def _precision(measure: Measure, ranked: RankedQueries, inside: FloatArray) -> FloatArray:
    """P@k = relevant documents at rank k or better, over k."""
    return _sum(ranked, inside) / (measure.cutoff or 1)


_FORMULAS: dict[str, Callable[[Measure, RankedQueries, FloatArray], FloatArray]] = {
    "AP": _average_precision,
    "nDCG": _ndcg,
    "R": _recall,
    "RR": _reciprocal_rank,
    "Success": _success,
    "P": _precision,
}
