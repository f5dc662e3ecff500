"""Lexicons read and put together: what a word of one language may become in another."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from isoglot.data.languages import language
from isoglot.data.lexicons.registry import LEXICONS, LexiconFormat
from isoglot.data.lexicons.tokens import has_word, key_of
from isoglot.errors import InputError, at, say
from isoglot.files import data_roots, digest_file
from isoglot.places import at_home
from isoglot.reading import open_file

PIVOT = "en"
Table = Mapping[str, tuple[str, ...]]
"""Key of a word or phrase (`key_of`) -> its translations in the lexicon's order; those that stand there twice come twice."""
Lookup = Callable[[str], tuple[str, ...]]
States = tuple[tuple[int, int], ...]
"""Size and time of the last change of each file of a lexicon."""
_NAMED = re.compile(r"(?:freedict-)?([a-z]{2,3})-([a-z]{2,3})(?![a-z-])", re.IGNORECASE)
_FORM = "expected [LANGUAGE-LANGUAGE=][FORMAT:]FILE such as en-de=muse:words.txt"


@dataclass(frozen=True)
class LexiconFile:
    """A lexicon as it is asked for: `en-de=words.tsv`, `en-de=muse:words.txt`, or a file whose name begins with `en-de`.

    Attributes:
        spec: as given.
        source, target: languages.
        format: of the file.
        path: the file.
        guessed: the languages come from the file's name.
    """

    spec: str
    source: str
    target: str
    format: LexiconFormat
    path: Path
    guessed: bool

    @classmethod
    def parse(cls, spec: str) -> LexiconFile:
        """InputError: no such file, no known format, no two languages."""
        pair, given, rest = spec.partition("=")
        pair, rest = (pair, rest) if given else ("", spec)
        head, colon, tail = rest.partition(":")
        is_named = bool(colon) and head in LEXICONS
        path = _found(at_home(tail if is_named else rest))
        open_file(path).close()
        kind = LEXICONS[head] if is_named else _format_of(path, spec)
        source, target = _languages(pair, spec) if given else _from_name(path, spec)
        if source == target:
            raise InputError(f"{spec}: both languages are '{source}'; {_FORM}")
        return cls(spec, source, target, kind, path, not given)

    def states(self) -> States:
        """See `States`."""
        return tuple((about.st_size, about.st_mtime_ns) for about in map(Path.stat, self.format.files(self.path)))

    def content(self) -> list[str]:
        """What decides the translations: languages, format, digests of the files."""
        digests = [_digest(path, state) for path, state in zip(self.format.files(self.path), self.states())]
        return [self.source, self.target, self.format.name, *digests]


def _found(path: Path) -> Path:
    """A file as it is named, or else that of this name in `$ISOGLOT_DATA/lexicons`; the first where there is neither."""
    places = [path, *(root / "lexicons" / path for root in data_roots(None))]
    return next((place for place in places if os.path.exists(place)), path)


@dataclass(frozen=True)
class Lexicon:
    """The translations of one file.

    Attributes:
        file: where it comes from.
        table: by key.
        entries: translations in the file, those that were left out included.
        left_out: explanations and what has no letter.
    """

    file: LexiconFile
    table: Table
    entries: int
    left_out: int

    def about(self) -> dict[str, Any]:
        """JSON values for a report."""
        return {
            "file": str(self.file.path),
            "format": self.file.format.name,
            "languages": [self.file.source, self.file.target],
            "words": len(self.table),
            "translations": self.entries - self.left_out,
            "left_out": self.left_out,
        }


