"""What scores of unrelated texts are in each language: by it scores of several languages are made comparable.

Queries of `facts:`, of which no document of a user's says anything, against a sample of the collection's own passages in each
language. They are encoded once for every model, when the collection is made.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from isoglot.data.pairs.loading import load_pairs
from isoglot.data.pairs.table import PairTable
from isoglot.errors import InputError
from isoglot.files import atomic_path
from isoglot.records import Float32Array, FloatArray, IntArray
from isoglot.retrieval.collection.documents import ModelEntry
from isoglot.retrieval.encode import encode_texts
from isoglot.retrieval.fusions import ANY, Scale
from isoglot.retrieval.fusions.standardised import Standardised

_FACTS = "facts:ar,de,el,en,es,fr,hi,ja,ru,th,tr,vi,zh"
_QUERIES = 30
"""Of each language."""
PASSAGES = 250
"""Of each language at most, evenly spread over the collection."""


def _path(directory: Path, entry: ModelEntry) -> Path:
    return directory / "backgrounds" / f"{entry.key}.npz"


def background_rows(table: PairTable) -> dict[str, IntArray]:
    """The rows of `facts:` whose queries are the background, by language; the same pairs whatever languages were loaded."""
    chosen = {}
    for number, lang in enumerate(table.languages):
        rows = table.index.rows[:, number]
        rows = rows[rows >= 0]
        chosen[lang] = rows[np.linspace(0, len(rows) - 1, _QUERIES).astype(np.int64)]
    return chosen


def keep_background(directory: Path, entry: ModelEntry, model: Any) -> None:
    """Encode the background queries where that was not done yet, or what was kept is damaged."""
    if _kept(path := _path(directory, entry)) is not None:
        return
    table = load_pairs(_FACTS)
    texts, languages = [], []
    for lang, chosen in background_rows(table).items():
        texts += table.column("query", chosen)
        languages += [lang] * len(chosen)
    vectors = encode_texts(model, texts, "query", progress=False, languages=languages)
    with atomic_path(path) as temporary, temporary.open("wb") as sink:
        np.savez(sink, vectors=vectors, languages=np.array(languages))


def _kept(path: Path) -> tuple[Float32Array, npt.NDArray[np.str_]] | None:
    """Vectors of the background queries, float32, shape (n, d), and the language of each; None where they cannot be read."""
    try:
        with np.load(path, allow_pickle=False) as kept:
            return kept["vectors"], kept["languages"]
    except (OSError, EOFError, KeyError, ValueError, BadZipFile, zlib.error):
        return None


class Levels:
    """Mean and deviation of unrelated scores, by language of the query and of the passage.

    Args:
        directory: of the collection.
        entry: a model of it.
        passages: by language, float, shape (n, d) each; a sample.

    Raises:
        InputError: the background is not there, or damaged.
    """

    def __init__(self, directory: Path, entry: ModelEntry, passages: dict[str, Float32Array]) -> None:
        if (kept := _kept(path := _path(directory, entry))) is None:
            raise InputError(f"{path}: not there, or damaged; run isoglot index again")
        vectors, languages = kept
        self._queries: Sequence[str] = tuple(dict.fromkeys(languages.tolist()))
        self._passages = tuple(passages)
        shape = (len(self._queries), len(self._passages))
        self._means, self._deviations = np.empty(shape), np.empty(shape)
        for i, query in enumerate(self._queries):
            own = vectors[languages == query]
            for j, passage in enumerate(self._passages):
                scores: FloatArray = (own @ passages[passage].astype(np.float32).T).astype(np.float64)
                self._means[i, j], self._deviations[i, j] = scores.mean(), scores.std()

    def scale(self, fusion: Standardised) -> Scale:
        """What the fusion turns scores by. A query in a language without background is taken for one of the average."""
        lines = [[fusion.line(m, d) for m, d in zip(*both)] for both in zip(self._means, self._deviations)]
        cells = np.array(lines).reshape(*self._means.shape, 2)  # of no passages, too
        a, b = np.moveaxis(np.concatenate([cells, cells.mean(axis=0, keepdims=True)]), -1, 0)
        return Scale((*self._queries, ANY), self._passages, a, b)
