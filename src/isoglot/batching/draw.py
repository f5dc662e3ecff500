"""Which negatives a batch gets: a pure function of the seed and the step, in all processes the same."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from isoglot.batching.negatives import Negatives, Pool
from isoglot.batching.permutation import generator
from isoglot.data.pairs.index import PairIndex
from isoglot.records import Batch, IntArray

_NEGATIVES, _ABROAD = 23, 24


def draw(pool: Pool, asked: Negatives, index: PairIndex, batch: Batch, seed: int) -> IntArray:
    """Numbers in the pool of the negatives of a global batch: for all its queries, each text once.

    For every passage of the batch `asked.number` texts are drawn without replacement, uniformly from those that its row has (all,
    where these are not more); a share of them from rows of its pair in other languages, each of them equally likely.
    Texts that are a passage of some pair of the batch are left out afterwards.
    """
    rows, wanted = batch.passage_rows, np.full(len(batch.passage_rows), asked.number, dtype=np.int64)
    if asked.other_languages:
        rows, wanted = _languages(asked, index, batch, generator(seed, _ABROAD, batch.step))
    places = _subsets(pool.counts(rows), wanted, lambda: generator(seed, _NEGATIVES, batch.step))
    which, column = np.nonzero(places >= 0)
    return pool.fitting(pool.numbers(rows[which], places[which, column]), batch.queries.pairs)


def _languages(
    asked: Negatives, index: PairIndex, batch: Batch, random: np.random.Generator
) -> tuple[IntArray, IntArray]:
    """(rows, how many negatives to draw from each), where some come from other languages."""
    side = batch.passages
    rows, own = index.rows[side.pairs], (np.arange(len(side.pairs)), side.languages)
    others = rows >= 0
    others[own] = False
    left = others.sum(axis=1)
    abroad = np.where(left > 0, random.binomial(asked.number, asked.other_languages, len(rows)), 0)
    wanted = np.zeros(rows.shape, dtype=np.int64)
    wanted[own] = asked.number - abroad
    for column in range(rows.shape[1]):  # language by language: each gets a like share of what is left
        here = others[:, column]
        wanted[here, column] = random.binomial(abroad[here], 1 / left[here])
        abroad -= np.where(here, wanted[:, column], 0)
        left -= here
    places = np.nonzero(wanted)
    return rows[places].astype(np.int64), wanted[places]


def _subsets(sizes: IntArray, wanted: IntArray, random: Callable[[], np.random.Generator]) -> IntArray:
    """Of each i a uniformly random subset of {0, ..., sizes[i] - 1}, ascending, with min(sizes[i], wanted[i]) members.

    (Floyd's algorithm, in Bentley and Floyd 1987, "A sample of brilliance".)

    Returns:
        int64, shape (n, largest subset), with -1 where a row has fewer; what is there stands in order.
    """
    taken = np.minimum(sizes, wanted)
    columns = np.arange(int(taken.max(initial=0)))
    places = np.where(columns < taken[:, None], columns, -1)
    if (taken == sizes).all():
        return places
    draws = random().random(places.shape)
    for column in columns.tolist():
        last = sizes - taken + column
        place = np.minimum((draws[:, column] * (last + 1)).astype(np.int64), last)
        again = (places[:, :column] == place[:, None]).any(axis=1)
        places[:, column] = np.where(column < taken, np.where(again, last, place), -1)
    places.sort(axis=1)
    return places
