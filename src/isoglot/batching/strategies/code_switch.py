from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, Literal

import numpy as np

from isoglot.batching.rewriting import AS_IS, Rewriting
from isoglot.batching.strategies import STRATEGIES, Choice, Random, Strategy
from isoglot.data.lexicons.loading import content_of
from isoglot.data.lexicons.switch import MIXED, Coverage, Switcher, SwitchSettings
from isoglot.data.pairs.table import PairTable
from isoglot.errors import at
from isoglot.records import BoolArray, IntArray
from isoglot.tables import exact

_SAMPLE = 200  # rows of a language by which the coverage of lexicons is said


@STRATEGIES.register
class CodeSwitch(SwitchSettings, Strategy):
    """one language per batch, words of its texts replaced by translations anew at every step (code-switching)

    (Litschko, Artemova and Plank 2023, arXiv 2305.05295, which trained cross-encoders.) Of every pair two languages are drawn,
    one for the query and one for the passage; negatives are switched as passages are.
    """

    name: ClassVar[str] = "code-switch"
    by_language: ClassVar[bool] = True
    data: ClassVar[tuple[str, ...]] = ("pairs in one language", "lexicon")

    @property
    def label(self) -> str:
        lexicons = [spec.replace("\\", "/").rpartition("/")[2].partition(".")[0] for spec in self.lexicon]
        sides = () if self.switch_sides == "both" else (self.switch_sides,)
        most = () if self.switch_translations == 3 else (f"of {self.switch_translations}",)
        words = [self.switch_mode, exact(self.probability), *most, *sides, *self.switch_languages, *lexicons]
        return " ".join([self.name, *words])

    def choose(self, available: BoolArray, language: int | None, random: Random) -> tuple[Choice, Choice]:
        assert language is not None
        texts = np.arange(len(available)), np.full(len(available), language)
        return texts, texts

    def rewriting(self, language: str) -> Switching:
        with at(f"strategy '{self.name}'"):
            return Switching(self, language)

    def content(self) -> dict[str, Any]:
        return {"lexicon": content_of(self.lexicon)}

    def notes(self, table: PairTable, drawn: Mapping[str, Sequence[int]]) -> list[str]:
        return [note for lang, sources in drawn.items() for note in self._notes(table, lang, sources)]

    def _notes(self, table: PairTable, lang: str, sources: Sequence[int]) -> list[str]:
        """How much of the first texts of a language the lexicons cover."""
        pairs = np.concatenate([table.index.members(source, lang)[:_SAMPLE] for source in sources])[:_SAMPLE]
        rows = table.index.rows[pairs, table.languages.index(lang)].astype(np.int64)
        texts = [text for column in ("query", "passage") for text in table.column(column, rows)]
        notes = []
        for target in self.into(lang):
            if target == lang:
                continue
            coverage, switcher = Coverage(), self.switcher(lang, [target])
            for text in texts:
                switcher.switch(text, np.random.default_rng(0), coverage)
            share = coverage.known[target] / max(1, coverage.words[target])
            way = self.lexicons.way(lang, target)
            notes.append(
                f"{lang} -> {target} ({way}): {share:.0%} of the words of {len(rows)} queries and passages have an entry"
            )
        return notes


class Switching(Rewriting):
    """Switches the texts of one language.

    Raises:
        InputError: there is nothing to switch into, or no lexicon leads there.
    """

    def __init__(self, settings: CodeSwitch, source: str) -> None:
        self._settings = settings
        others = settings.others(source)
        is_mixed = settings.switch_mode == "multilingual"
        self.languages = (MIXED,) if is_mixed else settings.into(source)
        make: Callable[..., Switcher] = partial(settings.switcher, source)
        self._switchers = (
            [make(others)] if is_mixed else [make([lang]) if lang != source else None for lang in self.languages]
        )

    def targets(self, n: int, random: np.random.Generator) -> tuple[IntArray, IntArray]:
        """Two different languages, ordered, uniformly; the same one where there is but one."""
        size = len(self.languages)
        queries = random.integers(size, size=n)
        passages = (queries + 1 + random.integers(max(1, size - 1), size=n)) % size
        return self._asked("queries", queries), self._asked("passages", passages)

    def rewrite(self, text: str, target: int, random: np.random.Generator) -> str:
        switcher = self._switchers[target]
        assert switcher is not None
        return switcher.switch(text, random)

    def _asked(self, side: Literal["queries", "passages"], targets: IntArray) -> IntArray:
        stays = np.array([switcher is None for switcher in self._switchers])[targets]
        return np.where(stays | (not self._settings.switches(side)), AS_IS, targets)
