"""The one order in which documents with equal scores stand.

Ties are ranked by a hash of the document id (BLAKE2b, 8 bytes, ascending), then by the id. trec_eval ranks them by the
id itself, descending: ids such as `en-12` then make ties a language bias.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from isoglot.records import IntArray

TIE_RULE = "equal scores by BLAKE2b (8 bytes) of the document id, ascending, then by the id"


def tie_positions(ids: Sequence[str], languages: Sequence[str] | None = None) -> IntArray:
    """The place of every document in the order that breaks ties, shape (n,), a permutation of 0..n-1.

    Args:
        ids: document ids.
        languages: per document, for ids that are unique only within a language: the same id in two languages is ordered
            by the hash of language and id, so that no language comes first by rule.
    """
    keys = np.fromiter((_hash(key) for key in ids), dtype=np.uint64, count=len(ids))
    order = np.argsort(keys, kind="stable")
    equal = np.flatnonzero(keys[order][1:] == keys[order][:-1])
    if len(equal):

        def full(i: int) -> tuple[int, str, int, int]:
            return int(keys[i]), ids[i], _hash(f"{languages[i]}\t{ids[i]}") if languages is not None else 0, i

        order = np.array(sorted(order.tolist(), key=full), dtype=np.int64)
    positions = np.empty(len(ids), dtype=np.int64)
    positions[order] = np.arange(len(ids))
    return positions


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")
