"""Which translations are no good: each filter looks at texts and their translations and says which may stay."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from isoglot.data.langid import can_identify, identify, is_alike
from isoglot.data.sameness import normalise
from isoglot.errors import say
from isoglot.records import BoolArray

Texts = Sequence[tuple[str, str]]
"""Texts and their translations."""

_COPY = 12  # letters and digits from which an equal text is no name that stays what it is
_SHORT = 20  # letters below which nobody can tell a language
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


@dataclass(frozen=True)
class Limits:
    """What filters go by.

    Attributes:
        ratio: a translation may be so many times as long or as short as one would expect.
        confidence: from this probability on another language counts.
    """

    ratio: float
    confidence: float


Filter = Callable[[Texts, str, Limits], BoolArray]
"""Takes texts with their translations (n of them), the target language and limits; gives which may stay, shape (n,)."""


def empty(texts: Texts, target: str, limits: Limits) -> BoolArray:
    """Nothing at all, or no letter and no digit of a text that has some; always looked for: no row has empty texts."""
    return np.array([bool(made and (normalise(made) or not normalise(text))) for text, made in texts], dtype=bool)


def copies(texts: Texts, target: str, limits: Limits) -> BoolArray:
    """Texts that came back as they were (of 12 letters or more: names stay what they are)."""

    def is_copy(text: str, made: str) -> bool:
        key = normalise(text)
        return len(key) >= _COPY and key == normalise(made)

    return np.array([not is_copy(text, made) for text, made in texts], dtype=bool)


def placeholders(texts: Texts, target: str, limits: Limits) -> BoolArray:
    """Placeholders ({name}, %s, ${NAME}), tags, entities and addresses that are not the same afterwards."""
    return np.array([signs(text) == signs(made) for text, made in texts], dtype=bool)


def signs(text: str) -> Counter[str]:
    """The placeholders, tags, entities and addresses of a text."""
    return Counter(_SIGNS.findall(text))


def numbers(texts: Texts, target: str, limits: Limits) -> BoolArray:
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


def lengths(texts: Texts, target: str, limits: Limits) -> BoolArray:
    """Translations whose length in characters is far from what is usual of this language in these texts (the median)."""
    if not texts:
        return np.zeros(0, dtype=bool)
    sizes = np.array([(len(text), len(made)) for text, made in texts], dtype=np.float64) + _SMOOTH
    ratio = sizes[:, 1] / sizes[:, 0]
    usual = float(np.median(ratio))
    say(f"filter length: translations in {target} are usually {usual:.2f} times as long as the texts; measured by that")
    relative = ratio / usual
    kept: BoolArray = (relative <= limits.ratio) & (relative >= 1 / limits.ratio)
    return kept


def languages(texts: Texts, target: str, limits: Limits) -> BoolArray:
    """Translations that are in another language (by py3langid; of 20 letters or more)."""
    if not can_identify(target):
        say(f"filter language: {target} is not among the languages that can be identified; nothing is dropped by it")
        return np.ones(len(texts), dtype=bool)

    def is_other(text: str) -> bool:
        if len(normalise(text)) < _SHORT:
            return False
        found, probability = identify(text)
        return probability >= limits.confidence and not is_alike(found, target)

    return np.array([not is_other(made) for _, made in texts], dtype=bool)


FILTERS: dict[str, Filter] = {
    "copy": copies,
    "placeholders": placeholders,
    "numbers": numbers,
    "length": lengths,
    "language": languages,
}
"""Filters that can be left out by name, in the order in which they look at texts; a row counts for the first that drops it."""


def kept_of(chosen: Filter, texts: Texts, target: str, limits: Limits) -> BoolArray:
    """What a filter keeps, each text looked at once; shape (n,)."""
    unique = list(dict.fromkeys(texts))
    kept = dict(zip(unique, chosen(unique, target, limits).tolist()))
    return np.array([kept[pair] for pair in texts], dtype=bool)
