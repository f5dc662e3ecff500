"""Fusions: how ranked lists, one per language, become one in which every language has its chance. Nothing is encoded again.

A multilingual model gives documents in the query's own language higher scores, whatever they say: scores of two languages are not
on one scale. A fusion leaves the order within every language as it is and decides how the languages are mixed. The evaluation
(`isoglot.retrieval.fair`) and a search in any index share it.

A new fusion is one file here (or in a plugin, see `isoglot.registry`): a registered subclass of `Fusion`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from isoglot.errors import InputError
from isoglot.records import BoolArray, Float32Array, FloatArray, IntArray
from isoglot.registry import Registry
from isoglot.settings import Member

ANY = "*"
"""Stands for the query language of a query whose language is not known."""


@dataclass(frozen=True)
class Scale:
    """What scores of a language are turned with, by query language and document language: a * score + b.

    Attributes:
        queries: languages of queries, the last one `ANY`.
        documents: languages of documents.
        a, b: float64, shape (len(queries), len(documents)); a > 0.
    """

    queries: tuple[str, ...]
    documents: tuple[str, ...]
    a: FloatArray
    b: FloatArray

    def row(self, query: str | None, documents: Sequence[str]) -> tuple[FloatArray, FloatArray]:
        """a and b for a query's language and the languages of documents, both of shape (len(documents),).

        Raises:
            InputError: documents in a language that the background had none of.
        """
        missing = [lang for lang in documents if lang not in self.documents]
        if missing:
            raise InputError(
                f"the background has no passages in {', '.join(missing)}; it has: {', '.join(self.documents)}"
            )
        line = self.queries.index(query if query is not None and query in self.queries else ANY)
        columns = [self.documents.index(lang) for lang in documents]
        return self.a[line, columns], self.b[line, columns]

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {
            "queries": list(self.queries),
            "documents": list(self.documents),
            "a": self.a.tolist(),
            "b": self.b.tolist(),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Scale:
        """From those of `to_dict`."""
        a, b = (np.asarray(values[key], dtype=np.float64) for key in ("a", "b"))
        return cls(tuple(values["queries"]), tuple(values["documents"]), a, b)


@dataclass(frozen=True)
class Background:
    """Parallel pairs that are not those of the benchmark, encoded.

    Attributes:
        queries, passages: by language, float32, shape (n, d) each; row i of both is one pair.
        groups: by language, int64, shape (n,): pairs of one group share a text in some language, so that the passage of one may
            answer the query of another. Translations of a pair are in one group.
    """

    queries: Mapping[str, Float32Array]
    passages: Mapping[str, Float32Array]
    groups: Mapping[str, IntArray]

    def scores(self, query: str, passage: str) -> tuple[Float32Array, BoolArray]:
        """Scores of all queries of a language (rows) against all passages of one (columns), and which are of one group.

        Raises:
            InputError: none is, or all are.
        """
        related = self.groups[query][:, None] == self.groups[passage]
        if not related.any() or related.all():
            raise InputError(f"the background has too few parallel pairs in {query} and {passage}")
        return np.asarray(self.queries[query] @ self.passages[passage].T, dtype=np.float32), related


class Fusion(Member):
    """How the ranked lists of several languages become one.

    Attributes:
        needs_background: whether `fit` must be called with parallel pairs first.
        needs_texts: whether it ranks the texts as well, so that scores alone are not enough.
        labels: of which texts the language has to be known: no, of passages, of queries and passages.
    """

    name: ClassVar[str]
    needs_background: ClassVar[bool] = False
    needs_texts: ClassVar[bool] = False
    labels: ClassVar[str] = "of passages"

    def fit(self, background: Background) -> Scale:
        """What makes scores of different languages comparable. Only where `needs_background`."""
        raise NotImplementedError

    def keys(
        self, scores: Float32Array, language: IntArray, names: Sequence[str], query: str | None, scale: Scale | None
    ) -> FloatArray:
        """A number for each of n documents found for one query: greatest first; within a language ordered as the scores are.

        Args:
            scores: float32, shape (n,), as the model gives them, by language and then descending.
            language: number of each document's language, shape (n,), ascending.
            names: the languages of these numbers.
            query: the query's language; None where it is not known.
            scale: from `fit`.

        Returns:
            float64, shape (n,).
        """
        raise NotImplementedError


FUSIONS: Registry[type[Fusion]] = Registry("fusion", __name__)
