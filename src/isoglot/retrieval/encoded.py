"""A directory of encoded texts: vectors in shards, ids and languages beside them, and what made them.

    meta.json                                          model, prompt, kind, type, counts and the names of all shards
    rows-000000000000-000000016384-<digest>.npy        vectors of rows 0 to 16,384, shape (n, d), float16 or float32
    ids-000000000000-000000016384-<key>.parquet        `id` and `lang` of the same rows, in the input's order

The digest is that of the file's bytes. The key is one of all that decides the vectors: model, prompt, settings, texts. A shard is
done when its ids are there, which are written after its vectors and name them; so whoever finds a key need not encode anything.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from isoglot.data.readers import open_parquet, read_parquet
from isoglot.errors import InputError, IsoglotError
from isoglot.files import atomic_path, digest_json, read_json, save_array, write_json
from isoglot.reading import parse_json
from isoglot.records import Float32Array
from isoglot.retrieval.shards import ShardedRows, open_shard, span

META = "meta.json"
_ABOUT = b"isoglot"
_OURS = re.compile(r"(rows|ids)-\d{12}-\d{12}-[0-9a-f]{16}\.(npy|parquet)")
_SCHEMA = pa.schema([("id", pa.string()), ("lang", pa.string())])


class Rows(Protocol):
    """Which rows of the whole a shard has, from 0; `end` is behind the last."""

    @property
    def start(self) -> int: ...

    @property
    def end(self) -> int: ...


class EncodedShard(NamedTuple):
    """One shard.

    Attributes:
        width: d of its vectors.
        names: of its two files, `vectors` and `ids`.
        facts: what whoever encoded it says of the model, see `isoglot.retrieval.shard_encoder`.
    """

    width: int
    names: dict[str, str]
    facts: dict[str, Any]


def ids_name(shard: Rows, key: str) -> str:
    """The name of the file of a shard's ids."""
    return f"ids-{shard.start:012d}-{shard.end:012d}-{key[:16]}.parquet"


def write_shard(
    directory: Path, shard: Rows, key: str, vectors: npt.NDArray[Any], ids: pa.Table, facts: Mapping[str, Any]
) -> None:
    """Write vectors, then ids, each atomically.

    Args:
        vectors: of the shard's rows, shape (n, d), in the type that they are kept in.
        ids: columns `id` and `lang`.
    """
    path = save_array(directory, f"rows-{shard.start:012d}-{shard.end:012d}", vectors)
    about = _json({"key": key, "vectors": path.name, "facts": dict(facts)})
    table = ids.cast(_SCHEMA).replace_schema_metadata({_ABOUT: about})
    with atomic_path(directory / ids_name(shard, key)) as temporary:
        pq.write_table(table, temporary, compression="zstd", write_page_checksum=True)


def ids_table(ids: list[str], languages: list[str]) -> pa.Table:
    """Ids and languages ("" becomes null) as a shard holds them."""
    return pa.table({"id": ids, "lang": [lang or None for lang in languages]}, schema=_SCHEMA)


def find_shard(directory: Path, shard: Rows, key: str, dtype: str, *, verify: bool) -> EncodedShard | None:
    """A shard that is there; None where it is not, is damaged, or is of another key.

    Args:
        verify: read all of it and compare digests; otherwise headers and sizes.
    """
    path = directory / ids_name(shard, key)
    if not path.is_file():
        return None
    try:
        about = _about(path)
        if verify:
            read_parquet(path)
    except InputError:
        return None
    name = str(about.get("vectors"))
    rows = span(name)
    vectors = open_shard(directory / name, dtype, verify) if rows == (shard.start, shard.end) else None
    if vectors is None or about.get("key") != key:
        return None
    # not the map itself: a process has room for some tens of thousands of these
    return EncodedShard(int(vectors.shape[1]), {"vectors": name, "ids": path.name}, dict(about.get("facts") or {}))


def _about(path: Path) -> dict[str, Any]:
    """What is written in a file of ids besides these. InputError: another file, or a damaged one."""
    with open_parquet(path) as file:
        metadata = file.schema_arrow.metadata or {}
        try:
            about = parse_json(metadata[_ABOUT].decode())
        except (KeyError, ValueError):
            about = None
    if not isinstance(about, dict):
        raise InputError(f"{path}: no ids that isoglot encode wrote")
    return about


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, ensure_ascii=False).encode()


def tidy_shards(directory: Path, kept: set[str]) -> None:
    """Delete the shards of a directory whose names are not among these."""
    for path in directory.iterdir():
        if _OURS.fullmatch(path.name) and path.name not in kept:
            path.unlink(missing_ok=True)


