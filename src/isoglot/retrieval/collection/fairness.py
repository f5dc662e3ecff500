"""How a search of a collection mixes languages: by fusions that need no judgments of the user's, made ready."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isoglot.data.langid import SURE, UNKNOWN, identify
from isoglot.errors import InputError, unknown
from isoglot.records import IntArray
from isoglot.retrieval.collection.background import PASSAGES, Levels
from isoglot.retrieval.collection.documents import ModelEntry
from isoglot.retrieval.fusions import FUSIONS, Fusion
from isoglot.retrieval.fusions.quota import Quota
from isoglot.retrieval.fusions.standardised import Standardised

FAIRNESS = ("raw", "standardised", "round-robin", "quota")
"""Fusions that need no judgments of the user's."""


def fusion_of(fairness: str, strength: float | None, sizes: Mapping[str, int]) -> Fusion:
    """The fusion that a search was asked for.

    Args:
        strength: of `standardised`, 0 (as raw) to 1 (the default).
        sizes: chunks by language, which are the quotas.

    Raises:
        InputError: no such fairness or strength.
    """
    if fairness not in FAIRNESS:
        raise unknown("fairness", fairness, FAIRNESS)
    if strength is not None and (fairness != "standardised" or not 0 <= strength <= 1):
        raise InputError("strength: a number from 0 to 1, and only with the fairness standardised")
    if strength is not None:
        return Standardised(strength=strength)
    if fairness == "quota":
        return Quota(shares={lang: float(size) for lang, size in sizes.items()})
    fusion: Any = FUSIONS[fairness]
    made: Fusion = fusion()
    return made


def told(queries: Sequence[str]) -> list[str | None]:
    """The language of each query where its text tells it surely; None elsewhere, and where nothing tells languages."""
    try:
        guesses = identify(query.replace("\n", " ") for query in queries)
    except InputError:  # what tells languages is not installed: nothing depends on it
        return [None] * len(queries)
    return [lang if probability >= SURE and lang != UNKNOWN else None for lang, probability in guesses]


def levels_of(
    directory: Path, entry: ModelEntry, languages: Sequence[str], read: Callable[[IntArray], npt.NDArray[np.float16]]
) -> Levels:
    """What unrelated texts score, from a sample of every language.

    Args:
        directory: of the collection.
        languages: of its chunks, by key.
        read: vectors of chunks by their places among the keys.
    """
    there, sample = np.array(languages), {}
    for lang in dict.fromkeys(languages):
        rows = np.flatnonzero(there == lang)
        rows = rows[np.linspace(0, len(rows) - 1, min(PASSAGES, len(rows))).astype(np.int64)]
        sample[lang] = read(rows).astype(np.float32)
    return Levels(directory, entry, sample)
