"""Hard negatives from a model: passages that it ranks high for a query and that answer it in no language."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from pydantic import Field
from xxhash import xxh3_64_intdigest

from isoglot.bars import tqdm
from isoglot.data.groups import Hashes
from isoglot.data.pairs.table import SCHEMA, PairTable
from isoglot.data.sameness import passage_key
from isoglot.data.transform.registry import Transform
from isoglot.errors import InputError
from isoglot.records import IntArray
from isoglot.retrieval.encode import encode_texts
from isoglot.retrieval.scoring import Vectors, pair_scores
from isoglot.retrieval.ties import tie_positions
from isoglot.retrieval.topk import top_k

_QUERIES_AT_ONCE = 4096
_CANDIDATES = 1 << 24  # that are held for a block of queries: about 0.3 GB


class Mine(Transform):
    """The pairs with the negatives that a model finds for each query among the passages of the table.

    Passages of pairs that share a passage or a query with the query's own pair (so everything that is known to answer it, in any
    language) are left out, and ranks are counted among the others, each text once. It is no member of the registry of transforms:
    those know of no models.
    """

    name: ClassVar[str] = "mine"

    model: str = Field(description="hub id, directory, run, or offline:NAME")
    number: int = Field(10, ge=1, description="negatives per row, those that rank highest; fewer where fewer fit")
    from_rank: int = Field(
        1, ge=1, description="rank of the first passage that may be taken, without those that answer the query"
    )
    to_rank: int = Field(50, ge=1, description="rank of the last one")
    margin: float = Field(
        0.05,
        description="a negative scores at least so much less than the row's passage: those nearer may be answers; -2 takes all",
    )
    other_languages: float = Field(
        0.0,
        ge=0,
        le=1,
        description="share of the number that comes from the passages of all other languages, ranked together",
    )
    device: str | None = Field(None, description="cpu, cuda, ... (default: the best)")

    def check(self) -> None:
        if self.from_rank > self.to_rank:
            raise ValueError(f"from_rank {self.from_rank} is behind to_rank {self.to_rank}")

    def apply(self, table: PairTable) -> PairTable:
        from isoglot.models.load import load_model

        return mine(load_model(self.model, device=self.device), table, self)


def mine(model: Any, table: PairTable, asked: Mine, *, progress: bool = True) -> PairTable:
    """The table with mined `negatives` in place of those that it had, all in memory (see also `isoglot.retrieval.mine_file`).

    Args:
        model: a `SentenceTransformer`, or anything that `encode_texts` takes.
        progress: bars on stderr.

    Raises:
        InputError: vectors that are not finite; one language where others are asked for.
    """
    check_languages(table, asked)
    rows = np.arange(len(table))
    told = table.column("lang", rows)
    queries = encode_texts(model, table.column("query", rows), "query", progress=progress, languages=told)
    passages = encode_texts(model, table.column("passage", rows), "passage", progress=progress, languages=told)
    search = Search.of(table, queries, passages)
    found = np.full((len(table), asked.number), -1, dtype=np.int64)
    with tqdm(total=len(table), desc="search", unit="query", disable=not progress) as bar:
        for block in search.blocks(asked):
            found[block.rows] = search.negatives(block, asked)
            bar.update(len(block.rows))
    lists = [table.column("passage", numbers[numbers >= 0]) for numbers in found]
    place = table.table.column_names.index("negatives")
    texts = pa.array(lists, SCHEMA.field("negatives").type)
    return PairTable(table.table.set_column(place, SCHEMA.field("negatives"), texts), table.index)


def check_languages(table: PairTable, asked: Mine) -> None:
    """InputError where negatives of other languages are asked for and there is one language only."""
    if asked.other_languages and len(table.languages) < 2:
        raise InputError(f"other_languages: these pairs have one language only ({', '.join(table.languages)})")


@dataclass(frozen=True)
class Pool:
    """Passages that are ranked together, each text once.

    Attributes:
        rows: int64, ascending: the rows that they are of.
        ties: their places in the order that breaks ties.
        depth: how many of the best are looked at: what is left out for a query does not count in its ranks.
    """

    rows: IntArray
    ties: IntArray
    depth: int


@dataclass(frozen=True)
class Block:
    """Queries that are searched for together: rows of one language, in order. `pools`: where, and how many are taken of each."""

    language: int
    rows: IntArray
    pools: tuple[tuple[Pool, int], ...]


@dataclass(frozen=True)
class Search:
    """A table's texts as vectors; all arrays have one entry per row. A block of queries meets a chunk of passages at a time.

    Attributes:
        queries, passages: float32, shape (n, d); may be a store's.
        language, group: of the row's pair.
        key: XXH3 of the passage's `passage_key`. Two texts with one hash only leave one of them out.
        ties: see `isoglot.retrieval.ties`.
    """

    queries: Vectors
    passages: Vectors
    language: IntArray
    group: IntArray
    key: Hashes
    ties: IntArray

    @classmethod
    def of(cls, table: PairTable, queries: Vectors, passages: Vectors) -> Search:
        pairs, language = table.index.places(len(table))
        texts = (text for chunk in table.table.column("passage").chunks for text in chunk.to_pylist())
        key = np.fromiter((xxh3_64_intdigest(passage_key(text)) for text in texts), dtype=np.uint64, count=len(table))
        group = np.asarray(table.index.group)[pairs].astype(np.int64, copy=False)
        return cls(queries, passages, language, group, key, tie_positions(_Names(table)))

    def blocks(self, asked: Mine) -> Iterator[Block]:
        """All queries, in blocks of one language each. They depend on the table and on what is asked for only."""
        abroad = round(asked.number * asked.other_languages)
        for language in range(int(self.language.max(initial=-1)) + 1):
            home = self.language == language
            queries = np.flatnonzero(home)
            among = ((home, asked.number - abroad), (~home, abroad))
            pools = tuple(
                (self._pool(np.flatnonzero(rows), asked), most) for rows, most in among if most and rows.any()
            )
            deepest = max((pool.depth for pool, _ in pools), default=1)
            size = max(1, min(_QUERIES_AT_ONCE, _CANDIDATES // deepest))
            for start in range(0, len(queries), size):
                yield Block(language, queries[start : start + size], pools)

    def negatives(self, block: Block, asked: Mine) -> IntArray:
        """The rows whose passages are the negatives of each query, best first, then -1; int64, shape (n, asked.number)."""
        rows, n = block.rows, len(block.rows)
        queries = np.asarray(self.queries[rows], dtype=np.float32)
        gold = pair_scores(queries, np.arange(n), self.passages, rows).astype(np.float64)
        found: list[list[int]] = [[] for _ in range(n)]
        for pool, most in block.pools:
            numbers, scores = top_k(queries, _Some(self.passages, pool.rows), pool.depth, pool.ties)
            others = pool.rows[numbers]
            allowed = self.group[others] != self.group[rows][:, None]
            rank = allowed.cumsum(axis=1)
            fits = allowed & (rank >= asked.from_rank) & (rank <= asked.to_rank)
            fits &= scores.astype(np.float64) <= (gold - asked.margin)[:, None]
            fits &= fits.cumsum(axis=1) <= most
            for mine, line, kept in zip(found, others, fits):
                known = set(self.key[mine].tolist())
                mine += [other for other in line[kept].tolist() if self.key[other] not in known]
        padded = [numbers + [-1] * (asked.number - len(numbers)) for numbers in found]
        return np.array(padded, dtype=np.int64).reshape(n, asked.number)

    def _pool(self, rows: IntArray, asked: Mine) -> Pool:
        _, first = np.unique(self.key[rows], return_index=True)
        rows = rows[np.sort(first)]
        # what is left out is counted in these ranks: as many more are looked at as one query can have of it
        left_out = np.unique(self.group[rows], return_counts=True)[1].max()
        return Pool(rows, np.argsort(np.argsort(self.ties[rows])), min(asked.to_rank + int(left_out), len(rows)))


class _Some:
    """Vectors of some rows, in their order, of which a slice at a time is read."""

    def __init__(self, vectors: Vectors, rows: IntArray) -> None:
        self._vectors, self._rows = vectors, rows
        self.shape = (len(rows), int(vectors.shape[1]))

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: Any, /) -> Any:
        return self._vectors[self._rows[index]]


class _Names(Sequence[str]):
    """The names of a table's rows, made when they are asked for."""

    def __init__(self, table: PairTable) -> None:
        self._table = table.table.select(["source", "id", "lang"])

    def __len__(self) -> int:
        return int(self._table.num_rows)

    def __iter__(self) -> Iterator[str]:
        for batch in self._table.to_batches():
            yield from map("\t".join, zip(*(column.to_pylist() for column in batch.columns)))

    def __getitem__(self, index: Any) -> Any:
        return "\t".join(column[index].as_py() for column in self._table.columns)
