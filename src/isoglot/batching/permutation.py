"""Keyed permutations of [0, n) that answer "what stands at position i" without making the other n - 1 answers."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock

import numpy as np
import numpy.typing as npt

from isoglot.records import IntArray

Words = npt.NDArray[np.uint64]
Table = npt.NDArray[np.unsignedinteger]

_TABLE_LIMIT = 1 << 16
_ROUNDS = 6
_HALF_TABLE_BITS = 16  # round functions of at most so many bits are kept as tables: 6 x 65,536 words of 16 bits
_CACHE_BYTES = 96 << 20


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
    the first and for the last position. Its round functions have 2^16 inputs at most up to n = 2^32, so they are kept
    as tables: what is remembered is bounded, for all permutations together, and only spares time.
    """

    def __init__(self, n: int, seed: int, *purpose: int) -> None:
        if n < 1:
            raise ValueError("a permutation needs at least one element")
        self.n = n
        self._key = (seed, *purpose)
        self._half_bits = max(1, ((n - 1).bit_length() + 1) // 2)

    def __call__(self, positions: IntArray) -> IntArray:
        """The elements at `positions`, int64 of the same shape (n,). Positions must lie in [0, n)."""
        if self.n == 1:
            return np.zeros_like(positions)
        if self.n <= _TABLE_LIMIT:
            return self._shuffled()[positions].astype(np.int64)
        rounds = self._round_tables() if self._half_bits <= _HALF_TABLE_BITS else self._round_keys()
        answers = self._encrypt(positions, rounds)
        outside = np.flatnonzero(answers >= self.n)
        walking = answers[outside]
        while len(outside):
            walking = self._encrypt(walking, rounds)
            answers[outside] = walking
            far = walking >= self.n
            outside, walking = outside[far], walking[far]
        return answers

    def at(self, position: int) -> int:
        """The element at one position."""
        return int(self(np.array([position], dtype=np.int64))[0])

    def _shuffled(self) -> Table:
        """The whole permutation of a small domain, shape (n,)."""
        return _cache.get((self.n, self._key), lambda: generator(*self._key).permutation(self.n).astype(np.uint16))

    def _encrypt(self, values: IntArray, rounds: Table) -> IntArray:
        """One pass through the network; int64, shape (n,), below 4 ** half_bits.

        Args:
            rounds: tables of the round functions, or their keys where tables would be too large.
        """
        bits = self._half_bits
        left, right = values >> bits, values & ((1 << bits) - 1)
        if rounds.ndim == 2:
            for table in rounds:
                left, right = right, left ^ table[right]
        else:
            for key in rounds:
                left, right = right, left ^ self._round(right, key).astype(np.int64)
        joined: IntArray = (left << bits) | right
        return joined

    def _round(self, values: IntArray, key: Words) -> Words:
        """The round function: the mixed input, cut to half the bits."""
        mixed: Words = _mix(values.astype(np.uint64) ^ key) & np.uint64((1 << self._half_bits) - 1)
        return mixed

    def _round_tables(self) -> Table:
        """The round functions of all inputs, shape (rounds, 2 ** half_bits)."""

        def make() -> Table:
            inputs = np.arange(1 << self._half_bits, dtype=np.int64)
            return self._round(inputs, self._round_keys()[:, None]).astype(np.uint16)

        return _cache.get((self._half_bits, self._key, "rounds"), make)

    def _round_keys(self) -> Words:
        return _sequence(self._key).generate_state(_ROUNDS, dtype=np.uint64).astype(np.uint64)


def _mix(values: Words) -> Words:
    """The finaliser of splitmix64 (Steele, Lea and Flood 2014): every output bit depends on every input bit."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: Words = values ^ (values >> np.uint64(31))
    return mixed


class _Cache:
    """Tables by key; those used longest ago go when all together take more than `limit` bytes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._bytes = 0
        self._tables: OrderedDict[Hashable, Table] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Hashable, make: Callable[[], Table]) -> Table:
        """The table of `key`, made where it is not there."""
        with self._lock:
            if (table := self._tables.get(key)) is not None:
                self._tables.move_to_end(key)
                return table
        table = make()  # two threads may both make it: it is the same
        table.setflags(write=False)
        with self._lock:
            if key not in self._tables:
                self._tables[key] = table
                self._bytes += table.nbytes
            while self._bytes > self._limit and len(self._tables) > 1:
                self._bytes -= self._tables.popitem(last=False)[1].nbytes
        return table


_cache = _Cache(_CACHE_BYTES)
