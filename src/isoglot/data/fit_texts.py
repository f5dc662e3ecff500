"""Texts by side and language, whatever they are from: parallel pairs, a corpus of texts with their languages, a benchmark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from isoglot.data.benchmarks.catalog import BENCHMARKS
from isoglot.data.benchmarks.load import load_benchmark
from isoglot.data.languages import language, language_at
from isoglot.data.pairs.loading import load_pairs
from isoglot.data.pairs.source import SOURCES
from isoglot.data.pairs.table import PairTable
from isoglot.data.readers import READERS, split_name, text_field, valid
from isoglot.errors import InputError, LineError
from isoglot.files import digest_strings
from isoglot.records import IntArray, Kind

Side = Kind
_STREAM = 67  # of chance, beside those of splits
_EXAMPLE = 'expected an object such as {"lang": "de", "text": "..."}'


class Numbered(NamedTuple):
    """n texts; those of one number are translations of each other, int64, shape (n,)."""

    texts: list[str]
    pairs: IntArray


@dataclass(frozen=True)
class FitTexts:
    """Side -> language -> texts."""

    sides: Mapping[Side, Mapping[str, Numbered]]

    @property
    def languages(self) -> tuple[str, ...]:
        """Of all sides, sorted."""
        return tuple(sorted({lang for own in self.sides.values() for lang in own}))

    def __len__(self) -> int:
        return sum(len(numbered.texts) for own in self.sides.values() for numbered in own.values())

    def of_side(self, side: Side) -> list[str]:
        """All texts of a side, language by language."""
        return [text for numbered in self.sides.get(side, {}).values() for text in numbered.texts]

    @property
    def digest(self) -> str:
        """SHA-256 over all sides, languages and texts, in order."""
        return digest_strings(
            string
            for side, own in self.sides.items()
            for lang, numbered in own.items()
            for string in (side, lang, *numbered.texts)
        )


@dataclass(frozen=True)
class Sources:
    """What `--fit` names, read.

    Attributes:
        pairs: of all sources of pairs together; None where there are none.
        texts: of corpora and benchmarks.
        benchmarks: names of those that are among them, and of what else is measured later.
    """

    pairs: PairTable | None
    texts: FitTexts
    benchmarks: tuple[str, ...]


def read_sources(
    names: Sequence[str],
    languages: Sequence[str] | None = None,
    data_dir: Path | None = None,
    measured: Mapping[str, FitTexts] | None = None,
) -> Sources:
    """Read what a correction is fitted on.

    Args:
        names: each a source of pairs (`isoglot list sources`); a file (.jsonl, .csv, ...) with the columns lang and text;
            or a benchmark (`isoglot data list`) or its folder.
        languages: keep these only.
        data_dir: where files of named data sets are looked for first.
        measured: texts that were read elsewhere, by name, such as those of an index, which is measured later as a benchmark is.

    Raises:
        InputError: there is no such thing, or it is damaged; a language that does not occur.
    """
    wanted = None if languages is None else {language(code) for code in languages}
    corpora = [name for name in names if _is_corpus(name)]
    pairs = [name for name in names if name not in corpora and any(source.takes(name) for source in SOURCES)]
    benchmarks = [name for name in names if name not in corpora and name not in pairs]
    read: list[FitTexts] = [_of_benchmark(name, data_dir) for name in benchmarks]
    read += [*(_of_corpus(Path(name)) for name in corpora), *(measured or {}).values()]
    table = load_pairs(pairs, languages=languages if not read else None, data_dir=data_dir) if pairs else None
    present = {lang for texts in read for lang in texts.languages} | set(table.languages if table else ())
    if absent := sorted((wanted or set()) - present):
        there, every = ", ".join(sorted(present)), ", ".join([*names, *(measured or {})])
        raise InputError(f"{every}: no texts in {', '.join(absent)} (languages there: {there})")
    if table and wanted and read:
        columns = [column for column, lang in enumerate(table.languages) if lang in wanted]
        rows = table.index.rows[:, columns]
        table = table.select(np.sort(rows[rows >= 0]))
    own = [name.partition(":")[2] for name in pairs]
    return Sources(
        table, _together(read, wanted), (*benchmarks, *(name for name in own if name in BENCHMARKS), *(measured or ()))
    )


def texts_of(table: PairTable, most: int, seed: int = 0) -> FitTexts:
    """Queries and passages of a table, at most so many per language and side: those of pairs drawn by chance.

    Languages that have the same pairs have those of the same pairs drawn.
    """
    order = np.random.default_rng(np.random.SeedSequence((seed, _STREAM))).permutation(table.index.n_pairs)
    sides: dict[Side, dict[str, Numbered]] = {"query": {}, "passage": {}}
    for column, lang in enumerate(table.languages):
        pairs = np.sort(order[table.index.rows[order, column] >= 0][:most])
        for side in sides:
            sides[side][lang] = Numbered(table.column(side, table.index.rows[pairs, column]), pairs)
    return FitTexts(sides)


def first_texts(texts: FitTexts, most: int, seed: int = 0) -> FitTexts:
    """At most so many texts per language and side, drawn by chance as `texts_of` does."""
    every = [numbered.pairs.max(initial=-1) for own in texts.sides.values() for numbered in own.values()]
    rank = np.random.default_rng(np.random.SeedSequence((seed, _STREAM))).permutation(int(max(every, default=-1)) + 1)

    def first(numbered: Numbered) -> Numbered:
        chosen = np.sort(np.argsort(rank[numbered.pairs], kind="stable")[:most])
        return Numbered([numbered.texts[row] for row in chosen.tolist()], numbered.pairs[chosen])

    return FitTexts(
        {side: {lang: first(numbered) for lang, numbered in own.items()} for side, own in texts.sides.items()}
    )


def joined(texts: Sequence[FitTexts]) -> FitTexts:
    """All of them, side by side; a text of one is no translation of another's."""
    sides: dict[Side, dict[str, Numbered]] = {}
    start = 0
    for part in texts:
        end = start
        for side, own in part.sides.items():
            for lang, numbered in own.items():
                before = sides.setdefault(side, {}).get(lang, Numbered([], np.zeros(0, dtype=np.int64)))
                pairs = numbered.pairs + start
                end = max(end, int(pairs.max(initial=start - 1)) + 1)
                sides[side][lang] = Numbered(before.texts + numbered.texts, np.concatenate([before.pairs, pairs]))
        start = end
    return FitTexts({side: dict(sorted(own.items())) for side, own in sides.items()})


