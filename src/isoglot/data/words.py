"""The most frequent words of a language, as texts spell them. They are those of the package `wordfreq` (extra `prune`).

Its code is under Apache-2.0 and its lists under CC BY-SA 4.0 (Speer 2022, doi 10.5281/zenodo.7199437); none of them is shipped.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from itertools import islice

from isoglot.data.languages import language
from isoglot.errors import InputError

MOST = 20_000
"""Words per language."""
_LISTS = {"hr": "sh", "bs": "sh"}
# its lists are in lower case by Unicode, which loses these letters
_LOST = {"de": ("ss", "ß"), "el": ("σ$", "ς"), "tr": ("^i", "İ"), "az": ("^i", "İ")}
_ACRONYM = 5  # letters at most


def frequent_words(code: str) -> dict[str, float]:
    """Words in lower case with their frequencies (shares of all words), the most frequent first.

    Raises:
        InputError: there is no list of that language, or no package.
    """
    try:
        import wordfreq
    except ImportError:
        raise InputError(
            "--languages needs the package wordfreq: pip install 'isoglot[prune]'; or give --corpus"
        ) from None
    name = language(code)
    name, known = _LISTS.get(name, name), sorted(wordfreq.available_languages("best"))
    if name not in known:
        raise InputError(f"wordfreq has no words of '{code}': give texts of it by --corpus (it has {' '.join(known)})")
    words = wordfreq.get_frequency_dict(name, "best")
    return dict(islice(sorted(words.items(), key=lambda item: (-item[1], item[0])), MOST))


def spellings(code: str, words: dict[str, float]) -> Iterator[tuple[str, float]]:
    """Every word as texts spell it, with its frequency: capitalised too, short ones in capitals, each also behind a bracket."""
    lost, letter = _LOST.get(language(code), ("$^", ""))
    for word, frequency in words.items():
        forms = [word, word[:1].upper() + word[1:]]
        if (other := re.sub(lost, letter, word)) != word:
            forms += [other, other[:1].upper() + other[1:]]
        if len(word) <= _ACRONYM:
            forms.append(word.upper())
        for form in dict.fromkeys(forms):
            yield form, frequency
            yield f"({form}", frequency


def unspaced_letters(code: str, words: dict[str, float]) -> set[str]:
    """The letters of a language that is written without spaces, where pieces cross words; none of another."""
    if language(code) not in ("zh", "ja", "zh-Hant"):
        return set()
    return {sign for word in words for sign in word if unicodedata.category(sign) == "Lo"}
