"""Which translations are no good: each filter looks at texts and their translations and says which may stay."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from isoglot.data.langid import contradicts, identify, is_told
from isoglot.data.sameness import normalise
from isoglot.errors import say
from isoglot.records import BoolArray

Texts = Sequence[tuple[str, str]]
"""Texts and their translations."""

RATIO = 3.0
"""How many times as long or short as usual a translation may be."""
_COPY = 12  # letters and digits from which an equal text is no name that stays what it is
_WORD = re.compile(r"[^\W\d_]{4,}")  # in lower case it is no name, and so long it is no word of several languages
_WORDS = 4  # of them, from which half of them is no accident
_SMOOTH = 10  # characters added to both lengths: those of short texts vary
_SIGNS = re.compile(
    r"https?://[^\s<>\"']*[^\s<>\"'.,;:!?)]"  # addresses
    r"|[\w.+-]+@[\w-]+\.[\w.-]*\w"
    r"|</?[A-Za-z][^<>]*>"  # tags
    r"|&(?:[A-Za-z]+|\#[0-9]+);"
    r"|\$\{[^{}]*\}|\{\{[^{}]*\}\}|\{[\w.:!]*\}"  # ${NAME}, {{name}}, {name}, {}
    r"|%\([^()]+\)[a-z]|%[0-9]+\$[a-z]|%[sdiuf](?![A-Za-z])"  # of printf
    r"|\$[A-Z_]{2,}\b"
)
_GROUPS = re.compile(r"(?<![0-9])[0-9]{1,3}(?:[ \u00a0\u202f\u2009][0-9]{3})+(?![0-9])")
_NUMBER = re.compile(r"[0-9](?:[0-9]|[.,'\u2019\u066b\u066c](?=[0-9]))*")


Filter = Callable[[Texts, str], BoolArray]
"""Takes n texts with their translations, and the target language; gives which may stay, shape (n,)."""


def empty(texts: Texts, target: str) -> BoolArray:
    """Nothing at all, or no letter and no digit of a text that has some; always looked for: no row has empty texts."""
    return np.array([bool(made and (normalise(made) or not normalise(text))) for text, made in texts], dtype=bool)


def copies(texts: Texts, target: str) -> BoolArray:
    """Texts that came back as they were (of 12 letters or more: names stay what they are), or half of their words did."""

    def is_copy(text: str, made: str) -> bool:
        key = normalise(text)
        if len(key) >= _COPY and key == normalise(made):
            return True
        words, there = [word for word in _WORD.findall(text) if word[0].islower()], set(_WORD.findall(made))
        return len(words) >= _WORDS and 2 * sum(word in there for word in words) >= len(words)

    return np.array([not is_copy(text, made) for text, made in texts], dtype=bool)


def placeholders(texts: Texts, target: str) -> BoolArray:
    """Placeholders ({name}, %s, ${NAME}), tags, entities and addresses that are not the same afterwards."""
    return np.array([signs(text) == signs(made) for text, made in texts], dtype=bool)


def signs(text: str) -> Counter[str]:
    """The placeholders, tags, entities and addresses of a text."""
    return Counter(_SIGNS.findall(text))


def numbers(texts: Texts, target: str) -> BoolArray:
    """Numbers of two or more digits that are missing afterwards, in whatever digits and separators."""
    return np.array([not numbers_of(text) - numbers_of(made) for text, made in texts], dtype=bool)


def numbers_of(text: str) -> Counter[str]:
    """The numbers of two or more digits (one digit is often written as a word), as digits of ASCII without separators."""
    if not text.isascii():
        text = "".join(_digit(sign) for sign in text)
    text = _GROUPS.sub(lambda match: re.sub("[^0-9]", "", match[0]), text)
    found = (re.sub("[^0-9]", "", number) for number in _NUMBER.findall(text))
    return Counter(number for number in found if len(number) > 1)


def _digit(sign: str) -> str:
    value = unicodedata.decimal(sign, None) if not sign.isascii() else None
    return sign if value is None else str(value)


def lengths(texts: Texts, target: str, ratio: float = RATIO) -> BoolArray:
    """Translations more than `ratio` times as long or short as is usual of this language in these texts (the median)."""
    if not texts:
        return np.zeros(0, dtype=bool)
    sizes = np.array([(len(text), len(made)) for text, made in texts], dtype=np.float64) + _SMOOTH
    found = sizes[:, 1] / sizes[:, 0]
    usual = float(np.median(found))
    say(f"filter length: translations in {target} are usually {usual:.2f} times as long as the texts; measured by that")
    kept: BoolArray = (found <= usual * ratio) & (found >= usual / ratio)
    return kept


def languages(texts: Texts, target: str) -> BoolArray:
    """Translations that are in another language, see `isoglot.data.langid`. InputError: its package is not here."""
    if not is_told(target):
        say(f"filter language: {target} is not among the languages that are told reliably; nothing is dropped by it")
        return np.ones(len(texts), dtype=bool)
    made = [text for _, text in texts]
    answers = zip(made, identify(made))
    return np.array([not contradicts(*answer, text, target) for text, answer in answers], dtype=bool)


FILTERS: dict[str, Filter] = {
    "copy": copies,
    "placeholders": placeholders,
    "numbers": numbers,
    "length": lengths,
    "language": languages,
}
"""Filters that can be left out by name, in the order in which they look at texts; a row counts for the first that drops it."""


def kept_of(chosen: Filter, texts: Texts, target: str) -> BoolArray:
    """What a filter keeps, each text looked at once; shape (n,)."""
    unique = list(dict.fromkeys(texts))
    kept = dict(zip(unique, chosen(unique, target).tolist()))
    return np.array([kept[pair] for pair in texts], dtype=bool)
