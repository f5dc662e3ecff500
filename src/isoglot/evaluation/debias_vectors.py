"""Correct vectors that are there already (a hosted API's, an index's), without encoding anything.

A file is `.npy`, shape (n, d), or Parquet with a column `embedding` or `vector`; all others stay. What a vector is of comes from
the columns `kind` (query or passage) and `lang`, else from what was given for all files, else from the file's place:
`queries/<lang>.npy`, `corpus/<lang>.parquet`, the layout of `isoglot.evaluation.external`. A directory that `isoglot encode`
wrote says both itself, and becomes another one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from isoglot.data.audit.trained import id_hash
from isoglot.data.languages import known_language, language
from isoglot.data.readers import read_parquet, string_column
from isoglot.errors import InputError, LineError, at, say
from isoglot.evaluation.debias import DebiasSettings, fit_samples
from isoglot.evaluation.debias_strength import map_each
from isoglot.evaluation.external import column_matrix, id_column, npy_matrix, unit_rows
from isoglot.files import atomic_directory, digest_file, digest_strings
from isoglot.models.debias import Sample
from isoglot.models.language_maps import MAPS_FILE, SIDES, LanguageMaps, Side, read_record
from isoglot.records import Float32Array
from isoglot.retrieval.encoded import EncodedTexts, is_encoded
from isoglot.settings import to_dict

_FOLDERS: dict[str, Side] = {"queries": "query", "corpus": "passage"}
_COLUMNS = ("embedding", "vector")
_ENDINGS = (".npy", ".parquet")


@dataclass(frozen=True)
class Given:
    """What all vectors are of, where it is known.

    Attributes:
        side: query or passage.
        lang: a language.
    """

    side: Side | None = None
    lang: str | None = None


def debias_vectors(
    paths: Sequence[Path],
    output: Path,
    *,
    by: str | Path | None = None,
    fit: Sequence[str | Path] | None = None,
    asked: DebiasSettings | None = None,
    side: Side | None = None,
    lang: str | None = None,
    languages: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Write corrected vectors under the same names, and the maps, by which later vectors are corrected likewise.

    Args:
        paths: files, or folders of them.
        output: a folder.
        by: a folder that `isoglot debias` wrote; else
        fit: folders of vectors to fit on, `queries/<lang>` and `corpus/<lang>` each; rows of one number (.npy) or one id
            (Parquet) are of translations.
        asked: how it is fitted.
        side, lang: of all vectors, where files do not say it.
        languages: fit on these only.

    Returns:
        how the maps were fitted, and "corrected": {"files", "vectors"}.

    Raises:
        InputError: files that are no vectors, of another width, of which the side is needed and not known; one output for two.
    """
    given = Given(side, None if lang is None else language(lang))
    if encoded := [path for path in paths if is_encoded(path)]:
        return _correct_encoded(encoded[0], paths, output, by)
    if by is not None:
        maps, record = LanguageMaps.load(Path(by)), read_record(by) or {}
    else:
        folders = [Path(name) for name in fit or ()]
        maps, record = _fit(folders, asked or DebiasSettings(), languages)
        fitted = {file.resolve() for file in dict(_files(folders)).values()}
        if fitted & {file.resolve() for file in dict(_files(paths)).values()}:
            record["transductive"] = [str(path) for path in paths]
            say(
                "fitted on the vectors that are corrected: figures on them are transductive, and no test of the correction"
            )
    unit, files = bool(record.get("unit", True)), dict(_files(paths))
    count = 0
    with atomic_directory(output) as folder:
        for name, path in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            count += _correct(path, folder / name, maps, given, unit)
        maps.save(folder, record)
    return {**record, "corrected": {"files": len(files), "vectors": count}}


