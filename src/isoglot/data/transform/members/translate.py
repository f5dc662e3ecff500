"""Pairs in more languages, by a translation model or any program that translates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar

import numpy as np
from pydantic import Field, SerializeAsAny, field_validator, model_validator
from pydantic.fields import FieldInfo

from isoglot.data.langid import identify
from isoglot.data.languages import language
from isoglot.data.pairs.loading import check_present
from isoglot.data.pairs.table import PairTable, read_rows
from isoglot.data.transform.registry import TRANSFORMS, Transform
from isoglot.data.transform.translation.filters import FILTERS, RATIO, Filter, lengths
from isoglot.data.transform.translation.library import Library
from isoglot.data.transform.translation.round_trip import round_trip_filter
from isoglot.data.transform.translation.rows import SIDES, Dropped, LanguageReport, translated_rows
from isoglot.data.transform.translators import TRANSLATORS, Direction, Translator, split_backend
from isoglot.errors import at, unknown
from isoglot.records import PairRow
from isoglot.settings import make_member, member_options

NONE = "none"
_INNER = "spec"  # is written in the backend's own word


@TRANSFORMS.register
class Translate(Transform):
    """The pairs in further languages, translated by a model or a program; rows that are there already stay.

    Settings of the backend may stand beside it: `backend="command:apertium eng-{to}", codes=["es=spa"]`.
    """

    name: ClassVar[str] = "translate"
    inner: ClassVar[tuple[str, ...]] = ("backend",)

    backend: SerializeAsAny[Translator] = Field(description="what translates")
    from_language: str = Field("en", description="language of the rows that are translated")
    to: tuple[str, ...] = Field(min_length=1, description="languages to translate into")
    negatives: bool = Field(
        False, description="translate the rows' negatives, too; otherwise translated rows have none"
    )
    filters: tuple[str, ...] = Field(
        tuple(FILTERS), description=f"what drops translated rows, or {NONE}; rows with an empty text are always dropped"
    )
    max_ratio: float = Field(
        RATIO,
        gt=1,
        le=1000,
        description="filter length: a translation is at most so many times as long or as short as is usual of its language here",
    )
    round_trip: float = Field(
        0.0,
        ge=0,
        le=100,
        description="translate back, and drop rows whose texts come back with less than this chrF (0 to 100; 0: do not)",
    )

    @model_validator(mode="before")
    @classmethod
    def _with_backend(cls, values: Any) -> Any:
        """The backend as a member, with those of its settings that stand beside it."""
        if not isinstance(values, Mapping) or not isinstance(values.get("backend"), (str, Mapping)):
            return values
        rest = {key: value for key, value in values.items() if key not in _beside()}
        given = values["backend"]
        settings = split_backend(given) if isinstance(given, str) else dict(given)
        settings |= {key: value for key, value in values.items() if key in _beside()}
        return {**rest, "backend": make_member(TRANSLATORS, settings.pop("name", None), settings)}

    @field_validator("from_language")
    @classmethod
    def _code(cls, code: str) -> str:
        return language(code)

    @field_validator("to")
    @classmethod
    def _codes(cls, codes: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(map(language, codes)))

    @field_validator("filters")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if names == (NONE,):
            return ()
        if wrong := next((name for name in names if name not in FILTERS), None):
            raise unknown("filter", wrong, [*FILTERS, NONE])
        return tuple(name for name in FILTERS if name in names)

    def check(self) -> None:
        if self.from_language in self.to:
            raise ValueError(f"{self.from_language} is to be translated from, not into")

    @classmethod
    def options(cls) -> dict[str, FieldInfo]:
        return {**super().options(), **{key: member_options(TRANSLATORS)[key] for key in _beside()}}

    @property
    def directions(self) -> list[Direction]:
        """From which language into which, with the way back where that is gone."""
        there = [(self.from_language, target) for target in self.to]
        return [*there, *((target, source) for source, target in there if self.round_trip)]

    def apply(self, table: PairTable) -> PairTable:
        return translate(table, self).table


def _beside() -> list[str]:
    """The settings of translators that may stand beside `backend`."""
    return [key for key in member_options(TRANSLATORS) if key != _INNER]


@dataclass(frozen=True)
class Translated:
    """What came of it.

    Attributes:
        table: all rows that there were, and behind them the new ones.
        reports: by target language.
        dropped: the rows that were translated and not kept.
        taken: lines that were translated before, and all lines, by direction.
    """

    table: PairTable
    reports: dict[str, LanguageReport]
    dropped: list[Dropped]
    taken: dict[Direction, tuple[int, int]]


def translate(
    table: PairTable, asked: Translate, *, more: Mapping[str, Filter] | None = None, progress: bool = True
) -> Translated:
    """Translate the rows of one language into those of `asked.to` that their pairs do not have.

    Args:
        more: further filters by name, behind those that were asked for.
        progress: a bar on stderr.

    Raises:
        InputError: no rows in the source language; the backend cannot do it, or does nothing.
    """
    check_present("pairs", {asked.from_language}, table.languages)
    asked.backend.check_ready(asked.directions)
    library = Library(asked.backend, progress)
    chosen: dict[str, Filter] = {name: FILTERS[name] for name in asked.filters}
    if "language" in chosen:
        with at("filter language (--filters leaves it out)"):
            identify(())
    if "length" in chosen:
        chosen["length"] = partial(lengths, ratio=asked.max_ratio)
    if asked.round_trip:
        chosen["round trip"] = round_trip_filter(library, asked.from_language, asked.round_trip)
    chosen |= more or {}
    own = table.index.rows[:, table.languages.index(asked.from_language)]
    rows = list(read_rows(table.table))
    pairs = np.flatnonzero(own >= 0)
    left: dict[str, list[PairRow]] = {}
    for target in asked.to:
        there = (
            table.index.rows[:, table.languages.index(target)] if target in table.languages else np.full(len(own), -1)
        )
        left[target] = [_stripped(rows[own[pair]], asked) for pair in pairs.tolist() if there[pair] < 0]
    library.translate({(asked.from_language, target): _texts(some) for target, some in left.items()})
    reports, dropped = {}, []
    for target, some in left.items():
        direction = (asked.from_language, target)
        reports[target] = report = LanguageReport(len(pairs), len(pairs) - len(some))
        translation = partial(library.translation, direction=direction)
        new, bad = translated_rows(some, target, translation, chosen, report)
        rows += new
        dropped += bad
    return Translated(PairTable.from_rows(rows), reports, dropped, library.taken)


def _stripped(row: PairRow, asked: Translate) -> PairRow:
    """A row as it is translated: without negatives, unless they are asked for."""
    return row if asked.negatives or not row.negatives else replace(row, negatives=())


def _texts(rows: list[PairRow]) -> Iterator[str]:
    for row in rows:
        yield from (getattr(row, side) for side in SIDES)
        yield from row.negatives


def dropped_by(reports: Mapping[str, LanguageReport]) -> list[str]:
    """The reasons for which any row was dropped, the most frequent first."""
    total: Counter[str] = Counter()
    for report in reports.values():
        total.update(report.dropped)
    return [name for name, count in total.most_common() if count]