@dataclass(frozen=True)
class EncodedTexts:
    """What `isoglot encode` wrote.

    Attributes:
        directory: where it lies.
        meta: `meta.json`.
        vectors: shape (n, d), float16 or float32, read where they are asked for.
    """

    directory: Path
    meta: Mapping[str, Any]
    vectors: ShardedRows

    @classmethod
    def open(cls, directory: Path, *, verify: bool = False) -> EncodedTexts:
        """Open a directory.

        Args:
            verify: read all vectors once and compare their digests.

        Raises:
            InputError: nothing complete is there, or a shard is damaged or missing.
        """
        meta = read_meta(directory)
        if not meta or not meta.get("complete"):
            what = "not finished; give the same isoglot encode again" if meta else "nothing that isoglot encode wrote"
            raise InputError(f"{directory}: {what}")
        maps = []
        for names in meta["shards"]:
            vectors = open_shard(directory / names["vectors"], meta["dtype"], verify)
            if vectors is None or vectors.shape[1] != meta["width"]:
                raise InputError(
                    f"{directory / names['vectors']}: missing or damaged; give the same isoglot encode again"
                )
            maps.append(vectors)
        return cls(directory, meta, ShardedRows(maps))

    def __len__(self) -> int:
        return len(self.vectors)

    def shards(self) -> Iterator[tuple[list[str], list[str], npt.NDArray[Any]]]:
        """(ids, languages, vectors of shape (n, d)) of every shard, in the input's order; a language may be ""."""
        for names in self.meta["shards"]:
            start, end = span(names["vectors"]) or (0, 0)
            path = self.directory / names["ids"]
            table = read_parquet(path, ["id", "lang"])
            if len(table) != end - start:
                raise InputError(
                    f"{path}: {len(table)} ids of {end - start} vectors; give the same isoglot encode again"
                )
            ids, languages = ([value or "" for value in table[name].to_pylist()] for name in ("id", "lang"))
            yield ids, languages, self.vectors[start:end]

    def corrected(self, output: Path, correct: Correct, note: Mapping[str, Any]) -> None:
        """Write the same texts with other vectors, in the same shards and type.

        Args:
            output: an empty directory that nobody reads yet.
            correct: of vectors, float32, shape (n, d), and their languages ("" where none is known).
            note: is added to what made the vectors (`identity`).

        Raises:
            InputError: numbers that are not finite in the type that they are kept in.
        """
        identity, names = {**self.meta["identity"], **note}, []
        shards: list[EncodedShard] = []
        start = 0
        for (ids, languages, vectors), entry in zip(self.shards(), self.meta["shards"]):
            changed = correct(np.asarray(vectors, dtype=np.float32), languages).astype(vectors.dtype)
            if not np.isfinite(changed).all():
                raise InputError(f"{self.directory / entry['vectors']}: a corrected vector has NaN or infinity in it")
            shard = _Span(start, start + len(ids), entry["texts"])
            key = digest_json({"identity": digest_json(identity), "texts": shard.digest})
            write_shard(output, shard, key, changed, ids_table(ids, languages), {})
            found = find_shard(output, shard, key, str(vectors.dtype), verify=False)
            assert found is not None
            shards.append(found)
            names.append({"texts": shard.digest, **found.names})
            start = shard.end
        meta = {**self.meta, "identity": identity, "width": width_of(shards), "shards": names}
        write_json(output / META, meta)


Correct = Callable[[Float32Array, list[str]], Float32Array]
"""What makes other vectors of vectors and their languages."""


@dataclass(frozen=True)
class _Span:
    """Of a shard that is not read: where its rows are, and the digest of its texts."""

    start: int
    end: int
    digest: str


def is_encoded(directory: Path) -> bool:
    """Whether `isoglot encode` wrote a directory, or is about to."""
    try:
        return read_meta(directory) is not None
    except InputError:
        return False


def read_meta(directory: Path) -> dict[str, Any] | None:
    """`meta.json` of a directory; None where there is none. InputError: one of something else."""
    path = directory / META
    if not path.is_file():
        return None
    meta = read_json(path)
    if not isinstance(meta, dict) or not {"format", "identity", "complete", "dtype"} <= meta.keys():
        raise InputError(f"{path}: not of isoglot encode; give another directory")
    return meta


def width_of(shards: list[EncodedShard]) -> int:
    """The width that all shards have. IsoglotError where they differ."""
    widths = {shard.width for shard in shards}
    if len(widths) != 1:
        raise IsoglotError(f"shards of widths {sorted(widths)}: they cannot be of one model")
    return widths.pop()
