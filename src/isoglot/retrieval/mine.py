"""Hard negatives from a model: passages that it ranks high for a query and that answer it in no language."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from pydantic import Field
from tqdm import tqdm

from isoglot.data.pairs.table import SCHEMA, PairTable
from isoglot.data.sameness import passage_key
from isoglot.data.transform.registry import Transform
from isoglot.errors import InputError
from isoglot.records import Float32Array, IntArray
from isoglot.retrieval.encode import encode_texts
from isoglot.retrieval.scoring import pair_scores
from isoglot.retrieval.ties import tie_positions
from isoglot.retrieval.topk import top_k

_QUERIES_AT_ONCE = 2048


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
    """The table with mined `negatives` in place of those that it had.

    Args:
        model: a `SentenceTransformer`, or anything that `encode_texts` takes.
        progress: bars on stderr.

    Raises:
        InputError: vectors that are not finite; one language where others are asked for.
    """
    if asked.other_languages and len(table.languages) < 2:
        raise InputError(f"other_languages: these pairs have one language only ({', '.join(table.languages)})")
    search = _Search.of(model, table, progress)
    abroad = round(asked.number * asked.other_languages)
    lists: list[list[int]] = [[] for _ in range(len(table))]
    with tqdm(total=len(table), desc="search", unit="query", disable=not progress) as bar:
        for number in range(len(table.languages)):
            queries = table.index.rows[:, number]
            queries = queries[queries >= 0].astype(np.int64)
            home = search.language == number
            for among, most in ((home, asked.number - abroad), (~home, abroad)):
                for row, found in search.negatives(queries, np.flatnonzero(among), most, asked):
                    known = set(search.key[lists[row]].tolist())
                    lists[row] += [other for other in found if search.key[other] not in known]
            bar.update(len(queries))
    passages = table.column("passage", np.arange(len(table)))
    texts = pa.array([[passages[row] for row in rows] for rows in lists], SCHEMA.field("negatives").type)
    place = table.table.column_names.index("negatives")
    return PairTable(table.table.set_column(place, SCHEMA.field("negatives"), texts), table.index)


@dataclass(frozen=True)
class _Search:
    """A table's texts as vectors; all arrays have one entry per row.

    Attributes:
        queries, passages: float32, shape (n, d).
        language, group: of the row's pair.
        key: number of the passage's text, the same for texts that are the same.
        gold: float32: score of the query with its passage.
        ties: see `isoglot.retrieval.ties`.
    """

    queries: Float32Array
    passages: Float32Array
    language: IntArray
    group: IntArray
    key: IntArray
    gold: Float32Array
    ties: IntArray

    @classmethod
    def of(cls, model: Any, table: PairTable, progress: bool) -> _Search:
        rows = np.arange(len(table))
        queries, passages = (table.column(name, rows) for name in ("query", "passage"))
        query_vectors = encode_texts(model, queries, "query", progress=progress)
        vectors = encode_texts(model, passages, "passage", progress=progress)
        pairs, language = table.index.places(len(table))
        numbers: dict[bytes, int] = {}
        key = np.array([numbers.setdefault(passage_key(text), len(numbers)) for text in passages], dtype=np.int64)
        names = zip(table.column("source", rows), table.column("id", rows), table.column("lang", rows))
        ties = tie_positions(["\t".join(name) for name in names])
        gold = pair_scores(query_vectors, rows, vectors, rows)
        return cls(query_vectors, vectors, language, table.index.group[pairs], key, gold, ties)

    def negatives(self, queries: IntArray, among: IntArray, most: int, asked: Mine) -> Iterator[tuple[int, list[int]]]:
        """(query row, rows of at most `most` negatives, best first) for queries of some rows, among passages of others."""
        _, first = np.unique(self.key[among], return_index=True)
        among = among[np.sort(first)]
        if not (most and len(queries) and len(among)):
            return
        documents, ties = self.passages[among], np.argsort(np.argsort(self.ties[among]))
        # what is left out is counted in these ranks: as many more are looked at as one query can have of it
        left_out = np.unique(self.group[among], return_counts=True)[1].max()
        depth = min(asked.to_rank + int(left_out), len(among))
        for start in range(0, len(queries), _QUERIES_AT_ONCE):
            rows = queries[start : start + _QUERIES_AT_ONCE]
            numbers, scores = top_k(self.queries[rows], documents, depth, ties)
            others = among[numbers]
            allowed = self.group[others] != self.group[rows][:, None]
            rank = allowed.cumsum(axis=1)
            fits = allowed & (rank >= asked.from_rank) & (rank <= asked.to_rank)
            fits &= scores.astype(np.float64) <= (self.gold[rows].astype(np.float64) - asked.margin)[:, None]
            fits &= fits.cumsum(axis=1) <= most
            for row, line, kept in zip(rows.tolist(), others, fits):
                yield row, line[kept].tolist()