def _together(read: Sequence[FitTexts], wanted: set[str] | None) -> FitTexts:
    kept: list[FitTexts] = []
    for texts in read:
        sides = texts.sides.items()
        kept.append(
            FitTexts({side: {key: own[key] for key in own if wanted is None or key in wanted} for side, own in sides})
        )
    return joined(kept)


def _is_corpus(name: str) -> bool:
    """Whether a name is a file with a column `text` and no questions."""
    path = Path(name)
    ending = split_name(path)[1] if path.is_file() else ""
    if not ending:
        return False
    _, row = next(islice(READERS[ending](path, ()), 1), (0, {}))
    return not isinstance(row, LineError) and "text" in row and not {"query", "passage"} & row.keys()


def _of_corpus(path: Path) -> FitTexts:
    """All texts count as passages; those with one id are translations of each other."""
    found: dict[str, dict[int, str]] = {}
    numbers: dict[object, int] = {}
    for line, row in valid(READERS[split_name(path)[1]](path, ("lang", "text"))):
        lang = language_at(text_field(row, "lang", path, line, _EXAMPLE), path, line)
        text = text_field(row, "text", path, line, _EXAMPLE)
        key = row.get("id")
        if key is not None and not isinstance(key, (str, int)):
            raise LineError(path, line, f"field 'id' must be text or a whole number, found {type(key).__name__}")
        number = numbers.setdefault((path, line) if key in (None, "") else str(key), len(numbers))
        if number in found.setdefault(lang, {}):
            raise LineError(path, line, f"duplicate row: id '{key}' in '{lang}' is there already")
        found[lang][number] = text
    if not found:
        raise InputError(f"{path}: no rows")
    numbered = {lang: Numbered(list(own.values()), np.array(list(own), dtype=np.int64)) for lang, own in found.items()}
    return FitTexts({"passage": numbered})


def _of_benchmark(name: str, data_dir: Path | None) -> FitTexts:
    benchmark = load_benchmark(name, data_dir=data_dir)
    sides: dict[Side, dict[str, Numbered]] = {}
    for side, by_language in (("query", benchmark.queries), ("passage", benchmark.corpus)):
        numbers: dict[str, int] = {}
        for lang, texts in by_language.items():
            pairs = np.array([numbers.setdefault(key, len(numbers)) for key in texts.ids], dtype=np.int64)
            sides.setdefault(side, {})[lang] = Numbered(list(texts.texts), pairs)  # type: ignore[arg-type]
    return FitTexts(sides)
