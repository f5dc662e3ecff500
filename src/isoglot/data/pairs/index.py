"""The integer side of a pair table: which row holds which pair in which language, and which pairs must not meet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from isoglot.data.groups import Hashes, group_pairs
from isoglot.data.sameness import passage_key, text_key
from isoglot.files import digest_strings
from isoglot.records import IntArray, PairRow

_CHUNK = 1 << 20  # pairs that are looked at together, where an index may be larger than memory


@dataclass(frozen=True)
class DealOrder:
    """Some pairs in the order in which batches are dealt from them: by the size of their group, then by group.

    The size of a group is how many of these pairs it has. Groups of one size are a class.

    Attributes:
        pairs: int32 or int64, shape (n,): pair numbers. May be memory-mapped.
        class_sizes: int64, shape (n_classes,): the sizes of groups that occur, ascending.
        class_counts: int64, shape (n_classes,): groups of that size.
    """

    pairs: IntArray
    class_sizes: IntArray
    class_counts: IntArray

    @property
    def n_groups(self) -> int:
        return int(self.class_counts.sum())


@dataclass(frozen=True)
class PairIndex:
    """Pairs x languages -> rows. All that a batch plan needs to know of a pair table.

    Attributes:
        languages: the table's languages, sorted.
        sources: the table's sources, sorted.
        rows: int32 or int64, shape (n_pairs, n_languages): row number of the pair in that language, -1 where it has none.
        source: integers, shape (n_pairs,): number of the pair's source.
        group: int32 or int64, shape (n_pairs,): pairs of one group share a passage or a query in some languages, directly or
            through others of the group (see `isoglot.data.sameness`). As in-batch negatives of each other they would be false
            negatives: no model is told the language of a text.
        bitext: the sources that are plain bitext, sorted: the passage of every row is its query, so that nothing is asked.

    The arrays may be memory-mapped: nothing here but the cached properties reads them whole.
    """

    languages: tuple[str, ...]
    sources: tuple[str, ...]
    rows: IntArray
    source: IntArray
    group: IntArray
    bitext: tuple[str, ...] = field(default=(), kw_only=True)

    @property
    def n_pairs(self) -> int:
        return len(self.rows)

    @cached_property
    def counts(self) -> IntArray:
        """Pairs of each source in each language and, last, in two or more; int64, shape (n_sources, n_languages + 1)."""
        strata = [
            [self.members(source, lang) for lang in (*self.languages, None)] for source in range(len(self.sources))
        ]
        return np.array([[len(pairs) for pairs in row] for row in strata], dtype=np.int64)

    @cached_property
    def n_groups(self) -> int:
        """Groups of pairs."""
        return len(np.unique(self.group))

    @cached_property
    def group_digest(self) -> str:
        """SHA-256 over the groups of all pairs, in order."""
        starts = range(0, self.n_pairs, _CHUNK)
        return digest_strings(str(label) for start in starts for label in self.group[start : start + _CHUNK].tolist())

    def shuffled_groups(self, seed: int, stream: int, group: IntArray | None = None) -> IntArray:
        """All groups (of `group`, where given) in an order of chance; each use of a seed has a `stream` of its own."""
        groups = np.unique(self.group if group is None else group)
        return np.random.default_rng(np.random.SeedSequence((seed, stream))).permutation(groups)

    def column(self, lang: str | None) -> int:
        """Column of `counts` for pairs in `lang`, or for pairs in two or more languages (None)."""
        return len(self.languages) if lang is None else self.languages.index(lang)

    def members(self, source: int, lang: str | None) -> IntArray:
        """Pairs of a source that exist in `lang`, or in two or more languages (None); int64, ascending, shape (n,)."""
        members = [np.zeros(0, dtype=np.int64)]
        for start in range(0, self.n_pairs, _CHUNK):
            rows = self.rows[start : start + _CHUNK]
            fits = (rows >= 0).sum(axis=1) >= 2 if lang is None else rows[:, self.languages.index(lang)] >= 0
            members.append(np.flatnonzero(fits & (self.source[start : start + _CHUNK] == source)) + start)
        return np.concatenate(members)

    def places(self, n_rows: int) -> tuple[IntArray, IntArray]:
        """(pair, column of the language) of every row, int64, shape (n_rows,) each."""
        pair, column = np.empty((2, n_rows), dtype=np.int64)
        pairs, columns = np.nonzero(self.rows >= 0)
        rows = self.rows[pairs, columns]
        pair[rows], column[rows] = pairs, columns
        return pair, column

    def deal_order(self, source: int, lang: str | None) -> DealOrder:
        """The pairs of `members` in the order that a stratum of a batch plan deals from."""
        return deal_order(self.members(source, lang), self.group)


def deal_order(pairs: IntArray, group: IntArray) -> DealOrder:
    """Pair numbers `pairs` (ascending, shape (n,)) by the size of their group among them, then by group, then by number.

    Args:
        group: shape (n_pairs,): the group of every pair of the table.
    """
    labels = group[pairs]
    order = np.argsort(labels, kind="stable")
    labels = labels[order]
    starts = np.flatnonzero(np.concatenate([[True], labels[1:] != labels[:-1]])[: len(labels)])
    sizes = np.diff(starts, append=len(labels))
    class_sizes, counts = np.unique(sizes, return_counts=True)
    if len(class_sizes) > 1:
        # 16 bits are sorted by radix, many times faster
        keys = np.repeat(sizes, sizes).astype(np.uint16 if class_sizes[-1] < 1 << 16 else np.int64)
        order = order[np.argsort(keys, kind="stable")]
    return DealOrder(pairs=pairs[order], class_sizes=class_sizes.astype(np.int64), class_counts=counts.astype(np.int64))


def build_index(rows: Sequence[PairRow]) -> PairIndex:
    """Index `rows`; pairs are numbered in the order of their first row.

    Raises:
        ValueError: two rows with the same (source, id, lang). Sources check this with file and line before.
    """
    languages, sources = (tuple(sorted({getattr(row, name) for row in rows})) for name in ("lang", "source"))
    pair_of_row = _numbers((row.source, row.id) for row in rows).astype(np.int64) - 1
    n_pairs = int(pair_of_row.max(initial=-1)) + 1
    lang_of_row = np.array([languages.index(row.lang) for row in rows], dtype=np.int64)
    table = np.full((n_pairs, len(languages)), -1, dtype=np.int64)
    table[pair_of_row, lang_of_row] = np.arange(len(rows))
    replaced = np.flatnonzero(table[pair_of_row, lang_of_row] != np.arange(len(rows)))
    if len(replaced):
        row = rows[replaced[0]]
        raise ValueError(f"two rows for source {row.source!r}, id {row.id!r}, language {row.lang!r}")
    source = np.zeros(n_pairs, dtype=np.int64)
    source[pair_of_row] = [sources.index(row.source) for row in rows]
    keys = [
        _numbers(passage_key(row.passage) for row in rows),
        _numbers(text_key(row.query) for row in rows),
        _numbers(None if row.passage_id is None else (row.source, row.passage_id) for row in rows),
    ]
    group = group_pairs(pair_of_row, n_pairs, keys)
    asking = {row.source for row in rows if row.query != row.passage}
    bitext = tuple(name for name in sources if name not in asking)
    return PairIndex(languages=languages, sources=sources, rows=table, source=source, group=group, bitext=bitext)


def _numbers(keys: Iterable[object]) -> Hashes:
    """The number of every key, from 1 on, in the order of first appearance; 0 for None."""
    numbers: dict[object, int] = {None: 0}
    return np.fromiter((numbers.setdefault(key, len(numbers)) for key in keys), dtype=np.uint64)
