"""Keyed permutations of [0, n) that answer "what stands at position i" without making the other n - 1 answers."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from isoglot.records import IntArray

Words = npt.NDArray[np.uint64]

_TABLE_LIMIT = 1 << 16
_ROUNDS = 6


def generator(seed: int, *purpose: int) -> np.random.Generator:
    """A private generator that depends on `seed` and the numbers of `purpose` only (the same on every machine)."""
    return np.random.Generator(np.random.Philox(_sequence((seed, *purpose))))


def _sequence(key: tuple[int, ...]) -> np.random.SeedSequence:
    # the length stands in front because SeedSequence cannot tell (0, 1) from (0, 1, 0)
    return np.random.SeedSequence(entropy=(len(key), *key))


class Permutation:
    """A pseudo-random permutation of [0, n), chosen by a seed and the numbers of `purpose`.

    Small domains are shuffled outright (and kept in a cache); larger ones use a balanced Feistel network over the next power of
    four with cycle walking (Black and Rogaway 2002, "Ciphers with arbitrary finite domains"), which costs the same for
    the first and for the last position and no memory.
    """

    def __init__(self, n: int, seed: int, *purpose: int) -> None:
        if n < 1:
            raise ValueError("a permutation needs at least one element")
        self.n = n
        self._key = (seed, *purpose)
        self._half_bits = max(1, ((n - 1).bit_length() + 1) // 2)

    def __call__(self, positions: IntArray) -> IntArray:
        """The elements at `positions`, int64 of the same shape. Positions must lie in [0, n)."""
        if self.n <= _TABLE_LIMIT:
            return _table(self.n, self._key)[positions]
        values = np.asarray(positions, dtype=np.uint64)
        keys = _round_keys(self._key)
        values = self._feistel(values, keys)
        outside = values >= self.n
        while outside.any():
            values[outside] = self._feistel(values[outside], keys)
            outside = values >= self.n
        return values.astype(np.int64)

    def _feistel(self, values: Words, keys: Words) -> Words:
        shift = np.uint64(self._half_bits)
        mask = np.uint64((1 << self._half_bits) - 1)
        left, right = values >> shift, values & mask
        for key in keys:
            left, right = right, left ^ (_mix(right ^ key) & mask)
        joined: Words = (left << shift) | right
        return joined


def _mix(values: Words) -> Words:
    """The finaliser of splitmix64 (Steele, Lea and Flood 2014): every output bit depends on every input bit."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: Words = values ^ (values >> np.uint64(31))
    return mixed


@lru_cache(maxsize=256)
def _table(n: int, key: tuple[int, ...]) -> IntArray:
    table = generator(*key).permutation(n).astype(np.int64)
    table.setflags(write=False)
    return table


@lru_cache(maxsize=1024)
def _round_keys(key: tuple[int, ...]) -> Words:
    return _sequence(key).generate_state(_ROUNDS, dtype=np.uint64).astype(np.uint64)
