"""Fitted corrections of embeddings by side and language: applied to vectors, kept in files; and what tells a language."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from isoglot.errors import InputError, first_line
from isoglot.files import atomic_path, digest_file, read_json, write_json
from isoglot.models.debias import EVERY, Correction, Sample
from isoglot.records import Float32Array, FloatArray, IntArray, Kind

Side = Kind
SIDES: tuple[Side, ...] = ("query", "passage")
MAPS_FILE = "debias.safetensors"
RECORD_FILE = "debias.json"
"""How the maps of a model's folder were fitted, in plain JSON values."""
_FORMAT = 1
_SHRINKAGE = 0.1


@dataclass(frozen=True)
class Teller:
    """Tells the language of an embedding e: that of the greatest of W e + c, by linear discriminant analysis.

    (Fisher 1936; Hastie, Tibshirani and Friedman 2009, The Elements of Statistical Learning, section 4.3.) With the means m_l of
    the languages, their mean m and the covariance S within languages, shrunk towards a multiple of the identity,
    W_l = S^-1 (m_l - m) and c_l = -1/2 (m_l - m)^T S^-1 (m_l + m).

    Attributes:
        languages: L of them.
        weight: W, float64, shape (L, d).
        bias: c, float64, shape (L,).
        longest: the length of the longest embedding that it was fitted on.
    """

    languages: tuple[str, ...]
    weight: FloatArray
    bias: FloatArray
    longest: float

    @classmethod
    def fit(cls, samples: Mapping[str, Sample]) -> Teller:
        means = np.stack([sample.vectors.mean(axis=0, dtype=np.float64) for sample in samples.values()])
        around = np.concatenate([sample.vectors - mean for sample, mean in zip(samples.values(), means)])
        within: FloatArray = around.T @ around / len(around)
        spread = float(np.trace(within)) / len(within)
        within = (1 - _SHRINKAGE) * within + (_SHRINKAGE * spread + 1e-12) * np.eye(len(within))
        centre = means.mean(axis=0)
        weight = np.linalg.solve(within, (means - centre).T).T
        bias = -0.5 * np.einsum("ld,ld->l", weight, means + centre)
        longest = max(float(np.linalg.norm(sample.vectors, axis=1).max()) for sample in samples.values())
        return cls(tuple(samples), weight, bias, longest)

    def tell(self, vectors: Float32Array) -> IntArray:
        """Numbers of languages, int64, shape (n,), of vectors of shape (n, d)."""
        found: IntArray = (vectors @ self.weight.T + self.bias).argmax(axis=1)
        return found


@dataclass(frozen=True)
class LanguageMaps:
    """Corrections of queries and of passages, with their strength.

    Attributes:
        sides: side -> language, or `EVERY`, -> correction; a side that is not there stays as it is.
        strength: a of `Correction`, from 0 to 1.
        tellers: by side, where languages have corrections of their own.
    """

    sides: Mapping[Side, Mapping[str, Correction]]
    strength: float
    tellers: Mapping[Side, Teller] = field(default_factory=dict)

    @property
    def languages(self) -> tuple[str, ...]:
        """That have a correction of their own; () where all have one."""
        return tuple(lang for lang in next(iter(self.sides.values())) if lang != EVERY)

    @property
    def width(self) -> int:
        """d."""
        return len(next(iter(next(iter(self.sides.values())).values())).offset)

    @property
    def is_together(self) -> bool:
        """Whether queries and passages are corrected alike."""
        first, *others = self.sides.values()
        return len(self.sides) == len(SIDES) and all(
            own.keys() == first.keys() and all(_same(own[lang], first[lang]) for lang in own) for own in others
        )

    def apply(self, vectors: Float32Array, side: Side, lang: str | None, *, unit: bool = True) -> Float32Array:
        """Corrected vectors, float32, shape (n, d).

        Args:
            vectors: shape (n, d).
            lang: of all of them. None, or one that nothing was fitted on: each vector's is told from itself.
            unit: set their lengths to 1 afterwards.

        Raises:
            InputError: vectors of another width.
        """
        if vectors.ndim != 2 or vectors.shape[1] != self.width:
            raise InputError(f"vectors of shape {vectors.shape}; these maps take (n, {self.width})")
        wide: FloatArray = np.array(vectors, dtype=np.float64)
        own = self.sides.get(side, {})
        for known, rows in self._rows(wide, side, lang):
            chosen, correction = wide[rows], own[known]
            removed = chosen @ correction.directions @ correction.directions.T + correction.offset
            wide[rows] = chosen - self.strength * removed
        if unit:
            wide = wide / np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), 1e-12)
        return wide.astype(np.float32)

    def _rows(self, vectors: FloatArray, side: Side, lang: str | None) -> list[tuple[str, Any]]:
        """(key of a correction, the rows that it is for)."""
        own = self.sides.get(side, {})
        if not own:
            return []
        if EVERY in own or lang in own:
            return [(EVERY if EVERY in own else str(lang), slice(None))]
        teller = self.tellers[side]
        told = teller.tell(np.asarray(vectors, dtype=np.float32))
        return [(teller.languages[number], told == number) for number in np.unique(told).tolist()]

    def save(self, folder: Path, record: Mapping[str, Any]) -> None:
        """Write the maps and how they were fitted into a folder."""
        from safetensors.numpy import save

        tensors: dict[str, Float32Array] = {}
        for side, by_language in self.sides.items():
            for lang, correction in by_language.items():
                tensors[f"{side}/{lang}/directions"] = _single(correction.directions)
                tensors[f"{side}/{lang}/offset"] = _single(correction.offset)
        for side, teller in self.tellers.items():
            tensors[f"{side}/teller/weight"], tensors[f"{side}/teller/bias"] = map(
                _single, (teller.weight, teller.bias)
            )
        about: dict[str, Any] = {"format": _FORMAT, "strength": self.strength}
        about["languages"] = {side: list(by_language) for side, by_language in self.sides.items()}
        about["longest"] = {side: teller.longest for side, teller in self.tellers.items()}
        with atomic_path(folder / MAPS_FILE) as path:
            path.write_bytes(save(dict(sorted(tensors.items())), metadata={"isoglot": json.dumps(about)}))
        write_json(folder / RECORD_FILE, {**record, "maps": digest_file(folder / MAPS_FILE)})

    @classmethod
    def load(cls, folder: Path) -> LanguageMaps:
        """What `save` wrote. InputError: there is none, or it is damaged."""
        from safetensors import SafetensorError, safe_open

        path = folder / MAPS_FILE
        if not path.is_file():
            raise InputError(f"{folder}: holds no {MAPS_FILE}; expected a folder that isoglot debias wrote")
        if (record := read_record(folder)) is None or record.get("maps") != digest_file(path):
            raise InputError(f"{path}: not what isoglot debias wrote there, by the digest in {RECORD_FILE}, or damaged")
        try:
            with safe_open(path, "np") as file:
                about: dict[str, Any] = json.loads(file.metadata()["isoglot"])
                if about["format"] != _FORMAT:
                    raise ValueError(f"format {about['format']}")
                sides = {
                    side: {lang: _correction(file, f"{side}/{lang}") for lang in languages}
                    for side, languages in about["languages"].items()
                }
                tellers = {
                    side: Teller(
                        tuple(about["languages"][side]),
                        _double(file, f"{side}/teller/weight"),
                        _double(file, f"{side}/teller/bias"),
                        float(longest),
                    )
                    for side, longest in about["longest"].items()
                }
                maps = cls(sides, float(about["strength"]), tellers)
                _check(maps)
        except (SafetensorError, OSError, KeyError, TypeError, ValueError, StopIteration) as error:
            raise InputError(f"{path}: not what isoglot debias wrote there, or damaged ({first_line(error)})") from None
        return maps


