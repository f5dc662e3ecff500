"""Embeddings on disk, by content: the same model, prompt and texts are encoded once, and an interrupted run goes on.

A directory per sequence of texts, named by a SHA-256 over the model's digest and settings, the prompt, the kind, the type of
the numbers and the texts. In it are shards of consecutive rows (`isoglot.retrieval.shards`) and, written last, `meta.json`.
"""

from __future__ import annotations

import hashlib
import itertools
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from isoglot.bars import tqdm
from isoglot.disk import writing
from isoglot.errors import InputError, say
from isoglot.files import cache_dir, digest_json, digest_strings, read_json, save_array, write_json
from isoglot.models.tokenizer import description
from isoglot.one_writer import locked, tidy
from isoglot.processes import processes
from isoglot.records import IntArray
from isoglot.retrieval.encode import LABELS, Kind, encode_texts, languages_for, similarity_of
from isoglot.retrieval.shards import ShardedRows, find_shards, open_shard, span

SHARD_SIZE = 16_384
_FORMAT = 1
_META = "meta.json"
_NAME = re.compile(r"[0-9a-f]{64}")
_BETWEEN = "\0"  # a language and a text: no text begins with a language and this
_CHANGED = "the texts changed while they were read for the second time"

StoredType = Literal["float32", "float16"]
Digests = npt.NDArray[np.uint64]


class EmbeddingStore:
    """Encodes texts, or reads what an earlier call encoded.

    Args:
        root: where to keep the vectors; `embeddings` in isoglot's cache when None.
        verify: compare every shard with its digest when it is opened (reads all of it once: seconds per 4 GB); otherwise
            only a shard's header and size are looked at.
    """

    def __init__(self, root: str | Path | None = None, *, verify: bool = True) -> None:
        self.root = Path(root) if root is not None else cache_dir() / "embeddings"
        self.verify = verify

    def encode(
        self,
        model: Any,
        model_digest: str,
        prompt: str,
        texts: Iterable[str],
        kind: Kind,
        *,
        dtype: StoredType = "float32",
        shard_size: int = SHARD_SIZE,
        batch_size: int | None = None,
        progress: bool = True,
        languages: Iterable[str] | None = None,
    ) -> ShardedRows:
        """The vectors of texts, shape (n, d), read-only.

        Each distinct text is encoded once, longest first within a shard; equal texts have the very same vector in whatever
        shards they stand. Damaged shards are encoded again. Of the texts, one shard is held in memory at a time, besides 16
        bytes per text (about 60 more per text while equal texts are looked for). Processes that encode the same texts take
        turns: the second says so and waits, then reads.

        Args:
            model: as in `encode_texts`; it is not called when everything is there.
            model_digest: of the weights. Sequence length, dimensions and module settings of a `SentenceTransformer` are
                added here.
            prompt: what the model puts before a text (`prompt_of`); it is part of the key, not passed to the model.
            texts: read two times, so a list or another iterable that starts anew every time, not a generator.
            kind: query or passage.
            dtype: of the stored numbers. The unit vectors are rounded to it.
            shard_size: texts per shard. An interrupted run goes on only with the shard size it had.
            batch_size: texts per forward pass; not part of the key.
            progress: a progress bar on stderr.
            languages: of the texts, as in `encode_texts`; read two times, too. Part of the key where the model asks for them.

        Raises:
            InputError: no texts, texts that can be read once only or change in between, vectors that are not finite,
                a store that cannot be written.
        """
        if shard_size < 1 or dtype not in ("float32", "float16"):
            raise InputError(f"shard size {shard_size}, type '{dtype}': expected at least 1, and float32 or float16")
        if processes().world > 1:
            raise InputError("a store of embeddings is filled by one process: encode without a store or a launcher")
        if isinstance(texts, Iterator) or isinstance(languages, Iterator):
            raise InputError("texts can be read only once; give a list, or an iterable that starts anew every time")
        told = _Told(model, texts, languages)
        digests = text_digests(map("".join, told))
        if not len(digests):
            raise InputError("no text to encode")
        own = {"model": model_digest, "settings": model_settings(model), "prompt": prompt, "kind": kind}
        key = {"format": _FORMAT, **own, "dtype": dtype, "texts": hashlib.sha256(digests.tobytes()).hexdigest()}
        directory = self.root / digest_json(key)
        if (stored := self._open(directory, dtype)) is not None:
            tidy(directory)
            return stored
        with locked(directory, waiting="these texts are being encoded" if progress else ""), writing(directory):
            if (stored := self._open(directory, dtype)) is None:  # not made while this process waited
                # an entry that was complete keeps its shard size, so that only what is damaged is made again
                size = int((_read_meta(directory) or {}).get("shard_size", shard_size))
                work = _Encoding(model, kind, dtype, directory, digests, size)
                write_json(directory / _META, {**key, **work.run(told, batch_size, progress, self.verify)})
                stored = self._open(directory, dtype)
        if stored is None:
            raise InputError(f"{directory}: shards do not read back as they were written; is the disk sound?")
        return stored

    def size(self) -> int:
        """Bytes on disk of everything in the store."""
        return sum(path.stat().st_size for entry in self._entries() for path in entry.iterdir() if path.is_file())

    def clear(self) -> int:
        """Delete all stored embeddings; returns the bytes that they took. Nothing else under `root` is touched."""
        size = self.size()
        for entry in self._entries():
            shutil.rmtree(entry)
        return size

    def _entries(self) -> list[Path]:
        return [path for path in sorted(self.root.glob("*")) if path.is_dir() and _NAME.fullmatch(path.name)]

    def _open(self, directory: Path, dtype: StoredType) -> ShardedRows | None:
        """What is stored, if it is complete and whole."""
        if (meta := _read_meta(directory)) is None:
            return None
        shards = [open_shard(directory / name, dtype, self.verify) for name in meta["shards"]]
        whole = [shard for shard in shards if shard is not None and shard.shape[1] == meta["shape"][1]]
        if len(whole) < len(shards):
            return None
        rows = ShardedRows(whole)
        return rows if list(rows.shape) == meta["shape"] else None


