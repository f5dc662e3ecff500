"""When are two texts the same? Two answers: as a tokenizer sees them, and as a reader of an audit would say.

Training compares by `text_key`: texts with one key may not be negatives of each other. No tokenizer is asked, so that pairs can
be packed before a model is chosen; the key does what those of multilingual encoders do before they cut a text up, and is a
little wider than each of them. Texts that are wrongly called the same only leave a negative out of a batch; texts that are
wrongly called different train a false negative.

An audit asks whether a text could have been learnt: `normalise` also drops case and punctuation. Texts with one key are one
normalised text too.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

# white space, controls and what is not seen: in ASCII, and the further characters of Unicode's categories Z, Cc and Cf
_ASCII = bytes(range(33)) + b"\x7f"
_UNSEEN = re.compile(
    "[\x80-\xa0\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u2064"
    "\u2066-\u206f\u3000\ufeff\ufff9-\ufffb\U000110bd\U000110cd\U00013430-\U00013438\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0001\U000e0020-\U000e007f]+"
)
# nearly all that NFKC changes in Chinese, Japanese and Thai texts: replaced first, they are spared its slow pass
_COMMON = {character: unicodedata.normalize("NFKC", character) for character in "，（）：？！；…\u3000\u0e33"}


def text_key(text: str) -> bytes:
    """What texts are the same by in training: NFKC without white space, controls and invisible characters, as UTF-8.

    White space goes entirely. Zero-width spaces and joiners are white space to the tokenizer of XLM-R (and so multilingual-e5)
    and nothing at all to those of BERT: without it they agree. In Persian and Hindi a joiner tells few words apart, and never
    a passage from another. Case and accents stay.

    >>> text_key("Đi\\u00a0 đâu\\u200b?") == text_key(unicodedata.normalize("NFD", "Đi đâu?"))
    True
    """
    if not text.isascii():
        if not unicodedata.is_normalized("NFKC", text):
            for character, normal in _COMMON.items():
                text = text.replace(character, normal)
            text = unicodedata.normalize("NFKC", text)
        if not text.isprintable():  # a quick way to see that there is none of them
            text = _UNSEEN.sub("", text)
    return text.encode("utf-8", "surrogatepass").translate(None, _ASCII)


passage_key = lru_cache(256)(text_key)
"""`text_key` for passages in the order of their file, where one often answers several questions."""


class _Table(dict[int, str | int | None]):
    """For `str.translate`, filled on demand: keeps letters, marks and digits of any script and drops the rest."""

    def __missing__(self, code: int) -> int | None:
        kept = code if unicodedata.category(chr(code))[0] in "LMN" else None
        self[code] = kept
        return kept


_TABLE = _Table()


def normalise(text: str) -> str:
    """NFKC, case folded, without punctuation, symbols, white space and invisible characters.

    White space goes entirely: whether there is any between two words of Thai or Chinese depends on who typed the text.

    >>> normalise("What  is “Éa‑Enki”?")
    'whatiséaenki'
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return folded.translate(_TABLE)
