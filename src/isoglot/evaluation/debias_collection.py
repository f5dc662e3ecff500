"""Debiasing and indexes: a correction fitted on the documents of an index, and an index's vectors corrected, without encoding."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from itertools import compress, islice
from pathlib import Path
from typing import Any

import numpy as np

from isoglot.bars import tqdm
from isoglot.data.fit_texts import FitTexts, Numbered
from isoglot.data.langid import UNKNOWN
from isoglot.disk import writing
from isoglot.errors import InputError
from isoglot.evaluation.debias_strength import Encode, map_each
from isoglot.models.content import base_digest
from isoglot.models.language_maps import LanguageMaps, Side, read_record
from isoglot.models.resolve import resolve_base
from isoglot.one_writer import locked
from isoglot.records import Float32Array, IntArray
from isoglot.retrieval.collection import Collection
from isoglot.retrieval.collection.build import Loaded, index
from isoglot.retrieval.collection.chunking import digest_of, encoded, front
from isoglot.retrieval.collection.documents import DATABASE, Documents, ModelEntry, as_digests
from isoglot.retrieval.collection.models import model_name, vectors_key
from isoglot.retrieval.collection.vectors import Vectors
from isoglot.retrieval.store import Digests

_AT_ONCE = 16_384
_STREAM = 73  # of chance, beside those of splits


def is_collection(name: str | Path) -> bool:
    """Whether a directory is one that `isoglot index` wrote."""
    return (Path(name) / DATABASE).is_file()


def collection_texts(path: str | Path, most: int, seed: int = 0) -> FitTexts:
    """Chunks of an index as passages, as they were encoded: at most so many in each language, drawn by chance.

    Documents whose language is not known are left out. The first chunks of translations have one number, and are drawn together.

    Raises:
        InputError: no index, or none of its documents is in a known language.
    """
    with Collection.open(path) as collection:
        numbers, by_language = _numbered(collection)
        if not by_language:
            raise InputError(f"{path}: no document in a known language to fit on")
        place = np.random.default_rng(np.random.SeedSequence((seed, _STREAM))).permutation(numbers)
        passages: dict[str, Numbered] = {}
        for lang, chunks in sorted(by_language.items()):
            chosen = sorted(sorted(chunks, key=lambda chunk: int(place[chunk[0]]))[:most])
            rows = collection.documents.texts_of([key for _, key in chosen])
            texts = {key: encoded(front(title), text) for key, _, title, text, _ in rows}
            kept = [(number, texts[key]) for number, key in chosen if key in texts]
            pairs: IntArray = np.array([number for number, _ in kept], dtype=np.int64)
            passages[lang] = Numbered([text for _, text in kept], pairs)
    return FitTexts({"passage": passages})


def _numbered(collection: Collection) -> tuple[int, dict[str, list[tuple[int, int]]]]:
    """How many numbers there are, and by language the number and key of every chunk; each number once in a language."""
    groups: dict[int, int | str] = {key: name for key, _, name in collection.documents.translations()}
    numbers: dict[int | str, int] = {}
    seen: set[tuple[str, int]] = set()
    by_language: dict[str, list[tuple[int, int]]] = {}
    for label in collection.documents.labels():
        if label.lang == UNKNOWN:
            continue
        own = numbers.setdefault(
            groups.pop(label.document, label.key), len(numbers)
        )  # of a document's first chunk alone
        if (label.lang, own) in seen:
            own = numbers.setdefault(label.key, len(numbers))
        seen.add((label.lang, own))
        by_language.setdefault(label.lang, []).append((own, label.key))
    return len(numbers), by_language


def with_stored(encode: Encode, paths: Sequence[str | Path], model: Any, source: str) -> Encode:
    """An encoder that takes vectors of passages from indexes that have them by this model, and encodes the rest."""
    key = vectors_key(model, base_digest(source))
    stores = [vectors for path in paths if len(vectors := Vectors(Path(path) / "vectors" / key))]

    def encode_or_read(texts: Sequence[str], side: Side, languages: Sequence[str]) -> Float32Array:
        if side != "passage" or not stores:
            return encode(texts, side, languages)
        digests = as_digests(digest_of(lang, "", text) for lang, text in zip(languages, texts))
        found: list[tuple[IntArray, Float32Array]] = []
        left = np.arange(len(texts))
        for vectors in stores:
            there = vectors.has(digests[left])
            found.append((left[there], vectors.read(digests[left[there]]).astype(np.float32)))
            left = left[~there]
        if len(left):
            rest = left.tolist()
            found.append((left, encode([texts[i] for i in rest], side, [languages[i] for i in rest])))
        rows = np.concatenate([part for part, _ in found])
        return np.concatenate([part for _, part in found])[np.argsort(rows)]

    return encode_or_read


def debias_collection(
    path: Path, by: str, name: str | None = None, *, device: str | None = None, progress: bool = True
) -> dict[str, Any]:
    """Add a debiased model to an index that has the model it was made of: its vectors, corrected; no passage is encoded.

    The corrected vectors differ from those of `isoglot index` by the rounding of the index's own to float16.

    Args:
        path: of the index.
        by: the folder that `isoglot debias` wrote.
        name: of the model in the index; by default that of its base there and `-debiased`.

    Returns:
        The record of the folder, and "index": "path", "name", "base", "corrected" (vectors).

    Raises:
        InputError: no index; a folder of something else; the index has not the model's base, or not all of its vectors.
    """
    folder = Path(resolve_base(by).location)
    maps, record = LanguageMaps.load(folder), read_record(folder) or {}
    with Collection.open(path) as collection:
        base = _base(collection, by, record)
        if maps.width != base.width:
            raise InputError(
                f"{by}: corrects vectors of {maps.width} numbers; those of '{base.name}' have {base.width}"
            )
        own = model_name(by, name or f"{base.name}-debiased")
        there, settings = collection.models.get(own), collection.settings
    if there is not None and there.source != by:
        raise InputError(f"{path}: '{own}' is the name of {there.source} there; give {by} another: --name")
    with locked(path), writing(path), closing(Documents(path, write=True)) as documents:
        loaded = Loaded.load(own, by, path, settings, device)
        count = _correct(documents, path, base, maps, loaded, bool(record.get("unit", True)), progress)
    index(by, None, path, name=own, device=device, progress=False)  # finds nothing to encode
    return {**record, "index": {"path": str(path), "name": own, "base": base.name, "corrected": count}}


def _base(collection: Collection, by: str, record: dict[str, Any]) -> ModelEntry:
    """The model of the index that a debiased one was made of, by the content of its files."""
    digest = record.get("content", {}).get("digest")
    for entry in collection.models.values():
        if digest is not None and entry.digest == digest:
            return entry
    models = ", ".join(f"{entry.name} ({entry.source})" for entry in collection.models.values()) or "none"
    raise InputError(
        f"{by}: was made of {record.get('base')}, which is no model of {collection.path} (there: {models}); "
        f"isoglot index {by} --output {collection.path} encodes the documents by it"
    )


def _correct(
    documents: Documents, path: Path, base: ModelEntry, maps: LanguageMaps, loaded: Loaded, unit: bool, progress: bool
) -> int:
    """Keep the corrected vectors of all chunks that have none yet; how many there were."""
    known, count = Vectors(path / "vectors" / base.key, verify=True), 0
    with tqdm(total=documents.counts().chunks, desc="correct", unit="chunk", disable=not progress) as bar:
        chunks = documents.languages()
        while part := list(islice(chunks, _AT_ONCE)):
            new = {digest: lang for lang, digest in part}
            digests = as_digests(new)
            wanted = ~loaded.vectors.has(digests)
            if wanted.any():
                languages = list(compress(new.values(), wanted))
                vectors = map_each(maps, _read(known, digests[wanted], base, path), "passage", languages, unit=unit)
                loaded.vectors.add(digests[wanted], vectors)
                count += len(vectors)
            bar.update(len(part))
    return count


def _read(known: Vectors, digests: Digests, base: ModelEntry, path: Path) -> Float32Array:
    try:
        return known.read(digests).astype(np.float32)
    except KeyError as error:
        raise InputError(f"{path}: {error.args[0]} of '{base.name}'; run isoglot index again") from None
