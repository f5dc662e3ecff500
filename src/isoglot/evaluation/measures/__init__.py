"""Ranking measures from exact ranks: no list is cut off before a measure cuts it. One file per measure.

A measure is a value that prints as its command-line spelling (after ir_measures): `str(parse_measure("ndcg@10"))` is
`nDCG@10`. All of them are computed per query from the ascending ranks r_1 < r_2 < ... of its R relevant documents and
their gains, and agree with ir_measures (trec_eval).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from isoglot.errors import InputError, unknown
from isoglot.reading import whole_number
from isoglot.records import FloatArray, IntArray
from isoglot.registry import Registry


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
    def number(self) -> IntArray:
        """1, 2, ... within every query: the i of r_i, shape (n_judged,)."""
        return np.arange(1, len(self.ranks) + 1) - self.indptr[:-1][self.query]

    @property
    def best(self) -> IntArray:
        """The best rank per query, shape (n,)."""
        return self.ranks[self.indptr[:-1]]

    @property
    def worst(self) -> IntArray:
        """The worst rank per query, shape (n,)."""
        return self.ranks[self.indptr[1:] - 1]

    def sum(self, values: FloatArray) -> FloatArray:
        """Sums per query of values per judged document, shape (n,)."""
        return np.bincount(self.query, weights=values, minlength=len(self)).astype(np.float64)


@dataclass(frozen=True)
class Measure:
    """A measure and its rank cutoff k (None: the whole ranking). A subclass is a member of `MEASURES`.

    Class attributes:
        name: as it is printed.
        aliases: other spellings that are accepted, in lower case.
        needs_cutoff: whether it means nothing without k.
        default_cutoffs: those that are measured where nothing is asked for.
        mteb_name: as MTEB spells it.
    """

    cutoff: int | None = None

    name: ClassVar[str]
    aliases: ClassVar[tuple[str, ...]] = ()
    needs_cutoff: ClassVar[bool] = False
    default_cutoffs: ClassVar[tuple[int | None, ...]] = ()
    mteb_name: ClassVar[str]

    def __str__(self) -> str:
        return self.name if self.cutoff is None else f"{self.name}@{self.cutoff}"

    def __call__(self, ranked: RankedQueries) -> FloatArray:
        """Its values, float64 of shape (n_queries,)."""
        inside = np.ones(len(ranked.ranks)) if self.cutoff is None else (ranked.ranks <= self.cutoff).astype(np.float64)
        return self.per_query(ranked, inside)

    def per_query(self, ranked: RankedQueries, inside: FloatArray) -> FloatArray:
        """The formula; `inside` is 1 where a judged document's rank is k or better, else 0, shape (n_judged,)."""
        raise NotImplementedError


MEASURES: Registry[type[Measure]] = Registry("measure", __name__)


def usual_spellings() -> str:
    """All measures as a list for help texts; those that usually have a cutoff as `R@k`."""
    cut = {kind.name: kind.needs_cutoff or any(kind.default_cutoffs) for kind in MEASURES}
    return ", ".join(f"{name}@k" if cut[name] else name for name in sorted(cut, key=str.casefold))


def default_measures() -> tuple[str, ...]:
    """What is measured where nothing is asked for."""
    kinds = sorted(MEASURES, key=lambda kind: kind.name.casefold())
    return tuple(str(kind(cutoff)) for kind in kinds for cutoff in kind.default_cutoffs)


def parse_measure(spelling: str) -> Measure:
    """A measure from its spelling, such as AP, nDCG@10, R@100; mAP, recall and MRR mean AP, R and RR.

    Raises:
        InputError: no such measure, a cutoff that is missing or no positive whole number.
    """
    name, sign, cutoff = spelling.strip().partition("@")
    by_spelling = {alias: kind for kind in MEASURES for alias in (kind.name.lower(), *kind.aliases)}
    kind = by_spelling.get(name.lower())
    if kind is None:
        raise unknown("measure", spelling, [str(kind(10)) for kind in MEASURES])
    if not sign:
        if kind.needs_cutoff:
            raise InputError(f"measure '{spelling}' needs a cutoff, such as {kind.name}@10")
        return kind()
    if not (rank := whole_number(cutoff)):
        raise InputError(
            f"measure '{spelling[:80]}': '{cutoff[:80]}' is no cutoff; expected a rank such as {kind.name}@10"
        )
    return kind(rank)


def parse_measures(spellings: Iterable[str | Measure]) -> tuple[Measure, ...]:
    """Several measures, each once, in the order given.

    Raises:
        InputError: see `parse_measure`; also when none is given.
    """
    parsed = tuple(dict.fromkeys(s if isinstance(s, Measure) else parse_measure(s) for s in spellings))
    if not parsed:
        raise InputError(f"no measure given; expected some of {', '.join(default_measures())}")
    return parsed