class _Encoding:
    """One pass over the texts that makes the shards which are missing."""

    def __init__(self, model: Any, kind: Kind, dtype: StoredType, directory: Path, digests: Digests, size: int) -> None:
        self.model, self.kind, self.dtype, self.directory, self.size = model, kind, dtype, directory, size
        self.digests, self.first = digests, first_rows(digests)
        self.shards: list[npt.NDArray[Any]] = []

    def run(self, texts: _Told, batch_size: int | None, progress: bool, verify: bool) -> dict[str, Any]:
        """Make the missing shards; returns what `meta.json` says of all of them."""
        there = find_shards(self.directory)
        source, n = iter(texts), len(self.digests)
        names = []
        with tqdm(total=n, desc=LABELS[self.kind], disable=not progress, unit="text") as bar:
            for start in range(0, n, self.size):
                rows = np.arange(start, min(start + self.size, n))
                end = start + len(rows)
                shard_texts = list(itertools.islice(source, len(rows)))
                if not np.array_equal(text_digests(map("".join, shard_texts)), self.digests[start:end]):
                    raise InputError(_CHANGED)
                path = there.pop((start, end), None)
                vectors = None if path is None else open_shard(path, self.dtype, verify)
                if path is None or vectors is None:
                    self._forget(rows, path, there)
                    vectors = self._encode(shard_texts, rows, bar.update, batch_size)
                    path = save_array(self.directory, f"rows-{start:012d}-{end:012d}", vectors)
                    vectors = np.load(path, mmap_mode="r", allow_pickle=False)
                self.shards.append(vectors)
                names.append(path.name)
                bar.update(end - bar.n)  # texts that were there or came twice
        if next(source, None) is not None:
            raise InputError(_CHANGED)
        for path in there.values():  # of an interrupted run with another shard size
            path.unlink(missing_ok=True)
        return {"shape": [n, self.shards[0].shape[1]], "shard_size": self.size, "shards": names}

    def _forget(self, rows: IntArray, path: Path | None, there: dict[tuple[int, int], Path]) -> None:
        """Delete a damaged shard, and later ones that copied vectors from it: a new vector may differ in its last bits.

        They go before the shard is made again, so that an interruption in between leaves no stale copy.
        """
        if path is not None:
            say(f"{path}: damaged; its texts are encoded again")
            path.unlink(missing_ok=True)
        for start, end in [rows_there for rows_there in there if rows_there[0] > rows[-1]]:
            copied = self.first[start:end]
            if ((copied >= rows[0]) & (copied <= rows[-1])).any():
                there.pop((start, end)).unlink(missing_ok=True)

    def _encode(
        self, texts: list[tuple[str, str]], rows: IntArray, watch: Callable[[int], Any], batch_size: int | None
    ) -> npt.NDArray[Any]:
        """Vectors of one shard: new texts from the model, others from the row in which they stood first."""
        first, start = self.first[rows], rows[0]
        new, earlier = first == rows, first < start
        if new.any():
            languages, fresh = zip(*(texts[i] for i in np.flatnonzero(new)))
            told = [lang.removesuffix(_BETWEEN) for lang in languages]
            encoded = encode_texts(self.model, fresh, self.kind, batch_size, watch=watch, languages=told)
        else:
            encoded = self.shards[0][:0]
        vectors = np.empty((len(rows), encoded.shape[1]), dtype=self.dtype)
        vectors[new] = encoded
        if earlier.any():
            vectors[earlier] = ShardedRows(self.shards)[first[earlier]]
        again = ~new & ~earlier
        vectors[again] = vectors[first[again] - start]
        return vectors


