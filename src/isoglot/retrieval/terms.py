"""Texts to terms for lexical ranking, by one rule for all scripts and without a dictionary."""

from __future__ import annotations

import re
import unicodedata
from functools import cache

# scripts that write no spaces between words: Thai, Lao, Myanmar, Khmer, kana, Bopomofo and Han (with its extensions)
_UNSPACED = (
    "\u0e00-\u0e7f\u0e80-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3105-\u312f\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f"
)
# marks that texts write or leave out at will: the dot that lower-casing leaves on a Turkish capital I, the Arabic tatweel
# and vowel signs
_DROPPED = dict.fromkeys([0x307, 0x640, *range(0x64B, 0x653), 0x670])


def terms(text: str) -> list[str]:
    """The terms of a text, in order.

    NFKC and case folding; then runs of letters, digits and the marks that belong to them are words, and runs of a script
    without spaces (Chinese, Japanese, Thai, Khmer, Lao, Burmese) are cut into overlapping pairs of characters, a single
    character staying alone. Character pairs need no segmenter and are a strong baseline for these languages (McNamee and
    Mayfield 2004, Information Retrieval 7; Nie et al. 2000, IRAL). No stemming, no stop words: those differ per language
    in ways that would be part of what is measured.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFD", folded).translate(_DROPPED))
    terms, clusters = _patterns()
    words: list[str] = []
    for match in terms.finditer(folded):
        run = match.group()
        if match.lastgroup == "word":
            words.append(run)
            continue
        characters = clusters.findall(run)
        if len(characters) == 1:
            words.append(characters[0])
        words += ["".join(pair) for pair in zip(characters, characters[1:])]
    return words


@cache
def _patterns() -> tuple[re.Pattern[str], re.Pattern[str]]:
    r"""(runs of an unspaced script, and words; characters with the marks that follow them).

    `\w` alone has no combining marks and would cut Hindi at its vowel signs. A Thai vowel sign above or below a consonant is
    no character of its own.
    """
    marks = "".join(
        re.escape(chr(code)) for code in range(0x300, 0x20000) if unicodedata.category(chr(code)).startswith("M")
    )
    unspaced = rf"(?P<unspaced>[{_UNSPACED}]+)"
    words = rf"(?P<word>(?:(?![{_UNSPACED}_])[\w{marks}])+)"
    return re.compile(f"{unspaced}|{words}"), re.compile(f".[{marks}]*")