def _correct_encoded(directory: Path, paths: Sequence[Path], output: Path, by: str | Path | None) -> dict[str, Any]:
    """Correct what `isoglot encode` wrote, shard by shard."""
    if by is None or len(paths) > 1:
        raise InputError(f"{directory}: of isoglot encode: give it alone, with a MODEL that isoglot debias wrote")
    maps, record, texts = LanguageMaps.load(Path(by)), read_record(by) or {}, EncodedTexts.open(directory)
    unit, side = bool(record.get("unit", True)), _side(maps, texts.meta["kind"])
    untold: set[str] = set()

    def correct(vectors: Float32Array, languages: list[str]) -> Float32Array:
        vectors = unit_rows(vectors, range(1, len(vectors) + 1), directory) if unit else vectors
        untold.update(set(languages) - set(maps.languages))
        return map_each(maps, vectors, side, [lang or None for lang in languages], unit=unit)

    with atomic_directory(output) as folder, at(str(directory)):
        maps.save(folder, record)
        texts.corrected(folder, correct, {"debiased": digest_file(folder / MAPS_FILE)})
    for lang in sorted(untold):
        _told(maps, lang or None, directory)
    return {**record, "corrected": {"files": len(texts.meta["shards"]), "vectors": len(texts)}}


def _files(paths: Sequence[Path]) -> Iterator[tuple[Path, Path]]:
    """(name under the output, file) of every file of vectors."""
    seen: dict[Path, Path] = {}
    for path in paths:
        inside = sorted(file for ending in _ENDINGS for file in path.rglob(f"*{ending}")) if path.is_dir() else [path]
        if not inside:
            raise InputError(f"{path}: no file of vectors there ({' or '.join(_ENDINGS)})")
        for file in inside:
            if file.suffix not in _ENDINGS:
                raise InputError(f"{file}: unknown format (vectors come from {', '.join(_ENDINGS)})")
            parents = [file.parent.name] if file.parent.name in _FOLDERS else []
            name = file.relative_to(path) if path.is_dir() else Path(*parents, file.name)
            if (first := seen.setdefault(name, file)) != file:
                raise InputError(
                    f"{file}: would take the place of {first}, which has the same name; give one at a time"
                )
            yield name, file


def _correct(path: Path, output: Path, maps: LanguageMaps, given: Given, unit: bool) -> int:
    """Write the corrected vectors of one file; returns how many there are."""
    table = None if path.suffix == ".npy" else read_parquet(path).combine_chunks()
    vectors, kinds, langs = _read(path, table, given, unit)
    corrected = np.empty_like(vectors)
    for kind, lang in dict.fromkeys(zip(kinds, langs)):
        rows = np.array([one == (kind, lang) for one in zip(kinds, langs)])
        with at(str(path)):
            corrected[rows] = maps.apply(vectors[rows], _side(maps, kind), _told(maps, lang, path), unit=unit)
    if table is None:
        np.save(output, corrected, allow_pickle=False)
    else:
        column = _column(path, table)
        lists = pa.FixedSizeListArray.from_arrays(pa.array(corrected.reshape(-1)), corrected.shape[1])
        pq.write_table(table.set_column(table.column_names.index(column), column, lists), output)
    return len(vectors)


def _read(
    path: Path, table: pa.Table | None, given: Given, unit: bool
) -> tuple[Float32Array, list[Side | None], list[str | None]]:
    """Vectors, float32, shape (n, d), and the side and language of each."""
    vectors = (
        npy_matrix(path)
        if table is None
        else column_matrix(table.column(_column(path, table)), path, _column(path, table))
    )
    if unit:
        vectors = unit_rows(vectors, range(1, len(vectors) + 1), path)
    elif not np.isfinite(vectors).all():
        raise InputError(f"{path}: a vector has NaN or infinity in it")
    kind = given.side or _FOLDERS.get(path.parent.name)
    lang = given.lang or known_language(path.stem) or None
    kinds: list[Side | None] = [kind] * len(vectors)
    langs: list[str | None] = [lang] * len(vectors)
    if table is not None and "kind" in table.column_names:
        kinds = [_kind(path, row, value) for row, value in enumerate(string_column(path, table, "kind").to_pylist(), 1)]
    if table is not None and "lang" in table.column_names:
        langs = [_lang(path, row, value) for row, value in enumerate(string_column(path, table, "lang").to_pylist(), 1)]
    return vectors, kinds, langs


def _column(path: Path, table: pa.Table) -> str:
    """The column of vectors."""
    names = [name for name in _COLUMNS if name in table.column_names]
    if len(names) != 1:
        there = ", ".join(table.column_names)
        raise InputError(f"{path}: expected one of the columns {' and '.join(_COLUMNS)}; it has {there}")
    return names[0]


