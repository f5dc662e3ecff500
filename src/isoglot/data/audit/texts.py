"""Texts as the audit compares them: normalised, cut into shingles, sketched by MinHash, looked up.

Everything works on texts without spaces between words (Chinese, Japanese, Thai): a text is compared as the string of
its letters, marks and digits, and a shingle is a short run of these.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from isoglot.errors import InputError
from isoglot.records import IntArray

UIntArray = npt.NDArray[np.uint64]
Signatures = npt.NDArray[np.generic]

THRESHOLD = 0.8
"""Jaccard similarity of shingle sets from which two texts are near duplicates."""

ENOUGH = 20
"""Size (see `size`) from which an identical text is no coincidence."""

NARROW, WIDE = 4, 2
"""Characters per shingle: in alphabets, and in texts that are mostly Chinese, Japanese or Korean characters."""

_PERMUTATIONS = 128
# 25 bands of 5 rows: a pair of Jaccard .8 shares a band with probability 1 - (1 - .8^5)^25 = .99995, one of .5 with .55
_BANDS, _ROWS = 25, 5
# the estimate of 128 permutations has a standard deviation of at most .044: candidates this far below are not verified
_SLACK = 0.2
_PRIME = np.uint64(0x9E3779B97F4A7C15)
_CHUNK = 2_000_000  # characters at a time


class _Table(dict[int, str | int | None]):
    """For `str.translate`, filled on demand: keeps letters, marks and digits of any script and drops the rest."""

    def __missing__(self, code: int) -> int | None:
        kept = code if unicodedata.category(chr(code))[0] in "LMN" else None
        self[code] = kept
        return kept


_TABLE = _Table()


def normalise(text: str) -> str:
    """NFKC, case folded, without punctuation, symbols, white space and invisible characters.

    White space goes entirely: whether there is any between two words of Thai or Chinese depends on who typed the text.

    >>> normalise("What  is “Éa‑Enki”?")
    'whatiséaenki'
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return folded.translate(_TABLE)


def size(normalised: str) -> int:
    """How much a normalised text says, in letters of an alphabet.

    A Chinese character counts 3 and a Japanese or Korean syllable 2, which is about how many letters an English
    translation takes for each; vowel signs and other marks count like letters.
    """
    if normalised.isascii():
        return len(normalised)
    return sum(map(_worth, normalised))


def _worth(character: str) -> int:
    code = ord(character)
    if code < 0x1100:
        return 1
    if 0x3400 <= code <= 0x9FFF or 0xF900 <= code <= 0xFAFF or 0x20000 <= code <= 0x3FFFF:
        return 3
    return 2 if 0x3040 <= code <= 0x30FF or 0xAC00 <= code <= 0xD7AF else 1


def shingles(texts: Sequence[str]) -> list[UIntArray]:
    """64-bit hashes of the shingles of normalised texts, in their order and with repetitions.

    A text shorter than a shingle is one shingle. Hashes are polynomials over code points, the same on every machine.

    Returns:
        Per text, uint64, shape (n_shingles,); empty for an empty text.
    """
    codes, ends = _codes(texts)
    starts = np.append(0, ends[:-1])
    worth = np.array([size(text) for text in texts])
    wide = worth > 1.5 * (ends - starts)
    hashed = {width: rolling(codes, width) for width in (NARROW, WIDE)}
    found = []
    for start, end, is_wide in zip(starts.tolist(), ends.tolist(), wide.tolist()):
        width = WIDE if is_wide else NARROW
        if end - start >= width:
            found.append(hashed[width][start : end - width + 1])
        else:
            found.append(rolling(codes[start:end], end - start) if end > start else codes[:0])
    return found


def _codes(texts: Sequence[str]) -> tuple[UIntArray, IntArray]:
    """All characters one after the other, and where every text ends."""
    joined = "".join(texts).encode("utf-32-le", "surrogatepass")
    ends = np.cumsum([len(text) for text in texts], dtype=np.int64)
    return np.frombuffer(joined, dtype="<u4").astype(np.uint64), ends


def rolling(codes: UIntArray, width: int) -> UIntArray:
    """A hash of the `width` characters from every position on, shape (n - width + 1,); empty where there are fewer."""
    n = len(codes) - width + 1
    if n <= 0:
        return np.zeros(0, dtype=np.uint64)
    value = np.full(n, width, dtype=np.uint64)
    for step in range(width):
        value = (value + codes[step : step + n]) * _PRIME
        value ^= value >> np.uint64(29)
    return value


def jaccard(one: UIntArray, two: UIntArray) -> float:
    """|A and B| / |A or B| of two sets of shingles, given with repetitions."""
    first, second = np.unique(one), np.unique(two)
    common = len(np.intersect1d(first, second, assume_unique=True))
    together = len(first) + len(second) - common
    return common / together if together else 0.0


