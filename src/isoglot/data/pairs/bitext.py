"""Plain bitext as pairs: texts that are translations of each other, without questions and answers.

The text is query and passage of its row, so that loss terms that align queries, passages or both see it. What that means for
batches follows from these rows, not from their source (`isoglot.data.pairs.index.PairIndex.bitext`).
"""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, NamedTuple

from xxhash import xxh3_128_hexdigest

from isoglot.data.languages import language
from isoglot.data.pairs.patterns import FilePattern
from isoglot.data.pairs.source import Item, Source
from isoglot.data.sameness import text_key
from isoglot.errors import InputError, LineError, say
from isoglot.records import PairRow

# tags, character references, and placeholders of C, Python, Qt, Java, shells and templates
_NO_TEXT = re.compile(
    r"<[^<>]*>|&#?\w+;|%(\(\w+\)|[0-9]+\$)?[-+ #0]*[0-9]*(\.[0-9]+)?(hh|h|ll|l|z|j|t|L)?[a-zA-Z@]|\$?\{[^{}]*\}"
)
_SHOWN = 3


class Unit(NamedTuple):
    """Texts that are translations of each other.

    Attributes:
        id: of the pair, the same in all languages.
        texts: (language, text); that of the source language first.
        is_part: other units with the same id have the same first text, and translations into other languages.
    """

    path: Path
    line: int
    id: str
    texts: Sequence[tuple[str, str]]
    is_part: bool = False


@dataclass
class Tally:
    """What became of the texts of a source: each is a row or left out.

    Attributes:
        left: texts that are left out, by reason.
        notes: what else is to be known: what was guessed.
    """

    texts: int = 0
    rows: int = 0
    left: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)

    def leave(self, reason: str, texts: int = 1) -> None:
        """Count texts that a reader leaves out."""
        self.texts += texts
        self.left[reason] += texts

    def __str__(self) -> str:
        left = ", ".join(f"{number:,} {reason}" for reason, number in self.left.most_common())
        return "; ".join(
            [f"{self.rows:,} rows of {self.texts:,} texts", *([f"left out: {left}"] if left else []), *self.notes]
        )


class Bitext(Source, ABC):
    """A kind of files with plain bitext.

    Attributes:
        example: a pattern as it is written.
        options: that may stand behind the pattern, beside `name`.
    """

    example: ClassVar[str]
    options: ClassVar[tuple[str, ...]] = ()

    @property
    def form(self) -> str:
        return f"{self.name}:{self.example}"

    @abstractmethod
    def units(self, files: FilePattern, tally: Tally) -> Iterator[Unit | LineError]:
        """The units of the files. What is left out goes to the tally, what is malformed is yielded."""

    def read(self, spec: str, data_dir: Path | None) -> Iterator[Item]:
        """The rows, unit by unit; in the end one line on stderr says how many there are and what was left out.

        A text is left out if it has no letter beside tags and placeholders, if it is the same as the unit's first one (a copy
        that nobody translated), if its language has a text already, or if no other text of the unit is left.

        Raises:
            InputError: no such files, an unknown option.
        """
        files, tally = FilePattern.parse(spec, ("name", *self.options)), Tally()
        if files.strangers:
            shown = ", ".join(map(str, files.strangers[:_SHOWN]))
            more = f" and {len(files.strangers) - _SHOWN} more" if len(files.strangers) > _SHOWN else ""
            tally.notes.append(f"files named after no language: {shown}{more}")
        seen: set[tuple[str, str]] = set()
        for unit in self.units(files, tally):
            if isinstance(unit, LineError):
                yield unit, unit.path, unit.line
                continue
            path = str(unit.path)
            try:
                kept = _kept(unit, tally, seen)
            except InputError as error:
                yield LineError(path, unit.line, str(error)), path, unit.line
                continue
            for lang, text in kept:
                yield PairRow(files.name, unit.id, lang, text, text), path, unit.line
        say(f"{spec}: {tally}")


def unit_id(*parts: str | None) -> str:
    """An id made of texts that tell a unit apart: 128 bits of XXH3, in hexadecimal."""
    return xxh3_128_hexdigest(json.dumps(parts).encode())


def source_first(texts: Sequence[tuple[str, str]], source: str | None) -> list[tuple[str, str]]:
    """The texts, that of the source language before the others; in their order where none is in it."""
    return sorted(texts, key=lambda item: item[0] != source)


def _kept(unit: Unit, tally: Tally, seen: set[tuple[str, str]]) -> list[tuple[str, str]]:
    """The texts of a unit that become rows; the others are counted.

    Args:
        seen: (id, language) of the rows of all units that are parts.

    Raises:
        InputError: a code that is no language.
    """
    texts = [(language(lang), " ".join(text.split())) for lang, text in unit.texts]
    kept: dict[str, str] = {}
    for lang, text in texts:
        if reason := _why_not(lang, text, texts[0], kept):
            if not (unit.is_part and lang == texts[0][0]):
                tally.leave(reason)
        elif (unit.id, lang) in seen and lang != texts[0][0]:
            tally.leave("repeated")
        else:
            kept[lang] = text
    if len(kept) == 1:
        if not (unit.is_part and texts[0][0] in kept):
            tally.leave("without a translation")
        return []
    if unit.is_part:
        kept = {lang: text for lang, text in kept.items() if (unit.id, lang) not in seen}
        seen.update((unit.id, lang) for lang in kept)
    tally.texts += len(kept)
    tally.rows += len(kept)
    return list(kept.items())


def _why_not(lang: str, text: str, first: tuple[str, str], kept: dict[str, str]) -> str:
    """Why a text becomes no row; "" where it does."""
    if not text:
        return "empty"
    if not any(map(str.isalpha, _NO_TEXT.sub("", text))):
        return "without letters beside tags and placeholders"
    if lang in kept:
        return "further in the same language"
    if lang != first[0] and text_key(text) == text_key(first[1]):
        return "copies of the source text"
    return ""
