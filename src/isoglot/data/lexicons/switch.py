"""Code-switching: words of a text replaced by their translations.

(Litschko, Artemova and Plank 2023, "Boosting Zero-shot Cross-lingual Retrieval by Training on Artificially Code-Switched Data",
arXiv 2305.05295, section 3.)
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from pydantic import Field

from isoglot.data.languages import language
from isoglot.data.lexicons.loading import LexiconFile, Lexicons, Lookup, States
from isoglot.data.lexicons.tokens import Span, cased, fold, is_letter, is_unspaced, words
from isoglot.errors import InputError
from isoglot.settings import Settings

MIXED = "mul"
"""The language code of a text in several languages (ISO 639-2)."""
_LONGEST = 3  # words of a phrase


class SwitchSettings(Settings):
    """How texts are switched, wherever that happens."""

    lexicon: tuple[str, ...] = Field(
        min_length=1,
        description="lexicons, each [LANGUAGE-LANGUAGE=][FORMAT:]FILE (isoglot list lexicons); the languages may come from the "
        "file's name",
    )
    switch_mode: Literal["bilingual", "multilingual", "titles"] = Field(
        "bilingual",
        description="bilingual: a text is switched into one language; multilingual: each word into one that is drawn for it; "
        "titles: as bilingual, with the longest phrase of up to three words first, and every one that has an entry",
    )
    switch_probability: float | None = Field(
        None, ge=0, le=1, description="that a word with an entry is replaced (default 0.5; of titles 1)"
    )
    switch_sides: Literal["both", "queries", "passages"] = Field("both", description="which texts are switched")
    switch_translations: int = Field(
        3,
        ge=1,
        description="one is drawn of so many of a word's translations, the first ones in the order of the lexicons",
    )
    switch_languages: tuple[str, ...] = Field(
        (), description="languages that texts are switched into (default: all of the lexicons)"
    )

    @property
    def probability(self) -> float:
        """The probability that was asked for, or the mode's."""
        if self.switch_probability is not None:
            return self.switch_probability
        return 1.0 if self.switch_mode == "titles" else 0.5

    @property
    def lexicons(self) -> Lexicons:
        """The lexicons, read. InputError where one cannot be."""
        files = tuple(map(LexiconFile.parse, self.lexicon))
        return _lexicons(files, tuple(file.states() for file in files))

    def into(self, source: str) -> tuple[str, ...]:
        """The languages that texts of `source` go into, which may have that one among them where it was asked for."""
        asked = dict.fromkeys(map(language, self.switch_languages))
        return tuple(asked or [lang for lang in self.lexicons.languages if lang != source])

    def others(self, source: str) -> tuple[str, ...]:
        """Those of `into` that words are replaced in. InputError where there is none."""
        others = tuple(lang for lang in self.into(source) if lang != source)
        if not others:
            raise InputError(f"switch_languages: nothing but '{source}', in which the texts are; name others")
        return others

    def switches(self, side: Literal["queries", "passages"]) -> bool:
        """Whether texts of a side are switched."""
        return self.switch_sides in ("both", side)

    def switcher(self, source: str, targets: Sequence[str]) -> Switcher:
        """Of texts in `source`. InputError where no lexicons lead to one of the targets."""
        return Switcher(self, source, targets)


@lru_cache(maxsize=8)
def _lexicons(files: tuple[LexiconFile, ...], states: tuple[States, ...]) -> Lexicons:
    """`states`: of the files, so that one that was changed is read again."""
    return Lexicons([file.spec for file in files])


class Coverage:
    """What happened to the words of switched texts, by the language that they were to go into.

    Attributes:
        words: seen.
        known: of these, with an entry.
        switched: of these, replaced.
    """

    def __init__(self) -> None:
        self.words: Counter[str] = Counter()
        self.known: Counter[str] = Counter()
        self.switched: Counter[str] = Counter()

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """{language: {"words", "known", "switched", "coverage", "share"}}; coverage is known / words, share switched / words."""
        about: dict[str, dict[str, Any]] = defaultdict(dict)
        for lang in sorted(self.words):
            seen, known, switched = (counts[lang] for counts in (self.words, self.known, self.switched))
            about[lang] = {"words": seen, "known": known, "switched": switched}
            about[lang] |= {"coverage": round(known / seen, 4), "share": round(switched / seen, 4)}
        return dict(about)


class Switcher:
    """Switches texts of one language.

    Args:
        settings: mode, probability, lexicons.
        source: language of the texts.
        targets: languages that they go into; of several each word goes into one that is drawn.
    """

    def __init__(self, settings: SwitchSettings, source: str, targets: Sequence[str]) -> None:
        self._probability, self._source, self._most = settings.probability, source, settings.switch_translations
        self._targets: list[tuple[str, Lookup]] = [
            (target, settings.lexicons.lookup(source, target)) for target in targets
        ]
        # words of languages without spaces are often cut shorter than a lexicon has them
        is_phrase = settings.switch_mode == "titles" or is_unspaced(source)
        self._longest = _LONGEST if is_phrase else 1

    def switch(self, text: str, random: np.random.Generator, coverage: Coverage | None = None) -> str:
        """The text with words replaced; everything else in it stays as it is, character by character.

        Of every word three numbers are drawn, whether it is known or not: a text that is switched with a higher probability
        is switched at the same places, in the same way, and at more.

        Args:
            random: of this text alone, so that neither order nor number of processes matter.
            coverage: counts are added to it.
        """
        spans = words(text, self._source)
        replaced, languages, chosen = random.random((3, len(spans)))
        keys = [fold(text[begin:end], self._source) for begin, end in spans]
        pieces: list[str] = []
        done = place = 0
        while place < len(spans):
            lang, lookup = self._targets[int(languages[place] * len(self._targets))]
            n, found = self._match(text, spans, keys, place, lookup)
            is_switched = bool(found) and bool(replaced[place] < self._probability)
            if is_switched:
                begin, end = spans[place][0], spans[place + n - 1][1]
                word = cased(found[int(chosen[place] * len(found))], text[begin:end], lang)
                pieces.append(text[done:begin])
                pieces.append(self._spaced(word, lang, "".join(pieces[-2:]), text[end : end + 1]))
                done = end
            if coverage is not None:
                coverage.words[lang] += n
                coverage.known[lang] += n * bool(found)
                coverage.switched[lang] += n * is_switched
            place += n
        return "".join([*pieces, text[done:]])

    def _match(
        self, text: str, spans: Sequence[Span], keys: Sequence[str], place: int, lookup: Lookup
    ) -> tuple[int, tuple[str, ...]]:
        """(words, translations) of the longest phrase with an entry that begins at a word; (1, ()) where there is none."""
        longest = 1
        for (_, end), (begin, _) in zip(spans[place : place + self._longest - 1], spans[place + 1 :]):
            if text[end:begin].strip() not in ("", "-"):
                break
            longest += 1
        for n in range(longest, 0, -1):
            if found := lookup(" ".join(keys[place : place + n])):
                return n, found[: self._most]
        return 1, ()

    def _spaced(self, word: str, lang: str, before: str, behind: str) -> str:
        """The word with the spaces that it needs among words without."""
        if not is_unspaced(self._source) or is_unspaced(lang):
            return word
        return f"{' ' * is_letter(before[-1:])}{word}{' ' * is_letter(behind)}"
