"""Which texts of an evaluation set occur among training texts: exactly, nearly, or as a part of a longer one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from isoglot.data.audit.near import NearIndex, sketch
from isoglot.data.audit.texts import ENOUGH, UIntArray, chunks, normalise, rolling, size
from isoglot.records import IntArray

Kind = Literal["exact", "near", "contained"]
KINDS: tuple[Kind, ...] = ("exact", "near", "contained")

# no text of size `ENOUGH` has fewer characters than the first; texts of as many as `ENOUGH` are found by a rarer beginning
_WIDE_ANCHOR, _NARROW_ANCHOR = 7, 10


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

    number: dict[str, int] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)
    members: list[list[int]] = field(default_factory=list)

    def add(self, origin: int, text: str) -> None:
        """Add a text as it is written; texts without a letter or digit are left out."""
        normalised = normalise(text)
        if not normalised:
            return
        number = self.number.setdefault(normalised, len(self.texts))
        if number == len(self.texts):
            self.texts.append(normalised)
            self.members.append([])
        self.members[number].append(origin)

    @classmethod
    def of(cls, texts: Iterable[tuple[int, str]]) -> Distinct:
        """The distinct ones of (origin, text)."""
        made = cls()
        for origin, text in texts:
            made.add(origin, text)
        return made

    def __len__(self) -> int:
        return len(self.texts)


class Target:
    """Evaluation texts that training texts are compared with, and what was found of them so far.

    Args:
        distinct: the texts.
        parts_of: numbers of the distinct texts that are also looked for inside longer training texts.
    """

    def __init__(self, distinct: Distinct, parts_of: Sequence[int] = ()) -> None:
        self.distinct = distinct
        self.long = [number for number, text in enumerate(distinct.texts) if size(text) >= ENOUGH]
        self.near = NearIndex([distinct.texts[number] for number in self.long])
        self.parts_of = [number for number in parts_of if size(distinct.texts[number]) >= ENOUGH]
        self._anchors = _Anchors.of([distinct.texts[number] for number in self.parts_of])

    def compare(self, chunk: Chunk, matches: dict[int, Match]) -> None:
        """Add those of a chunk of training texts to `matches`: evaluation text number -> its best match."""
        for number, text in zip(chunk.numbers, chunk.texts):
            same = self.distinct.number.get(text)
            if same is not None:
                matches[same] = Match("exact", number)
        for asked, indexed, similarity in self.near.look_up(chunk.shingles, chunk.minhashes):
            _keep(matches, self.long[indexed], Match("near", chunk.long[asked], similarity))
        for indexed, asked in self._anchors.look_up(chunk.texts):
            _keep(matches, self.parts_of[indexed], Match("contained", chunk.numbers[asked]))


def _keep(matches: dict[int, Match], number: int, match: Match) -> None:
    """The better kind, then the higher similarity, then the earlier training text stays."""
    old = matches.get(number)
    if old is None or (KINDS.index(match.kind), -match.similarity) < (KINDS.index(old.kind), -old.similarity):
        matches[number] = match


@dataclass(frozen=True)
class Chunk:
    """Some distinct training texts with sketches of those that are long enough to be near duplicates of anything.

    Attributes:
        numbers, texts: of the distinct training texts.
        long: numbers of those that were sketched.
        shingles, minhashes: their sketches.
    """

    numbers: list[int]
    texts: list[str]
    long: list[int]
    shingles: list[UIntArray]
    minhashes: list[Any]


def training_chunks(training: Distinct) -> Iterator[Chunk]:
    """All distinct training texts, sketched once, a few million characters at a time."""
    first = 0
    for texts in chunks(training.texts):
        numbers = list(range(first, first + len(texts)))
        long = [number for number, text in zip(numbers, texts) if size(text) >= ENOUGH]
        shingles, minhashes = sketch([texts[number - first] for number in long])
        yield Chunk(numbers=numbers, texts=texts, long=long, shingles=shingles, minhashes=minhashes)
        first += len(texts)


@dataclass(frozen=True)
class _Anchors:
    """Texts that are looked for inside longer ones: by the hash of their first characters, then by the characters."""

    texts: list[str]
    by_width: dict[int, tuple[UIntArray, IntArray]]

    @classmethod
    def of(cls, texts: list[str]) -> _Anchors:
        numbers: dict[int, list[int]] = {_WIDE_ANCHOR: [], _NARROW_ANCHOR: []}
        for number, text in enumerate(texts):
            numbers[_WIDE_ANCHOR if len(text) < ENOUGH else _NARROW_ANCHOR].append(number)
        by_width = {}
        for width, own in numbers.items():
            hashes = np.array([rolling(_codes(texts[number][:width]), width)[0] for number in own], dtype=np.uint64)
            order = np.argsort(hashes, kind="stable")
            by_width[width] = hashes[order], np.array(own, dtype=np.int64)[order]
        return cls(texts, by_width)

    def look_up(self, longer: Sequence[str]) -> list[tuple[int, int]]:
        """(number of the text, number of the longer one that contains it), each text with the first that does, sorted."""
        first: dict[int, int] = {}
        ends = np.cumsum([len(text) for text in longer])
        codes = _codes("".join(longer))
        for width, (hashes, numbers) in self.by_width.items():
            positions = rolling(codes, width)
            if not len(hashes) or not len(positions):
                continue
            # the few positions whose hash is that of an anchor, then all anchors of that hash
            left = np.searchsorted(hashes, positions, side="left")
            hits = np.flatnonzero(hashes[np.minimum(left, len(hashes) - 1)] == positions)
            left = left[hits]
            right = np.searchsorted(hashes, positions[hits], side="right")
            holders = np.searchsorted(ends, hits, side="right")
            for holder, low, high in zip(holders.tolist(), left.tolist(), right.tolist()):
                for number in numbers[low:high].tolist():
                    text = self.texts[number]
                    if number not in first and len(text) < len(longer[holder]) and text in longer[holder]:
                        first[number] = holder
        return sorted(first.items())


def _codes(text: str) -> UIntArray:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4").astype(np.uint64)
