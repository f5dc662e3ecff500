"""Debiasing: take out of embeddings what tells their language, by a linear correction, without training.

A new method is one file here (or in a plugin, see `isoglot.registry`): a registered subclass of `DebiasMethod`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from isoglot.errors import InputError
from isoglot.records import Float32Array, FloatArray, IntArray
from isoglot.registry import Registry
from isoglot.settings import Member

Sides = Literal["apart", "together", "passages"]
"""Queries and passages have corrections of their own, or one of both; or passages have one, and queries stay."""
EVERY = "*"
"""The key of a correction that is that of all languages."""


@dataclass(frozen=True)
class Sample:
    """Embeddings of texts of one language.

    Attributes:
        vectors: float32, shape (n, d), n > 0, as the model gives them.
        pairs: int64, shape (n,): texts of the same number are translations of each other; each number once.
    """

    vectors: Float32Array
    pairs: IntArray


@dataclass(frozen=True)
class Correction:
    """What is taken from an embedding e: with strength a it becomes e - a (U U^T e + b).

    Attributes:
        directions: U, float64, shape (d, r), orthonormal columns; r may be 0.
        offset: b, float64, shape (d,).
    """

    directions: FloatArray
    offset: FloatArray


class DebiasMethod(Member):
    """A correction of embeddings that is fitted on texts of several languages.

    Attributes:
        per_language: whether each language has a correction of its own, so that a text's language has to be known.
        sides: whether queries and passages are best fitted apart.
        data: what it is fitted on.
    """

    per_language: ClassVar[bool] = False
    data: ClassVar[tuple[str, ...]] = ("texts by language",)
    sides: ClassVar[Sides] = "apart"

    def fit(self, samples: Mapping[str, Sample]) -> dict[str, Correction]:
        """The correction of every language, or, by the key `EVERY`, that of all.

        Args:
            samples: by language, of one width.

        Raises:
            InputError: too few languages or texts.
        """
        raise NotImplementedError

    def check_languages(self, samples: Mapping[str, Sample]) -> None:
        """InputError where there are fewer than two languages, which nothing tells apart."""
        if len(samples) < 2:
            raise InputError(f"{self.name} needs texts of two languages or more, got {', '.join(samples) or 'none'}")


DEBIAS_METHODS: Registry[type[DebiasMethod]] = Registry("debiasing method", "isoglot.models.debias")
