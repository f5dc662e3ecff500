"""The words of a text as a lexicon looks them up, and how a translation takes a word's place."""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import TYPE_CHECKING

import regex

from isoglot.data.languages import script_of
from isoglot.optional import needed

if TYPE_CHECKING:
    from collections.abc import Callable

Span = tuple[int, int]
# letters, marks and digits, with apostrophes inside; the English 's is no part of a word
_RUN = r"[\p{L}\p{M}\p{N}]+"
_WORD = regex.compile(rf"({_RUN}(?:['’](?![sS]\b){_RUN})*)(?:['’][sS]\b)?")
_ANY = regex.compile(r"[\p{L}\p{N}]")
_UNSPACED = {"Hans", "Hant", "Hani", "Jpan", "Hira", "Kana", "Thai", "Laoo", "Khmr", "Mymr"}
_DOTTED = {"tr", "az"}  # languages in which i and I are two letters


@cache
def is_unspaced(lang: str) -> bool:
    """Whether a language is written without spaces between its words, by its script."""
    return script_of(lang) in _UNSPACED


def words(text: str, lang: str) -> list[Span]:
    """(begin, end) of the words of a text, in their order: runs of letters, marks and digits.

    Languages without spaces are cut by ICU's dictionaries.

    Raises:
        InputError: such a language, and no package for it.
    """
    if not is_unspaced(lang):
        return [match.span(1) for match in _WORD.finditer(text)]
    spans, begin = [], 0
    for piece in _breaker()(text, lang):
        if has_word(piece):
            spans.append((begin, begin + len(piece)))
        begin += len(piece)
    return spans


@cache
def _breaker() -> Callable[[str, str], list[str]]:
    breakers = needed("icu4py.breakers", "languages without spaces between words need the package icu4py", "switch")
    # its pieces, not its offsets: these count code units of UTF-16
    return lambda text, lang: list(breakers.WordBreaker(text, lang))


def fold(word: str, lang: str) -> str:
    """What words are the same by in a lexicon: NFC and case folded, with one apostrophe."""
    word = unicodedata.normalize("NFC", word).replace("’", "'")
    if lang.partition("-")[0] in _DOTTED:
        word = word.replace("I", "ı").replace("İ", "i")
    return unicodedata.normalize("NFC", word.casefold())


def has_word(text: str) -> bool:
    """Whether there is a letter or a digit in a text."""
    return _ANY.search(text) is not None


def key_of(phrase: str, lang: str) -> str:
    """The key of a word or phrase in a lexicon: its folded words with a space between; "" where it has none."""
    if phrase.isascii() and phrase.isalnum() and phrase.islower():  # the most frequent case, ten times as fast
        return phrase
    return " ".join(fold(phrase[begin:end], lang) for begin, end in words(phrase, lang))


def cased(translation: str, word: str, lang: str) -> str:
    """A translation with a capital first letter where the word has one; otherwise as the lexicon spells it."""
    first = translation[:1]
    if not word[:1].isupper() or not first.islower():
        return translation
    capital = "İ" if first == "i" and lang.partition("-")[0] in _DOTTED else first.title()
    return capital + translation[1:]


def is_letter(sign: str) -> bool:
    """Whether a character may stand inside a word."""
    return bool(sign) and unicodedata.category(sign)[0] in "LMN"
