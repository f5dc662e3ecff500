"""Which texts of a long sequence are equal, from 16 bytes per text: the texts themselves are never held together."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isoglot.errors import InputError
from isoglot.records import IntArray

_BYTES = 16


def text_digest(text: str) -> bytes:
    """BLAKE2b, 16 bytes."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_BYTES).digest()


@dataclass(frozen=True)
class TextDigests:
    """The digests of n texts in order, 16 n bytes (80 MB for 5 million texts)."""

    data: bytes

    @classmethod
    def of(cls, texts: Iterable[str]) -> TextDigests:
        """Read all texts once.

        Raises:
            InputError: no texts.
        """
        data = bytearray()
        for text in texts:
            data += text_digest(text)
        if not data:
            raise InputError("no text to encode")
        return cls(bytes(data))

    def __len__(self) -> int:
        return len(self.data) // _BYTES

    def __getitem__(self, row: int) -> bytes:
        return self.data[row * _BYTES : (row + 1) * _BYTES]

    def all(self) -> str:
        """SHA-256 (hex) of the whole sequence."""
        return hashlib.sha256(self.data).hexdigest()

    def first_rows(self) -> IntArray:
        """Per text the first row with the same text, shape (n,): `first[i] == i` where it is new."""
        halves: npt.NDArray[np.uint64] = np.frombuffer(self.data, dtype=np.uint64).reshape(-1, 2)
        order = np.lexsort((halves[:, 1], halves[:, 0]))  # stable: rows of one text stay ascending
        ordered = halves[order]
        new = np.ones(len(order), dtype=np.bool_)
        new[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
        first = np.empty(len(order), dtype=np.int64)
        first[order] = order[new][np.cumsum(new) - 1]
        return first