def _kind(path: Path, row: int, value: Any) -> Side:
    if value not in SIDES:
        raise LineError(path, row, f"kind {value!r}; expected {' or '.join(SIDES)}")
    side: Side = value
    return side


def _lang(path: Path, row: int, value: Any) -> str:
    if not isinstance(value, str):
        raise LineError(path, row, f"lang {value!r}; expected a language code")
    try:
        return language(value)
    except InputError as error:
        raise LineError(path, row, str(error)) from None


def _side(maps: LanguageMaps, side: Side | None) -> Side:
    """The side, which may be unknown where both have one correction."""
    if side is not None:
        return side
    if maps.is_together:
        return "passage"
    raise InputError(
        "queries and passages are corrected apart: give --side, a column kind, or put the file into queries/ or corpus/"
    )


def _told(maps: LanguageMaps, lang: str | None, path: Path) -> str | None:
    """The language; says so where it has to be told from the vectors."""
    if maps.languages and lang not in maps.languages:
        why = "no language is given" if lang is None else f"nothing was fitted on {lang}"
        say(f"{path}: {why}: that of each vector is told from itself (--lang, or a column lang, says it)")
    return lang


def _fit(
    folders: Sequence[Path], asked: DebiasSettings, languages: Sequence[str] | None
) -> tuple[LanguageMaps, dict[str, Any]]:
    """Maps fitted on folders of vectors."""
    if asked.strength == "auto":
        raise InputError("strength auto measures pairs of texts: for vectors give a number")
    wanted = None if languages is None else {language(code) for code in languages}
    samples: dict[Side, dict[str, Sample]] = {}
    digests = []
    first, width = None, 0
    for folder in folders:
        for path in dict(_files([folder])).values():
            table = None if path.suffix == ".npy" else read_parquet(path).combine_chunks()
            vectors, kinds, langs = _read(path, table, Given(), unit=True)
            digests.append(digest_file(path))
            ids: Sequence[Any] = range(len(vectors))
            if table is not None and "id" in table.column_names:
                ids = id_column(path, table, or_numbers=True).to_pylist()
            numbers = np.array([_number(key) for key in ids], dtype=np.int64)
            for kind, lang in dict.fromkeys(zip(kinds, langs)):
                if kind is None or lang is None:
                    raise InputError(
                        f"{path}: to fit on vectors, put them into queries/<lang>.npy and corpus/<lang>.npy"
                    )
                if wanted is not None and lang not in wanted:
                    continue
                rows = np.array([one == (kind, lang) for one in zip(kinds, langs)])
                if lang in samples.setdefault(kind, {}):
                    raise InputError(f"{path}: there are vectors of {kind} texts in {lang} already")
                first, width = first or path, width or vectors.shape[1]
                if vectors.shape[1] != width:
                    raise InputError(
                        f"{path}: vectors of {vectors.shape[1]} numbers, and those of {first} have {width}"
                    )
                samples[kind][lang] = Sample(vectors[rows], numbers[rows])
    if not samples:
        raise InputError("nothing to fit on: give --fit a folder with queries/<lang>.npy and corpus/<lang>.npy")
    rest = {kind: {lang: _first(own[lang], asked) for lang in sorted(own)} for kind, own in samples.items()}
    maps, told = fit_samples(rest, asked)
    return maps, {
        "fit": [str(folder) for folder in folders],
        "transductive": [],
        "method": to_dict(asked.method),
        "sides": asked.sides or asked.method.sides,
        "languages": sorted({lang for own in rest.values() for lang in own}),
        "texts": sum(len(sample.pairs) for own in rest.values() for sample in own.values()),
        "digest": digest_strings(digests),
        **({"told": told} if told else {}),
        "unit": True,
        "strength": maps.strength,
    }


def _number(key: object) -> int:
    """A number of an id; a row number stays."""
    return key if isinstance(key, int) and key < 1 << 63 else id_hash(str(key)) >> 2


def _first(sample: Sample, asked: DebiasSettings) -> Sample:
    """At most as many vectors as are asked for, those of the same pairs in every language."""
    order = np.random.default_rng(asked.seed).permutation(1 << 20)
    chosen = np.sort(np.argsort(order[sample.pairs % len(order)], kind="stable")[: asked.texts])
    return Sample(sample.vectors[chosen], sample.pairs[chosen])
