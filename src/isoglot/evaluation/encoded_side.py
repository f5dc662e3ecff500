"""The queries or the passages of a benchmark among what `isoglot encode` wrote."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from isoglot.errors import InputError
from isoglot.records import Float32Array, Texts
from isoglot.retrieval.encoded import EncodedTexts

KINDS = {"queries": "query", "corpus": "passage"}
"""The kind of texts in the folders of a benchmark's vectors."""


class EncodedSide:
    """A directory of encoded texts, found by language and id.

    Args:
        folder: `queries` or `corpus`.

    Raises:
        InputError: it is not complete, or is of texts of the other kind; a text is there twice; the model compares by the inner
            product, and vectors made elsewhere are compared by the cosine.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._encoded = folder, EncodedTexts.open(folder)
        meta = self._encoded.meta
        if meta["kind"] != KINDS[folder.name]:
            raise InputError(
                f"{folder}: texts were encoded as {meta['kind']}; give isoglot encode --kind {KINDS[folder.name]}"
            )
        if meta["identity"]["similarity"] != "cosine":
            raise InputError(f"{folder}: vectors for the inner product; give isoglot encode --similarity cosine")
        self._rows: dict[tuple[str, str], int] = {}
        for ids, languages, _ in self._encoded.shards():
            for key in zip(languages, ids):
                if self._rows.setdefault(key, row := len(self._rows)) != row:
                    raise InputError(f"{folder}: text '{key[1]}' in '{key[0]}' is there twice")

    def vectors(self, lang: str, texts: Texts) -> Float32Array:
        """Of the texts of a language, in their order, float32, shape (n, d). InputError: one that is not there."""
        rows = [self._rows.get((lang, key), -1) for key in texts.ids]
        if missing := rows.count(-1):
            first = texts.ids[rows.index(-1)]
            raise InputError(
                f"{self._folder}: {missing} of {len(rows)} texts in {lang} have no vector; the first is '{first}'"
            )
        found: Float32Array = self._encoded.vectors[rows].astype(np.float32)
        return found
