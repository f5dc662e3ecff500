"""Misaligned translations, by a model: texts that are nearer to others than to their translations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from isoglot.data.checks.registry import Check, Finding
from isoglot.data.pairs.index import PairIndex, build_index
from isoglot.records import BoolArray, Float32Array, FloatArray, IntArray, PairRow
from isoglot.retrieval.encode import encode_texts, unit

_OTHERS = 256
_AT_ONCE = 4096


class Similarity(Check):
    """Misaligned translations, by a model: a passage whose translations are not nearer to it than other pairs' is dropped.

    Each passage is compared with the mean of its translations' vectors, and with the same means of 256 other pairs, drawn by the
    seed; those that fall behind are compared again with the nearest of its translations and of the others' texts. Vectors
    are centred by language first, so that two texts are not near because of their language. Of a pair in two languages nothing
    says which side is wrong: both rows may be dropped. It is no member of the registry of checks: those know of no models.
    """

    name: ClassVar[str] = "similarity"
    order: ClassVar[int] = 75

    model: str = Field(description="compare translations by this model: hub id, directory, run, or offline:NAME")
    device: str | None = Field(None, description="of the model: cpu, cuda, ... (default: the best)")
    nearer_pairs: float = Field(
        0.02, gt=0, lt=1, description="share of other pairs from which on a passage is not its translations' own"
    )
    nearer_seed: int = Field(0, ge=0, description="of the draw of other pairs")

    def find(self, rows: Sequence[PairRow]) -> Iterator[Finding]:
        from isoglot.models.load import load_model

        yield from self.find_by(load_model(self.model, device=self.device), rows)

    def find_by(self, model: Any, rows: Sequence[PairRow]) -> Iterator[Finding]:
        """As `find`, by a model that `encode_texts` takes."""
        index = build_index(rows)
        parallel = np.flatnonzero((index.rows >= 0).sum(axis=1) > 1)
        if len(parallel) < 2:
            return
        texts, languages = [row.passage for row in rows], [row.lang for row in rows]
        vectors = np.asarray(encode_texts(model, texts, "passage", languages=languages), dtype=np.float32)
        vectors, means = self._centred(vectors, index)
        generator = np.random.default_rng(self.nearer_seed)
        for column in range(len(index.languages)):
            pairs = parallel[index.rows[parallel, column] >= 0]
            for start in range(0, len(pairs), _AT_ONCE):
                chunk = pairs[start : start + _AT_ONCE]
                here = vectors[index.rows[chunk, column]]
                # the means of the other languages; of other pairs those with this language are as near as they come
                own = unit(means[chunk] - here)
                others = generator.choice(parallel, min(_OTHERS, len(parallel)), replace=False)
                other = unit(
                    means[others]
                    - np.where(index.rows[others, column, None] >= 0, vectors[index.rows[others, column]], 0)
                )
                score = (here * own).sum(axis=1)
                allowed = index.group[chunk][:, None] != index.group[others][None, :]
                nearer = ((here @ other.T >= score[:, None]) & allowed).sum(axis=1)
                for pair, row_allowed in zip(chunk[suspect := nearer >= self._limit(allowed)], allowed[suspect]):
                    row = int(index.rows[pair, column])
                    share = _nearer(vectors, index, row, int(pair), others[row_allowed])
                    if share >= self.nearer_pairs:
                        what = (
                            f"{share:.0%} of other pairs are nearer than its translations: '{rows[row].passage[:40]}'"
                        )
                        yield Finding(row, "passage", what, "dropped")

    def _limit(self, allowed: BoolArray) -> FloatArray:
        """How many other pairs may not be nearer; at least one. Shape (n,) for `allowed` of shape (n, m)."""
        limit: FloatArray = np.maximum(1.0, self.nearer_pairs * allowed.sum(axis=1))
        return limit

    def _centred(self, vectors: Float32Array, index: PairIndex) -> tuple[Float32Array, Float32Array]:
        """Unit vectors without the mean of their language, shape (n, d), and their sums by pair, shape (n_pairs, d)."""
        centred = np.empty_like(vectors)
        sums = np.zeros((index.n_pairs, vectors.shape[1]), dtype=np.float32)
        for column in range(len(index.languages)):
            pairs = np.flatnonzero(index.rows[:, column] >= 0)
            numbers = index.rows[pairs, column]
            centred[numbers] = unit(vectors[numbers] - vectors[numbers].mean(axis=0))
            sums[pairs] += centred[numbers]
        return centred, sums


def _nearer(vectors: Float32Array, index: PairIndex, row: int, pair: int, others: IntArray) -> float:
    """Share of other pairs of whose texts one is as near to a row as the nearest of its translations.

    Means are quick to compare with, but one wrong text spoils them for its whole pair.
    """
    columns = np.flatnonzero((index.rows[pair] >= 0) & (index.rows[pair] != row))
    own = (vectors[index.rows[pair, columns]] @ vectors[row]).max()
    there = index.rows[others][:, columns]
    best = np.where(there >= 0, vectors[there] @ vectors[row], -np.inf).max(axis=1)
    return float((best >= own).mean()) if len(others) else 0.0
