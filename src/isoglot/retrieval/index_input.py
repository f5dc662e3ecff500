"""What every index refuses, with the same words: ids, vectors, metadata and filters that cannot be meant."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from isoglot.errors import InputError
from isoglot.records import Float32Array
from isoglot.retrieval.search import LANGUAGE, Filters, Metadata, Value


@dataclass(frozen=True)
class Addition:
    """Documents that may be added.

    Attributes:
        ids: n, different from each other and from those that are there.
        vectors: contiguous float32, shape (n, d), finite. May be the caller's own array.
        metadata: n mappings of scalars; a value of None counts as a key that is not there and is left out.
    """

    ids: list[str]
    vectors: Float32Array
    metadata: list[dict[str, Value]]


@dataclass(frozen=True)
class Condition:
    """One filter: a document's value under `key` must equal one of `allowed`, as Python's `in` has it (1 is 1.0 is true)."""

    key: str
    allowed: tuple[Value, ...]


def check_addition(
    ids: Sequence[str],
    vectors: Any,
    metadata: Sequence[Metadata] | None,
    width: int | None,
    held: Callable[[Sequence[str]], Container[str]],
) -> Addition:
    """Documents to add, checked as a whole before anything changes.

    Args:
        ids, vectors, metadata: as `SearchIndex.add` takes them.
        width: d of the documents that are there; None where there are none.
        held: which ids are in the index already, of those given (or of all).

    Raises:
        InputError: an id that is no text, occurs twice or is held; vectors that do not fit; metadata that is not scalar.
    """
    rows = check_vectors(vectors, width)
    about: Sequence[Metadata] = [{}] * len(ids) if metadata is None else metadata
    if not len(ids) == len(rows) == len(about):
        raise InputError(f"{len(ids)} ids, {len(rows)} vectors, {len(about)} metadata; expected as many of each")
    for key in ids:
        if not isinstance(key, str) or not _is_text(key):
            raise InputError(f"id {key!r} is no text (UTF-8)")
    seen: set[str] = set()
    there = held(ids)
    for key in ids:
        if key in there or key in seen:
            raise InputError(f"id '{key}' {'occurs twice' if key in seen else 'is in the index; delete it first'}")
        seen.add(key)
    return Addition(list(ids), rows, [_scalars(key, values) for key, values in zip(ids, about)])


def check_vectors(vectors: Any, width: int | None) -> Float32Array:
    """The vectors as contiguous float32 of shape (n, d); InputError where they are of another width or not finite."""
    try:
        with np.errstate(over="ignore"):  # becomes infinity, which is refused below
            array: Float32Array = np.ascontiguousarray(vectors, dtype=np.float32)
    except (TypeError, ValueError):
        raise InputError("the vectors are no array of numbers") from None
    if array.ndim != 2 or (width is not None and array.shape[1] != width) or not array.shape[1]:
        raise InputError(f"vectors of shape {array.shape}; expected (n, {'d' if width is None else width})")
    if not np.isfinite(array).all():
        raise InputError("a vector has NaN or infinity in it")
    return array


def check_k(k: int) -> None:
    """InputError where k is below 1."""
    if k < 1:
        raise InputError(f"k must be at least 1, got {k}")


def conditions(languages: Sequence[str] | None, where: Filters | None) -> list[Condition]:
    """What documents must fulfil, all of it; InputError for values that no metadata can hold."""
    asked: list[tuple[str, Any]] = list((where or {}).items())
    if languages is not None:
        asked.append((LANGUAGE, [languages] if isinstance(languages, str) else list(languages)))
    made = []
    for key, value in asked:
        is_several = isinstance(value, Collection) and not isinstance(value, (str, bytes, Mapping))
        allowed = tuple(value) if is_several else (value,)
        for one in allowed:
            if not isinstance(one, (str, int, float)):
                raise InputError(f"filter '{key}': expected texts, numbers, true or false, got {one!r}")
        made.append(Condition(key, allowed))
    return made


def _scalars(document: str, values: Metadata) -> dict[str, Value]:
    kept = {key: value for key, value in values.items() if value is not None}
    for key, value in kept.items():
        if not (isinstance(key, str) and _is_text(key) and is_scalar(value)):
            raise InputError(
                f"metadata of '{document}': '{key}' is {value!r}; expected a text, true, false or a finite 64-bit number"
            )
    return kept


def is_scalar(value: object) -> bool:
    """Whether a document can be filtered by a value: a text, true, false, a finite number of at most 64 bits."""
    if isinstance(value, int):
        return abs(value) < 1 << 63
    return _is_text(value) if isinstance(value, str) else isinstance(value, float) and math.isfinite(value)


def _is_text(text: str) -> bool:
    """Whether UTF-8 has it: halves of surrogate pairs it has not, and files and servers refuse them late."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