def fit_tellers(samples: Mapping[Side, Mapping[str, Sample]]) -> tuple[dict[Side, Teller], dict[Side, float]]:
    """What tells languages on each side, and the share of texts of pairs it was not fitted on that it tells right.

    For that share every other pair is left out; then it is fitted on all.
    """
    tellers, shares = {}, {}
    for side, own in samples.items():
        half = {lang: _of_pairs(sample, 0) for lang, sample in own.items()}
        rest = {lang: _of_pairs(sample, 1) for lang, sample in own.items()}
        if all(len(sample.pairs) for sample in half.values()):
            teller = Teller.fit(half)
            told = [
                teller.tell(sample.vectors) == number
                for number, sample in enumerate(rest.values())
                if len(sample.pairs)
            ]
            if told:
                shares[side] = round(float(np.concatenate(told).mean()), 4)
        tellers[side] = Teller.fit(own)
    return tellers, shares


def read_record(folder: str | Path) -> dict[str, Any] | None:
    """How the maps of a folder were fitted; None where it has none. InputError: the file is damaged."""
    path = Path(folder) / RECORD_FILE
    if not path.is_file():
        return None
    record = read_json(path)
    if not isinstance(record, dict) or not isinstance(record.get("method"), dict):
        raise InputError(f"{path}: not what isoglot debias wrote there")
    return record


def record_of(model: Any) -> dict[str, Any] | None:
    """How the maps of a loaded model were fitted; None for a model without, or one that `load_model` did not load."""
    base = getattr(model, "loaded_from", None)
    return read_record(base.location) if base and base.layout != "hub" else None


def copy_maps(model: Any, folder: Path) -> None:
    """Write the maps of a loaded model, where it has any, and their record into the folder of a model with the same ones."""
    if (record := record_of(model)) is not None:
        LanguageMaps.load(Path(model.loaded_from.location)).save(folder, record)


def _same(one: Correction, other: Correction) -> bool:
    return np.array_equal(one.directions, other.directions) and np.array_equal(one.offset, other.offset)


def _of_pairs(sample: Sample, remainder: int) -> Sample:
    chosen = sample.pairs % 2 == remainder
    return Sample(sample.vectors[chosen], sample.pairs[chosen])


def _check(maps: LanguageMaps) -> None:
    """ValueError where shapes do not fit together or a number is not finite."""
    width = maps.width
    shapes: Iterable[bool] = (
        correction.offset.shape == (width,) and correction.directions.ndim == 2 and len(correction.directions) == width
        for own in maps.sides.values()
        for correction in own.values()
    )
    arrays = [array for own in maps.sides.values() for one in own.values() for array in (one.directions, one.offset)]
    arrays += [array for teller in maps.tellers.values() for array in (teller.weight, teller.bias)]
    tellers = (teller.weight.shape == (len(teller.languages), width) for teller in maps.tellers.values())
    if not (all(shapes) and all(tellers) and all(np.isfinite(array).all() for array in arrays)):
        raise ValueError("shapes that do not fit, or numbers that are not finite")
    if set(maps.sides) - set(SIDES) or not 0 <= maps.strength <= 1:
        raise ValueError(f"sides {', '.join(maps.sides)}, strength {maps.strength}")


def _correction(file: Any, key: str) -> Correction:
    return Correction(_double(file, f"{key}/directions"), _double(file, f"{key}/offset"))


def _double(file: Any, key: str) -> FloatArray:
    return np.asarray(file.get_tensor(key), dtype=np.float64)


def _single(array: FloatArray) -> Float32Array:
    return np.ascontiguousarray(array, dtype=np.float32)
