"""Pairs with words of their texts replaced by translations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field, field_validator
from xxhash import xxh3_64_intdigest

from isoglot.bars import tqdm
from isoglot.data.languages import language
from isoglot.data.lexicons.loading import PIVOT
from isoglot.data.lexicons.switch import MIXED, Coverage, Switcher, SwitchSettings
from isoglot.data.pairs.loading import check_present
from isoglot.data.pairs.table import PairTable, read_rows
from isoglot.data.transform.registry import TRANSFORMS, Transform
from isoglot.records import PairRow

_STREAMS = {"queries": 51, "passages": 52}


@dataclass
class SwitchReport:
    """What came of pairs that were switched.

    Attributes:
        rows_read: rows of the pairs, which are all kept.
        rows_added: by their language.
        rows_there: by language, pairs that had a row in it, which stays.
        pairs_without_source: pairs without a row in the language that is switched from.
        unchanged: by language, added rows with the very texts of their source: nothing in them was known, or drawn.
        ways: by language, how words get there.
        coverage: of words.
        lexicons: see `isoglot.data.lexicons.loading.Lexicon.about`.
    """

    rows_read: int
    rows_added: Counter[str] = field(default_factory=Counter)
    rows_there: Counter[str] = field(default_factory=Counter)
    pairs_without_source: int = 0
    unchanged: Counter[str] = field(default_factory=Counter)
    ways: dict[str, str] = field(default_factory=dict)
    coverage: Coverage = field(default_factory=Coverage)
    lexicons: list[dict[str, Any]] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """JSON values of the report."""
        coverage = self.coverage.to_dict()
        words = {lang: {"way": way, **coverage.get(lang, {})} for lang, way in self.ways.items()}
        counts = {name: dict(getattr(self, name)) for name in ("rows_added", "rows_there", "unchanged")}
        rows = {"rows_read": self.rows_read, "rows_written": self.rows_read + sum(self.rows_added.values())}
        return {**rows, **counts, "pairs_without_source": self.pairs_without_source, "words": words} | {
            "lexicons": self.lexicons
        }


@TRANSFORMS.register
class CodeSwitch(SwitchSettings, Transform):
    """The pairs, and behind them rows in further languages with words of one language's rows replaced by translations.

    A pair that lacks a row in a target language gets one under that language's code, with id, source, passage id and document of
    the row that it was made of, and its negatives switched like its passage; with `switch_mode: multilingual` it gets one row in
    `mul`. The same text is always switched in the same way, so that pairs that shared a passage still do.

    Attributes:
        switch_from: language of the rows that are switched.
        switch_seed: of what is drawn.
    """

    name: ClassVar[str] = "code-switch"
    switch_from: str = Field(PIVOT, description="language of the rows that are switched")
    switch_seed: int = Field(0, ge=0, lt=2**32, description="of what is drawn")

    @field_validator("switch_from")
    @classmethod
    def _code(cls, code: str) -> str:
        return language(code)

    def apply(self, table: PairTable) -> PairTable:
        return self.switch(table)[0]

    def switch(self, table: PairTable, *, progress: bool = False) -> tuple[PairTable, SwitchReport]:
        """(The pairs after it, what came of them).

        Args:
            progress: a bar on stderr.

        Raises:
            InputError: no rows to switch, nothing to switch them into, a lexicon that cannot be read or that is missing.
        """
        check_present("pairs", [self.switch_from], table.languages)
        switchers = self._switchers()
        report = SwitchReport(len(table))
        report.lexicons = [lexicon.about() for lexicon in self.lexicons.lexicons]
        targets = {lang for switched in switchers.values() for lang in switched[1]}
        report.ways = {lang: self.lexicons.way(self.switch_from, lang) for lang in sorted(targets)}
        rows = list(read_rows(table.table))
        column = table.index.rows[:, table.languages.index(self.switch_from)]
        report.pairs_without_source = int((column < 0).sum())
        bar: dict[str, Any] = {"desc": "switch", "unit": "pair", "delay": 1.0, "dynamic_ncols": True}
        added = [
            row
            for pair in tqdm(np.flatnonzero(column >= 0).tolist(), disable=not progress, **bar)
            for row in self._added(rows[column[pair]], switchers, report, self._there(table, pair))
        ]
        return PairTable.from_rows([*rows, *added]), report

    def _switchers(self) -> dict[str, tuple[Switcher, Sequence[str]]]:
        """For each language that rows are added in, what makes its texts, and of which languages their words are."""
        into = self.others(self.switch_from)
        if self.switch_mode == "multilingual":
            return {MIXED: (self.switcher(self.switch_from, into), into)}
        return {lang: (self.switcher(self.switch_from, [lang]), [lang]) for lang in into}

    @staticmethod
    def _there(table: PairTable, pair: int) -> set[str]:
        return {lang for lang, row in zip(table.languages, table.index.rows[pair].tolist()) if row >= 0}

    def _added(
        self, row: PairRow, switchers: dict[str, tuple[Switcher, Sequence[str]]], report: SwitchReport, there: set[str]
    ) -> Iterator[PairRow]:
        for lang, (switcher, _) in switchers.items():
            if lang in there:
                report.rows_there[lang] += 1
                continue

            def switched(
                side: Literal["queries", "passages"], text: str, lang: str = lang, switcher: Switcher = switcher
            ) -> str:
                if not self.switches(side):
                    return text
                # by the text, not by the row: pairs with one passage must have one afterwards
                key = xxh3_64_intdigest(f"{lang} {text}".encode("utf-8", "surrogatepass"))
                sequence = np.random.SeedSequence((self.switch_seed, _STREAMS[side], key))
                return switcher.switch(text, np.random.Generator(np.random.PCG64(sequence)), report.coverage)

            made = replace(
                row,
                lang=lang,
                query=switched("queries", row.query),
                passage=switched("passages", row.passage),
                negatives=tuple(switched("passages", text) for text in row.negatives),
                document_passages=tuple(switched("passages", text) for text in row.document_passages),
            )
            report.rows_added[lang] += 1
            report.unchanged[lang] += (made.query, made.passage) == (row.query, row.passage)
            yield made
