"""Vectors of one model by the digests of their texts: fp16 shards on disk that are never changed, only added and merged."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isoglot.disk import make_directory
from isoglot.errors import InputError, say
from isoglot.files import load_array, save_array
from isoglot.records import BoolArray, Float32Array, IntArray
from isoglot.retrieval.store import SHARD_SIZE, Digests

_NAME = re.compile(r"(keys|rows)-(\d{6})-[0-9a-f]{16}\.npy")
_MOST = 64  # shards, from where they are merged


class Vectors:
    """A directory of shards: `rows-NNNNNN-<digest>.npy`, float16 of shape (n, d), beside `keys-...`, uint64 of shape (n, 2).

    Args:
        directory: is made with the first shard.
        verify: read every file once and compare it with the digest in its name; otherwise only headers and sizes count.
    """

    def __init__(self, directory: Path, *, verify: bool = False) -> None:
        self._directory, self._verify = directory, verify
        self._next = 0
        self._maps: list[npt.NDArray[np.float16]] = []
        self._keys: list[Digests] = []
        self._paths: list[tuple[Path, Path]] = []
        files: dict[tuple[int, str], Path] = {}
        for path in sorted(directory.glob("*.npy")) if directory.is_dir() else ():
            if match := _NAME.fullmatch(path.name):
                files[int(match[2]), match[1]] = path
        for number in sorted({number for number, _ in files}):
            self._next = number + 1
            if (number, "rows") in files and (number, "keys") in files:  # rows are written last
                self._take(files[number, "keys"], files[number, "rows"])
        self._sort()

    def _take(self, keys: Path, rows: Path) -> None:
        digests, vectors = load_array(keys, verify=self._verify), load_array(rows, verify=self._verify)
        fits = (
            digests is not None
            and vectors is not None
            and digests.dtype == np.uint64
            and digests.ndim == vectors.ndim == 2
        )
        if (
            not fits
            or digests is None
            or vectors is None
            or vectors.dtype != np.float16
            or len(digests) != len(vectors)
        ):
            if keys.exists() and rows.exists():  # not merged by a writer meanwhile
                say(f"{rows}: damaged; its texts are encoded again by isoglot index")
            return
        if self._maps and vectors.shape[1] != self._maps[0].shape[1]:
            raise InputError(f"{rows}: vectors of width {vectors.shape[1]} beside others of {self._maps[0].shape[1]}")
        self._maps.append(vectors)
        self._keys.append(np.asarray(digests))
        self._paths.append((keys, rows))

    def _sort(self) -> None:
        """Order all digests, so that they are found by halving."""
        keys = np.concatenate(self._keys) if self._keys else np.empty((0, 2), dtype=np.uint64)
        shard = np.repeat(np.arange(len(self._maps)), [len(part) for part in self._maps]).astype(np.int64)
        row = np.concatenate([np.arange(len(part)) for part in self._maps] or [np.empty(0, dtype=np.int64)])
        order = np.lexsort((keys[:, 1], keys[:, 0]))
        self._ordered = _whole(keys[order])
        self._shard, self._row = shard[order], row[order]

    def __len__(self) -> int:
        return len(self._ordered)

    def has(self, digests: Digests) -> BoolArray:
        """Which are there, shape (n,)."""
        return self._places(digests) >= 0

    def _places(self, digests: Digests) -> IntArray:
        """Places in the order, -1 where there is none."""
        if not len(self._ordered):
            return np.full(len(digests), -1, dtype=np.int64)
        wanted = _whole(np.ascontiguousarray(digests))
        places = np.searchsorted(self._ordered, wanted).clip(max=len(self._ordered) - 1)
        return np.where(self._ordered[places] == wanted, places, -1).astype(np.int64)

    def read(self, digests: Digests) -> npt.NDArray[np.float16]:
        """Vectors, float16, shape (n, d). KeyError where one is not there."""
        places = self._places(digests)
        if (places < 0).any():
            raise KeyError(f"{int((places < 0).sum())} of {len(places)} vectors are not there")
        width = self._maps[0].shape[1] if self._maps else 0
        found = np.empty((len(places), width), dtype=np.float16)
        shards, rows = self._shard[places], self._row[places]
        for number in np.unique(shards).tolist():
            here = shards == number
            found[here] = self._maps[number][rows[here]]
        return found

    def add(self, digests: Digests, vectors: Float32Array) -> None:
        """Write a shard; it is on the disk when this returns. InputError where float16 cannot hold a number."""
        half = vectors.astype(np.float16)
        if not np.isfinite(half).all():
            raise InputError(
                "a vector is too long for float16; isoglot index takes models whose vectors are of length 1"
            )
        make_directory(self._directory)
        stem = f"{self._next:06d}"
        keys = save_array(self._directory, f"keys-{stem}", np.ascontiguousarray(digests))
        rows = save_array(self._directory, f"rows-{stem}", half)
        self._next += 1
        self._take(keys, rows)
        self._sort()

    def tidy(self, used: Digests) -> None:
        """Merge shards where they are many, or where more than half of their rows are of no text any more.

        Args:
            used: digests of all texts that there are. Nothing is lost by a kill: new shards are whole before old ones go.
        """
        places = np.unique(self._places(used))
        places = places[places >= 0]
        if len(self._maps) <= _MOST and 2 * len(places) >= len(self):
            return
        old, keys = list(self._paths), _pairs(self._ordered[places])
        shards, rows, maps = self._shard[places], self._row[places], list(self._maps)
        self._maps, self._keys, self._paths = [], [], []
        self._sort()
        in_order = np.lexsort((rows, shards))  # so that every old shard is read from front to end
        for start in range(0, len(places), SHARD_SIZE):
            part = in_order[start : start + SHARD_SIZE]
            merged = np.stack([maps[shard][row] for shard, row in zip(shards[part].tolist(), rows[part].tolist())])
            self.add(keys[part], merged)
        for path in (path for pair in old for path in pair):
            path.unlink(missing_ok=True)


def _whole(digests: Digests) -> npt.NDArray[Any]:
    """Digests as one value each, ordered as lexsort orders them."""
    return digests.view([("first", np.uint64), ("second", np.uint64)]).reshape(-1)


def _pairs(whole: npt.NDArray[Any]) -> Digests:
    return whole.view(np.uint64).reshape(-1, 2)
