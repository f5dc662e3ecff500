"""Near duplicates: MinHash sketches of texts and an index of them, by datasketch."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

from isoglot.data.audit.texts import UIntArray, chunks, jaccard, shingles
from isoglot.errors import InputError

THRESHOLD = 0.8
"""Jaccard similarity of shingle sets from which two texts are near duplicates."""

PERMUTATIONS = 128
# 25 bands of 5 rows: a pair of Jaccard .8 shares a band with probability 1 - (1 - .8^5)^25 = .99995, one of .5 with .55
BANDS, ROWS = 25, 5


def sketch(texts: Sequence[str]) -> tuple[list[UIntArray], list[Any]]:
    """Per normalised text, its shingles (see `shingles`) and its datasketch.MinHash (Broder 1997).

    Raises:
        InputError: datasketch is not installed.
    """
    of_text = shingles(texts)
    # 32 bits: what datasketch permutes; the upper half is the better mixed one
    words = ((hashes >> 32).tolist() for hashes in of_text)
    return of_text, _datasketch().MinHash.bulk(words, num_perm=PERMUTATIONS, seed=1, hashfunc=int)


class NearIndex:
    """Normalised texts that near duplicates are looked up in, numbered in their order.

    Candidates share a band of datasketch's MinHashLSH (Leskovec, Rajaraman and Ullman 2020, chapter 3.4). Each is verified
    by the exact Jaccard similarity, so that chance in the sketches can lose a pair but never make one up.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = texts
        self._lsh = _datasketch().MinHashLSH(num_perm=PERMUTATIONS, params=(BANDS, ROWS))
        minhashes = chain.from_iterable(sketch(chunk)[1] for chunk in chunks(texts))
        for number, minhash in enumerate(minhashes):
            self._lsh.insert(number, minhash, check_duplication=False)

    def look_up(self, of_text: Sequence[UIntArray], minhashes: Sequence[Any]) -> list[tuple[int, int, float]]:
        """(number of the asked text, number of the indexed one, Jaccard) of all pairs from `THRESHOLD` on, sorted.

        Args:
            of_text, minhashes: of the asked texts, see `sketch`.
        """
        pairs = []
        for asked, (own, minhash) in enumerate(zip(of_text, minhashes)):
            candidates = sorted(self._lsh.query(minhash))
            for indexed, other in zip(candidates, shingles([self._texts[number] for number in candidates])):
                similarity = jaccard(own, other)
                if similarity >= THRESHOLD:
                    pairs.append((asked, indexed, similarity))
        return pairs


def _datasketch() -> Any:
    try:
        import datasketch
    except ImportError:
        raise InputError('near duplicates need the package datasketch: pip install "isoglot[study]"') from None
    return datasketch