class Lexicons:
    """Several lexicons as one; `lookup` finds a way from one language to another.

    Args:
        specs: see `LexiconFile`. Translations of several files between the same languages are added to each other.

    Raises:
        InputError: a file that cannot be read, a malformed line.
    """

    def __init__(self, specs: Sequence[str]) -> None:
        self.lexicons = [_load(file, file.states()) for file in map(LexiconFile.parse, specs)]
        self._tables: dict[tuple[str, str], list[Table]] = defaultdict(list)
        for lexicon in self.lexicons:
            self._tables[lexicon.file.source, lexicon.file.target].append(lexicon.table)
        self._inverted = cache(self._invert)

    @property
    def languages(self) -> tuple[str, ...]:
        """All languages that any of them has, sorted."""
        return tuple(sorted({lang for pair in self._tables for lang in pair}))

    def way(self, source: str, target: str) -> str:
        """How words get from one language to another: directly, by a lexicon the other way round, through English; "": not."""
        if (source, target) in self._tables:
            return "direct"
        if (target, source) in self._tables:
            return "inverted"
        through = PIVOT not in (source, target) and self.way(source, PIVOT) and self.way(PIVOT, target)
        return f"through {PIVOT}" if through else ""

    def lookup(self, source: str, target: str) -> Lookup:
        """Translations by key, () where a word has none. InputError where no lexicons lead from one language to the other."""
        way = self.way(source, target)
        if not way:
            there = ", ".join("-".join(pair) for pair in sorted(self._tables))
            raise InputError(f"no lexicon leads from '{source}' to '{target}' (there are {there})")
        if way == "direct":
            return _merged(self._tables[source, target])
        if way == "inverted":
            return _merged([self._inverted(target, source)])
        first, second = self.lookup(source, PIVOT), self.lookup(PIVOT, target)

        @cache
        def through(key: str) -> tuple[str, ...]:
            return tuple(text for word in first(key) for text in second(key_of(word, PIVOT)))

        return through

    def _invert(self, source: str, target: str) -> Table:
        """The lexicons from `source` to `target`, the other way round; a word stands there as its key spells it."""
        inverted: dict[str, list[str]] = defaultdict(list)
        for table in self._tables[source, target]:
            for key, translations in table.items():
                for translation in translations:
                    inverted[key_of(translation, target)].append(key)
        return {key: tuple(found) for key, found in inverted.items()}


def _merged(tables: Sequence[Table]) -> Lookup:
    if len(tables) == 1:
        (table,) = tables
        return lambda key: table.get(key, ())
    return lambda key: tuple(text for table in tables for text in table.get(key, ()))


def content_of(specs: Iterable[str]) -> list[list[str]]:
    """What lexicons are by content, in their order."""
    return [LexiconFile.parse(spec).content() for spec in specs]


@lru_cache(maxsize=32)
def _load(file: LexiconFile, states: States) -> Lexicon:
    """Read a lexicon; `states`: of its files, so that a changed one is read again."""
    table: dict[str, list[str]] = defaultdict(list)
    entries = left_out = 0
    for word, translation in file.format.read(file.path):
        entries += 1
        key = key_of(word, file.source)
        if translation is None or not key or not has_word(translation):
            left_out += 1
        else:
            table[key].append(translation)
    if not table:
        raise InputError(f"{file.path}: no translations")
    lexicon = Lexicon(file, {key: tuple(found) for key, found in table.items()}, entries, left_out)
    guessed = " (languages by its name)" if file.guessed else ""
    say(
        f"{file.path}: {file.source}-{file.target}{guessed}, {len(table):,} words and phrases, {entries - left_out:,} "
        f"translations; {left_out:,} left out (explanations, no letters)"
    )
    return lexicon


@lru_cache(maxsize=64)
def _digest(path: Path, state: tuple[int, int]) -> str:
    return digest_file(path)


def _format_of(path: Path, spec: str) -> LexiconFormat:
    name = path.name.lower().removesuffix(".gz")
    kinds = [kind for kind in LEXICONS if name.endswith(kind.ending)]
    if not kinds:
        known = ", ".join(kind.form for kind in LEXICONS)
        raise InputError(f"{spec}: unknown format of a lexicon (known: {known}); {_FORM}")
    return max(kinds, key=lambda kind: len(kind.ending))


def _languages(pair: str, spec: str) -> tuple[str, str]:
    """The languages of `en-zh-Hant`: at the one hyphen that has a language on both sides."""
    parts, found = pair.split("-"), []
    for place in range(1, len(parts)):
        try:
            found.append((language("-".join(parts[:place])), language("-".join(parts[place:]))))
        except InputError:
            continue
    if len(found) != 1:
        raise InputError(f"{spec}: '{pair}' is not two languages with a hyphen between; {_FORM}")
    return found[0]


def _from_name(path: Path, spec: str) -> tuple[str, str]:
    match = _NAMED.match(path.name)
    if not match:
        raise InputError(f"{spec}: its name does not begin with two languages, as en-de; {_FORM}")
    with at(f"{spec}: by its name"):
        return language(match[1]), language(match[2])
