"""What stands beside a passage in its document and answers no query of its group, without going through documents again.

A document is what the rows of one source with one `document_id` have in one language; a row without one is a document alone.
Its texts are the passages of its rows and what these rows name as further passages, each once (by `text_key`). Every text
that is a passage of some row belongs to one group of pairs, because pairs with a passage in common are one group. Texts
are kept by document and, inside, by that group; so what a row may not have (passages of its own group in any language, thus
everything that is gold of its pair) is one run of its document's texts, and what it may have is the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa
from xxhash import xxh3_64_intdigest

from isoglot.data.groups import Hashes
from isoglot.data.pairs.index import PairIndex
from isoglot.data.pairs.lists import ListColumn, ranges, take_rows
from isoglot.data.sameness import passage_key
from isoglot.records import IntArray

_CHUNK = 65_536


@dataclass(frozen=True)
class Documents:
    """The texts of all documents, numbered through, document by document.

    Attributes:
        document: int64, shape (n_rows,): number of the row's document.
        starts: int64, shape (n_documents + 1,): where each document's texts begin.
        own: int64, shape (n_rows,): where in its document's texts the run begins that belongs to the row's own group.
        own_size: int64, shape (n_rows,): how many these are.
        owner: int64, shape (n_texts,): group of the pairs that have the text as a passage; -1: none has.
        hashes: uint64, shape (n_texts,): of the texts' keys. Two texts with one hash only leave one of them out.
        places: int64, shape (n_texts,): row whose passage it is, or n_rows + its number among the further passages.
        passages, more: the columns of the texts.
    """

    document: IntArray
    starts: IntArray
    own: IntArray
    own_size: IntArray
    owner: IntArray
    hashes: Hashes
    places: IntArray
    passages: Any
    more: ListColumn

    @classmethod
    def of(cls, table: pa.Table, index: PairIndex) -> Documents:
        """Of the rows of a pair table."""
        n, more = len(table), ListColumn(table.column("document_passages"))
        document = _documents(table)
        passages = _hashes(table.column("passage").chunks)
        hashes = np.concatenate([passages, _hashes(more.chunks())])
        of = np.concatenate([document, np.repeat(document, more.spans(np.arange(n))[1])])
        order = np.lexsort((hashes, of))  # stable: of equal texts of a document the first one stays
        again = (np.diff(of[order]) == 0) & (np.diff(hashes[order]) == 0)
        kept = order[np.flatnonzero(np.concatenate([[True], ~again])[: len(order)])]
        group = index.group[index.places(n)[0]].astype(np.int64, copy=False)  # of each row's pair
        owner = _owners(passages, group, hashes[kept])
        inside = np.lexsort((kept, owner, of[kept]))
        kept, owner = kept[inside], owner[inside]
        starts = np.searchsorted(of[kept], np.arange(int(document.max(initial=-1)) + 2))
        run = of[kept] * (int(group.max(initial=0)) + 2) + owner + 1  # ascending, one number per document and owner
        wanted = document * (int(group.max(initial=0)) + 2) + group + 1
        own, own_end = (np.searchsorted(run, wanted, side=side) for side in ("left", "right"))
        texts = owner, hashes[kept], kept
        return cls(document, starts, own - starts[document], own_end - own, *texts, table.column("passage"), more)

    def __len__(self) -> int:
        return len(self.owner)

    def counts(self, rows: IntArray) -> IntArray:
        """How many texts each row may have as negatives, shape (n,)."""
        document = self.document[rows]
        counts: IntArray = self.starts[document + 1] - self.starts[document] - self.own_size[rows]
        return counts

    def numbers(self, rows: IntArray, places: IntArray) -> IntArray:
        """Numbers of the texts at places[i], below `counts`, among those that rows[i] may have."""
        numbers: IntArray = self.starts[self.document[rows]] + places
        return numbers + np.where(places >= self.own[rows], self.own_size[rows], 0)

    def every(self, rows: IntArray) -> IntArray:
        """Numbers of all texts of the rows' documents, ascending, each once."""
        used = np.unique(self.document[rows])
        return ranges(self.starts[used], self.starts[used + 1] - self.starts[used])

    def texts(self, numbers: IntArray) -> pa.Array[Any]:
        """The texts of some numbers, in their order."""
        places, n = self.places[numbers], len(self.document)
        is_passage = places < n
        both = [take_rows(self.passages, places[is_passage]), self.more.texts(places[~is_passage] - n)]
        order = np.argsort(np.concatenate([np.flatnonzero(is_passage), np.flatnonzero(~is_passage)]))
        texts: pa.Array[Any] = pa.concat_arrays(both).take(pa.array(order, pa.int64()))
        return texts


def _owners(passages: Hashes, group: IntArray, hashes: Hashes) -> IntArray:
    """The group of the rows whose passage has the hash, -1 where none has; rows with one passage are of one group."""
    known, first = np.unique(passages, return_index=True)
    nearest = np.minimum(np.searchsorted(known, hashes), len(known) - 1)
    return np.where(known[nearest] == hashes, group[first[nearest]], -1)


def _hashes(chunks: Iterable[pa.Array[Any]]) -> Hashes:
    """XXH3 of the texts' keys; what is no text counts as an empty one."""
    texts: Iterator[str | None] = chain.from_iterable(chunk.to_pylist() for chunk in chunks)
    return np.fromiter((xxh3_64_intdigest(passage_key(text or "")) for text in texts), dtype=np.uint64)


def _documents(table: pa.Table) -> IntArray:
    """Numbers of the rows' documents, in the order of their first rows."""
    numbers: dict[tuple[Any, ...], int] = {}
    columns = table.select(["source", "lang", "document_id", "id"])
    documents = []
    for batch in columns.to_batches(max_chunksize=_CHUNK):
        for source, lang, name, key in zip(*(column.to_pylist() for column in batch.columns)):
            own = (source, lang, name) if name is not None else (source, lang, None, key)
            documents.append(numbers.setdefault(own, len(numbers)))
    return np.array(documents, dtype=np.int64)