class _Told:
    """(language, text), read anew every time that they are gone through; the language is "" where the model is not told it.

    Joined, the two name what is encoded: a text alone, or a text in a language.
    """

    def __init__(self, model: Any, texts: Iterable[str], languages: Iterable[str] | None) -> None:
        self._model, self._texts, self._languages = model, texts, languages

    def __iter__(self) -> Iterator[tuple[str, str]]:
        if self._languages is None:
            return (("", text) for text in self._texts)
        told = languages_for(self._model, itertools.repeat(""), self._languages)
        return ((f"{lang}{_BETWEEN}" if lang else "", text) for lang, text in zip(told, self._texts))


def text_digests(texts: Iterable[str]) -> Digests:
    """BLAKE2b (16 bytes) of n texts, which are read once; uint64, shape (n, 2), 80 MB for 5 million texts."""
    data = bytearray()
    for text in texts:
        data += hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    return np.frombuffer(data, dtype=np.uint64).reshape(-1, 2)


def first_rows(digests: Digests) -> IntArray:
    """Per text the first row with the same text, shape (n,): `first[i] == i` where it is new."""
    order = np.lexsort((digests[:, 1], digests[:, 0]))  # stable: rows of one text stay ascending
    ordered = digests[order]
    new = np.ones(len(order), dtype=np.bool_)
    new[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    first = np.empty(len(order), dtype=np.int64)
    first[order] = order[new][np.cumsum(new) - 1]
    return first


def _read_meta(directory: Path) -> dict[str, Any] | None:
    """What `encode` wrote last; None where it did not come to that, or where the file is damaged."""
    try:
        meta: dict[str, Any] = read_json(directory / _META)
        (rows, _), size = meta["shape"], meta["shard_size"]
        expected = [(start, min(start + size, rows)) for start in range(0, rows, size)]
        return meta if [span(name) for name in meta["shards"]] == expected else None
    except (InputError, OSError, TypeError, KeyError, ValueError):
        return None


def model_settings(model: Any) -> Any:
    """What decides a vector besides the weights: tokenizer, sequence length, dimensions, the modules and their settings."""
    names = ("max_seq_length", "truncate_dim")
    settings: dict[str, Any] = {name: str(getattr(model, name)) for name in names if hasattr(model, name)}
    if (similarity := similarity_of(model)) != "cosine":  # vectors keep their lengths then
        settings["similarity"] = similarity
    tokenizer = getattr(model, "tokenizer", None)
    if hasattr(tokenizer, "backend_tokenizer"):
        settings["tokenizer"] = digest_strings([description(tokenizer)])
    children = list(model.children()) if hasattr(model, "children") else []
    settings["modules"] = [_module_settings(module) for module in children if hasattr(module, "get_config_dict")]
    inside = [module for child in children for module in child.modules() if module is not child]
    # of a router's routes
    if routed := [_module_settings(module) for module in inside if hasattr(module, "get_config_dict")]:
        settings["routed"] = routed
    return settings


def _module_settings(module: Any) -> list[Any]:
    return [type(module).__name__, {key: str(value) for key, value in module.get_config_dict().items()}]
