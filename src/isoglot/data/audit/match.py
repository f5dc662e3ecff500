"""Which texts of an evaluation set occur among training texts: exactly, nearly, or as a part of a longer one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Literal

import numpy as np

from isoglot.data.audit.texts import ENOUGH, UIntArray, chunks, code_points, jaccard, rolling, shingles, size
from isoglot.data.sameness import normalise
from isoglot.optional import needed

Kind = Literal["exact", "near", "contained"]
KINDS: tuple[Kind, ...] = ("exact", "near", "contained")

# no text of size `ENOUGH` has fewer characters than the first; texts of as many as `ENOUGH` are found by a rarer beginning
_WIDE_ANCHOR, _NARROW_ANCHOR = 7, 10


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
    return needed("datasketch", "near duplicates need the package datasketch", "study")


@dataclass(frozen=True)
class Match:
    """An evaluation text that occurs among the training texts.

    Attributes:
        kind: exact (the same normalised text), near (Jaccard of shingles) or contained in a longer training text.
        training: number of the first such training text among the distinct ones.
        similarity: Jaccard similarity; 1 unless near.
    """

    kind: Kind
    training: int
    similarity: float = 1.0


@dataclass(frozen=True)
class Distinct:
    """Texts by their normalised form.

    Attributes:
        number: normalised text -> its number, in the order of first appearance.
        texts: the normalised texts in that order.
        members: per distinct text, where it stands, as numbered by whoever made this, ascending.
    """

    number: dict[str, int]
    texts: list[str]
    members: list[list[int]]

    @classmethod
    def of(cls, texts: Iterable[tuple[int, str]]) -> Distinct:
        """The distinct ones of (origin, text as it is written); texts without a letter or digit are left out."""
        members: dict[str, list[int]] = {}
        for origin, text in texts:
            if normalised := normalise(text):
                members.setdefault(normalised, []).append(origin)
        number = {text: n for n, text in enumerate(members)}
        return cls(number=number, texts=list(members), members=list(members.values()))

    def __len__(self) -> int:
        return len(self.texts)


class Target:
    """Evaluation texts that training texts are compared with, and what was found of them so far.

    Args:
        distinct: the texts.
        parts_of: numbers of the distinct texts that are also looked for inside longer training texts.
    """

    def __init__(self, distinct: Distinct, parts_of: Iterable[int] = ()) -> None:
        self.distinct = distinct
        self.long = [number for number, text in enumerate(distinct.texts) if size(text) >= ENOUGH]
        self.near = NearIndex([distinct.texts[number] for number in self.long])
        # per width of an anchor: hash of the first characters -> the texts that begin so
        self.anchors: dict[int, dict[int, list[int]]] = {_WIDE_ANCHOR: {}, _NARROW_ANCHOR: {}}
        for number in parts_of:
            text = distinct.texts[number]
            if size(text) >= ENOUGH:
                width = _WIDE_ANCHOR if len(text) < ENOUGH else _NARROW_ANCHOR
                anchor = int(rolling(code_points([text[:width]])[0], width)[0])
                self.anchors[width].setdefault(anchor, []).append(number)

    def compare(self, chunk: Chunk, matches: dict[int, Match]) -> None:
        """Add those of a chunk of training texts to `matches`: evaluation text number -> its best match."""
        for number, text in enumerate(chunk.texts, start=chunk.first):
            same = self.distinct.number.get(text)
            if same is not None:
                matches[same] = Match("exact", number)
        for asked, indexed, similarity in self.near.look_up(chunk.shingles, chunk.minhashes):
            _keep(matches, self.long[indexed], Match("near", chunk.long[asked], similarity))
        for number, holder in self._contained(chunk.texts):
            _keep(matches, number, Match("contained", chunk.first + holder))

    def _contained(self, longer: Sequence[str]) -> Iterator[tuple[int, int]]:
        """(number of the text, number of a longer one that contains it), ascending by the latter."""
        codes, ends = code_points(longer)
        for width, texts_of in self.anchors.items():
            hashes = rolling(codes, width)
            anchors = np.array(sorted(texts_of), dtype=np.uint64)
            if not len(anchors) or not len(hashes):
                continue
            # the few positions whose hash is that of an anchor, then all texts that begin with it
            nearest = anchors[np.minimum(np.searchsorted(anchors, hashes), len(anchors) - 1)]
            positions = np.flatnonzero(nearest == hashes)
            holders = np.searchsorted(ends, positions, side="right")
            for holder, anchor in zip(holders.tolist(), hashes[positions].tolist()):
                for number in texts_of[anchor]:
                    text = self.distinct.texts[number]
                    if len(text) < len(longer[holder]) and text in longer[holder]:
                        yield number, holder


def _keep(matches: dict[int, Match], number: int, match: Match) -> None:
    """The better kind, then the higher similarity, then the earlier training text stays."""
    old = matches.get(number)
    if old is None or (KINDS.index(match.kind), -match.similarity) < (KINDS.index(old.kind), -old.similarity):
        matches[number] = match


@dataclass(frozen=True)
class Chunk:
    """Some distinct training texts with sketches of those that are long enough to be near duplicates of anything.

    Attributes:
        first: number of the first of the texts among the distinct training texts.
        texts: themselves.
        long: numbers of those that were sketched.
        shingles, minhashes: their sketches.
    """

    first: int
    texts: list[str]
    long: list[int]
    shingles: list[UIntArray]
    minhashes: list[Any]


def training_chunks(training: Distinct) -> Iterator[Chunk]:
    """All distinct training texts, sketched once, a few million characters at a time."""
    first = 0
    for texts in chunks(training.texts):
        long = [number for number, text in enumerate(texts, start=first) if size(text) >= ENOUGH]
        shingles, minhashes = sketch([texts[number - first] for number in long])
        yield Chunk(first=first, texts=texts, long=long, shingles=shingles, minhashes=minhashes)
        first += len(texts)