def sketch(texts: Sequence[str]) -> tuple[list[UIntArray], Signatures]:
    """Shingles and MinHash signatures (Broder 1997; by datasketch) of normalised texts.

    Returns:
        The shingles, see `shingles`, and an array of shape (n, 128).

    Raises:
        InputError: datasketch is not installed.
    """
    minhash = _datasketch().MinHash
    found = shingles(texts)
    # 32 bits: what datasketch permutes; the upper half is the better mixed one
    words = ((hashes >> np.uint64(32)).tolist() for hashes in found)
    made = minhash.bulk(words, num_perm=_PERMUTATIONS, seed=1, hashfunc=_same)
    return found, np.array([item.hashvalues for item in made]).reshape(len(texts), _PERMUTATIONS)


def _same(number: int) -> int:
    return number


def _datasketch() -> Any:
    try:
        import datasketch
    except ImportError:
        raise InputError('near duplicates need the package datasketch: pip install "isoglot[study]"') from None
    return datasketch


@dataclass(frozen=True)
class NearIndex:
    """Normalised texts that near duplicates are looked up in.

    Locality-sensitive hashing with bands (Leskovec, Rajaraman and Ullman 2020, chapter 3.4). Its buckets are sorted arrays: 400
    bytes per text instead of kilobytes, and all texts of a chunk are looked up at once. What shares a bucket is verified
    by the exact Jaccard similarity, so that chance in the sketches can lose a pair but never make one up.

    Attributes:
        hashes: shingles per text.
        signatures: shape (n, 128).
        order, keys: per band, text numbers by bucket and their bucket keys, shape (bands, n).
    """

    hashes: list[UIntArray]
    signatures: Signatures
    order: IntArray
    keys: UIntArray

    @classmethod
    def build(cls, texts: Sequence[str]) -> NearIndex:
        """Index normalised texts; they are numbered in their order."""
        hashes: list[UIntArray] = []
        parts = []
        for chunk in chunks(texts):
            own, signatures = sketch(chunk)
            hashes += own
            parts.append(signatures)
        together = np.concatenate(parts) if parts else np.zeros((0, _PERMUTATIONS), dtype=np.uint32)
        keys = _bands(together)
        order = np.argsort(keys, axis=1, kind="stable")
        return cls(hashes, together, order, np.take_along_axis(keys, order, axis=1))

    def look_up(
        self, hashes: Sequence[UIntArray], signatures: Signatures, threshold: float = THRESHOLD
    ) -> list[tuple[int, int, float]]:
        """(number of the asked text, number of the indexed one, Jaccard) of all pairs from `threshold` on, sorted.

        Args:
            hashes, signatures: of the asked texts, see `sketch`.
        """
        pairs = self._candidates(signatures)
        found = []
        for asked, indexed in pairs.tolist():
            similarity = jaccard(hashes[asked], self.hashes[indexed])
            if similarity >= threshold:
                found.append((asked, indexed, similarity))
        return found

    def _candidates(self, signatures: Signatures) -> IntArray:
        """Pairs that share a bucket and whose estimated similarity is not far too low, shape (n, 2), sorted."""
        found = []
        for keys, sorted_keys, order in zip(_bands(signatures), self.keys, self.order):
            left, right = (np.searchsorted(sorted_keys, keys, side=side) for side in ("left", "right"))
            counts = right - left
            asked = np.repeat(np.arange(len(keys)), counts)
            place = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + np.repeat(left, counts)
            pair = np.stack([asked, order[place]], axis=1)
            if len(pair):
                found.append(self._likely(pair, signatures))
        if not found:
            return np.zeros((0, 2), dtype=np.int64)
        return np.unique(np.concatenate(found), axis=0)

    def _likely(self, pairs: IntArray, signatures: Signatures) -> IntArray:
        keep = [
            (signatures[part[:, 0]] == self.signatures[part[:, 1]]).mean(axis=1) >= THRESHOLD - _SLACK
            for part in np.array_split(pairs, len(pairs) // 100_000 + 1)
        ]
        likely: IntArray = pairs[np.concatenate(keep)]
        return likely


def _bands(signatures: Signatures) -> UIntArray:
    """One 64-bit key per band and text, shape (bands, n); a collision only makes one more candidate."""
    keys = np.zeros((_BANDS, len(signatures)), dtype=np.uint64)
    for band in range(_BANDS):
        for row in range(_ROWS):
            keys[band] = (keys[band] + signatures[:, band * _ROWS + row].astype(np.uint64) + np.uint64(1)) * _PRIME
            keys[band] ^= keys[band] >> np.uint64(29)
    return keys


def chunks(texts: Iterable[str], characters: int = _CHUNK) -> Iterator[list[str]]:
    """Texts in lists of about so many characters."""
    part: list[str] = []
    length = 0
    for text in texts:
        part.append(text)
        length += len(text)
        if length >= characters:
            yield part
            part, length = [], 0
    if part:
        yield part
