"""Lengths of texts in any script, and texts that end where a sentence ends."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from isoglot.data.documents.format import library
from isoglot.data.documents.page import UNSPACED

_UNSPACED = re.compile(f"[{UNSPACED}]")
_WORD = re.compile(f"[{UNSPACED}]|[^\\s{UNSPACED}]+")
_PARTS = re.compile(f"[{UNSPACED}]|[^\\s{UNSPACED}]+|\\s+")  # joined they are the text


def n_words(text: str) -> float:
    """Words of a text; letters of scripts without spaces between words count two thirds."""
    unspaced = len(_UNSPACED.findall(text))
    return len(_WORD.findall(text)) - unspaced / 3


def cut(paragraphs: Sequence[str], lang: str, most: int) -> str:
    """As many sentences from the start as fit, paragraphs on lines of their own.

    A first sentence that is too long itself ends with the last word that fits.

    Args:
        lang: of the text; sentences of unknown languages end as English ones do.
        most: words, see `n_words`.
    """
    texts, left = [], float(most)
    for paragraph in paragraphs:
        if (size := n_words(paragraph)) > left:
            if text := _fitting(_sentences(paragraph, lang), left):
                texts.append(text)
            elif not texts:
                texts.append(_fitting((match[0] for match in _PARTS.finditer(paragraph)), left))
            break
        texts.append(paragraph)
        left -= size
    return "\n".join(texts)


def _fitting(parts: Iterator[str], most: float) -> str:
    text = ""
    for part in parts:
        most -= n_words(part)
        if most < -1e-9:  # thirds
            break
        text += part
    return text.strip()


def _sentences(text: str, lang: str) -> Iterator[str]:
    """The sentences of a text; joined they are the text."""
    yield from library("sentencex").segment(lang.partition("-")[0], text)
