"""What a model was trained on, as hashes in a file beside it: any later measurement can say what it has seen of a benchmark.

`trained_texts.safetensors` in a model's folder holds, per side, the 64-bit hashes (XXH3) of the texts' keys (see
`isoglot.data.sameness`): of queries, of passages with explicit negatives, and of ids that are long enough to be no coincidence.
Of more than `MOST` the smallest are kept, a sample that is fair to all texts and the same for a text wherever it stands
(a bottom-k sketch: Broder 1997; Thorup 2013): at most 4 MiB per side. The texts cannot be read from it; whether a text that one
has was trained on can.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from xxhash import xxh3_64_intdigest

from isoglot.data.audit.texts import LONG_ID
from isoglot.data.groups import Hashes
from isoglot.data.pairs.lists import take_rows
from isoglot.data.pairs.table import PairTable
from isoglot.data.sameness import text_key
from isoglot.errors import InputError, first_line
from isoglot.files import atomic_path
from isoglot.records import IntArray

FILE = "trained_texts.safetensors"
MOST = 1 << 19
_ALL = (1 << 64) - 1
_CHUNK = 65_536  # rows
_FORMAT = 1


class Seen(NamedTuple):
    """How many of `of` texts were trained on."""

    shared: int
    of: int


@dataclass(frozen=True)
class Sample:
    """The hashes of one side, or the smallest of them.

    Attributes:
        hashes: shape (n,), ascending, each once.
        limit: all hashes up to here are there.
    """

    hashes: Hashes
    limit: int = _ALL

    @classmethod
    def of(cls, hashes: Iterable[int]) -> Sample:
        return cls(np.unique(np.fromiter(hashes, dtype=np.uint64)))._cut()

    def __or__(self, other: Sample) -> Sample:
        """The union, as far as both are known."""
        limit = min(self.limit, other.limit)
        both = np.union1d(self.hashes, other.hashes)
        return Sample(both[both <= np.uint64(limit)], limit)._cut()

    def _cut(self) -> Sample:
        return self if len(self.hashes) <= MOST else Sample(self.hashes[:MOST], int(self.hashes[MOST - 1]))

    def seen(self, hashes: Iterable[int]) -> Seen:
        """Of the given hashes that could be in the sample, those that are; each counts as often as it is given."""
        given = np.fromiter(hashes, dtype=np.uint64)
        asked = given[given <= np.uint64(self.limit)]
        return Seen(int(np.isin(asked, self.hashes).sum()), len(asked))


def text_hash(text: str) -> int:
    """What a text is known by: equal for texts that are the same in training."""
    return int(xxh3_64_intdigest(text_key(text)))


def id_hash(key: str) -> int:
    """What an id is known by."""
    return int(xxh3_64_intdigest(key.encode("utf-8", "surrogatepass")))


@dataclass(frozen=True)
class TrainedTexts:
    """What is known of a model's training.

    Attributes:
        sides: "queries", "passages" and "ids"; {} where nothing was written down.
        bases: names of the published models that it is, or was trained from.
    """

    sides: Mapping[str, Sample]
    bases: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, table: PairTable, query_rows: IntArray, passage_rows: IntArray, negatives: Iterable[str] = ()
    ) -> TrainedTexts:
        """Of the rows of a table whose queries and whose passages were trained on, and the texts that may have been negatives."""
        rows = np.union1d(query_rows, passage_rows)
        passages = chain(_column(table, "passage", passage_rows), negatives)
        ids = (key for key in _column(table, "id", rows) if len(key) >= LONG_ID)
        hashed = {
            "queries": map(text_hash, _column(table, "query", query_rows)),
            "passages": map(text_hash, passages),
            "ids": map(id_hash, ids),
        }
        return cls({side: _sample(hashes) for side, hashes in hashed.items()})

    def __or__(self, other: TrainedTexts) -> TrainedTexts:
        """What a model was trained on that was trained on both."""
        both = {side: self.sides[side] | other.sides[side] for side in self.sides if side in other.sides}
        return TrainedTexts({**self.sides, **other.sides, **both}, tuple(dict.fromkeys([*self.bases, *other.bases])))

    def save(self, folder: Path) -> None:
        """Write the file into a model's folder, unless nothing is known; the same texts give the same bytes."""
        if not (self.sides or self.bases):
            return
        from safetensors.numpy import save

        limits = {side: sample.limit for side, sample in self.sides.items()}
        # one entry: the order of several is not defined
        about = {"isoglot": json.dumps({"format": _FORMAT, "limits": limits, "bases": self.bases})}
        hashes = {side: sample.hashes for side, sample in sorted(self.sides.items())}
        with atomic_path(folder / FILE) as path:
            path.write_bytes(save(hashes, metadata=about))


def read_trained(folder: str | Path) -> TrainedTexts | None:
    """What `TrainedTexts.save` wrote into a model's folder; None where nothing is known.

    Raises:
        InputError: the file is damaged, or of another format.
    """
    path = Path(folder) / FILE
    if not path.is_file():
        return None
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "np") as file:
            about: dict[str, Any] = json.loads(file.metadata()["isoglot"])
            sides = {side: Sample(file.get_tensor(side), limit) for side, limit in about["limits"].items()}
        if about["format"] != _FORMAT or any(sample.hashes.dtype != np.uint64 for sample in sides.values()):
            raise ValueError(f"format {about['format']}")
        return TrainedTexts(sides, tuple(about["bases"]))
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        problem = first_line(error)
        raise InputError(f"{path}: not what isoglot wrote there ({problem}); delete it to measure without it") from None


def trained_of(model: Any) -> TrainedTexts:
    """What is known of a SentenceTransformer's training.

    Args:
        model: as `load_model` gives it, or loaded from a folder with its transformers encoder.

    Raises:
        InputError: the file beside it is damaged.
    """
    base, encoder = getattr(model, "loaded_from", None), getattr(model, "transformers_model", None)
    if base and base.published_name:
        return TrainedTexts({}, (base.published_name,))
    folder = base.location if base else getattr(encoder, "name_or_path", None)
    return (read_trained(folder) if folder else None) or TrainedTexts({})


def _sample(hashes: Iterator[int]) -> Sample:
    sample = Sample(np.empty(0, dtype=np.uint64))
    while len(chunk := np.fromiter(islice(hashes, MOST), dtype=np.uint64)):
        sample = sample | Sample.of(chunk)
    return sample


def _column(table: PairTable, name: str, rows: IntArray) -> Iterator[Any]:
    for start in range(0, len(rows), _CHUNK):
        yield from take_rows(table.table.column(name), rows[start : start + _CHUNK]).to_pylist()
