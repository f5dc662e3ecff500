"""Texts as the audit compares them: normalised (see `isoglot.data.sameness`) and cut into shingles.

Everything works on texts without spaces between words (Chinese, Japanese, Thai): a text is compared as the string of
its letters, marks and digits, and a shingle is a short run of these.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import accumulate, groupby

import numpy as np
import numpy.typing as npt

from isoglot.records import IntArray

UIntArray = npt.NDArray[np.uint64]

ENOUGH = 20
"""Size (see `size`) from which an identical text is no coincidence."""

LONG_ID = 16
"""Ids from this length on are drawn, not counted: that two sets share one is no coincidence."""

NARROW, WIDE = 4, 2
"""Characters per shingle: in alphabets, and in texts that are mostly Chinese, Japanese or Korean characters."""

_CHINESE = re.compile("[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]+")
_SYLLABLES = re.compile("[\u3040-\u30ff\uac00-\ud7af]+")  # Japanese and Korean
_PRIME = np.uint64(0x9E3779B97F4A7C15)
_CHUNK = 2_000_000  # characters at a time


def size(normalised: str) -> int:
    """How much a normalised text says, in letters of an alphabet.

    A Chinese character counts 3 and a Japanese or Korean syllable 2, which is about how many letters an English
    translation takes for each; vowel signs and other marks count like letters.
    """
    if normalised.isascii():
        return len(normalised)
    chinese, syllables = (sum(map(len, runs.findall(normalised))) for runs in (_CHINESE, _SYLLABLES))
    return len(normalised) + 2 * chinese + syllables


def shingles(texts: Sequence[str]) -> list[UIntArray]:
    """64-bit hashes of the shingles of normalised texts, in their order and with repetitions.

    A text shorter than a shingle is one shingle. Hashes are polynomials over code points, the same on every machine.

    Returns:
        Per text, uint64, shape (n_shingles,); empty for an empty text.
    """
    codes, ends = code_points(texts)
    hashed = {width: rolling(codes, width) for width in (NARROW, WIDE)}
    of_text = []
    for text, end in zip(texts, ends.tolist()):
        start = end - len(text)
        width = WIDE if size(text) > 1.5 * len(text) else NARROW
        if len(text) >= width:
            of_text.append(hashed[width][start : end - width + 1])
        else:
            of_text.append(rolling(codes[start:end], len(text)) if text else codes[:0])
    return of_text


def code_points(texts: Sequence[str]) -> tuple[UIntArray, IntArray]:
    """All characters one after the other, shape (n_characters,), and where every text ends, shape (n_texts,)."""
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


def jaccard(left: UIntArray, right: UIntArray) -> float:
    """|A and B| / |A or B| of two sets of shingles, given with repetitions."""
    first, second = np.unique(left), np.unique(right)
    common = len(np.intersect1d(first, second, assume_unique=True))
    union = len(first) + len(second) - common
    return common / union if union else 0.0


def chunks(texts: Sequence[str]) -> Iterator[list[str]]:
    """Texts in lists of a few million characters."""
    ends = accumulate(map(len, texts))
    for _, chunk in groupby(zip(texts, ends), key=lambda ended: ended[1] // _CHUNK):
        yield [text for text, _ in chunk]
