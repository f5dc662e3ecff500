"""Vectors of a debiased model by way of a store: those of the model before its maps are kept, and corrected when they are read.

So a model and all that `isoglot debias` makes of it are encoded once.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from isoglot.evaluation.debias_strength import map_pooled
from isoglot.models.language_maps import LanguageMaps, record_of
from isoglot.records import Benchmark, Float32Array, Kind
from isoglot.retrieval.encode import pooled_languages, pooled_texts, prompt_of
from isoglot.retrieval.scoring import Vectors
from isoglot.retrieval.store import EmbeddingStore

_MOST = 1_000_000  # texts whose vectors are corrected in memory


@dataclass(frozen=True)
class Mapped:
    """A debiased model in two parts.

    Attributes:
        inner: the model before its maps.
        maps: what comes after it.
        unit: whether corrected vectors are of length 1.
    """

    inner: Any
    maps: LanguageMaps
    unit: bool

    def correct(self, benchmark: Benchmark, side: Kind, vectors: Vectors) -> Float32Array:
        """What the whole model gives for the queries or passages of a benchmark, from what its first part gives, to rounding."""
        own = np.asarray(vectors[:], dtype=np.float32)
        return map_pooled(self.maps, benchmark, side, own, unit=self.unit)


def stored_vectors(
    model: Any, benchmark: Benchmark, side: Kind, store: EmbeddingStore, key: str, parts: Mapped | None, **options: Any
) -> Vectors:
    """The vectors of the queries or passages of a benchmark, read from a store or put there.

    Args:
        key: of what is stored: the digest of the model, or of `parts.inner`.
        parts: of the model, as `mapped` gives them.
        options: of `EmbeddingStore.encode`.
    """
    encoder = model if parts is None else parts.inner
    texts, languages = pooled_texts(benchmark, side), pooled_languages(benchmark, side)
    vectors = store.encode(encoder, key, prompt_of(model, side), texts, side, languages=languages, **options)
    return vectors if parts is None else parts.correct(benchmark, side, vectors)


def mapped(model: Any, benchmark: Benchmark) -> Mapped | None:
    """The parts of a model that was loaded from a folder of `isoglot debias`; None of any other, and of too many texts."""
    record = record_of(model) or {}
    if "modules" not in record or max(benchmark.n_queries, benchmark.n_documents) > _MOST:
        return None
    from sentence_transformers import SentenceTransformer

    inner = SentenceTransformer(
        modules=list(model.children())[: int(record["modules"])],
        device=str(model.device),
        prompts=model.prompts,
        default_prompt_name=model.default_prompt_name,
        similarity_fn_name=model.similarity_fn_name,
    )
    maps = LanguageMaps.load(Path(model.loaded_from.location))
    # else vectors were cut to their first dimensions by a layer between
    return (
        Mapped(inner, maps, bool(record.get("unit", True))) if inner.get_embedding_dimension() == maps.width else None
    )
