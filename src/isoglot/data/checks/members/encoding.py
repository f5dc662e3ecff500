"""Texts that were decoded wrongly."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any, ClassVar

from isoglot.data.checks.registry import CHECKS, Action, TextCheck

_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]+")
_CAPITAL = re.compile("[a-zß-ÿ][À-Þ](?=[a-zß-ÿ])")  # ISO 8859-15 that is taken for cp1252: `wÀhlen`
_LOST = re.compile("[\x80-\x84\x86-\x9f\ufffd]")


@CHECKS.register
class Encoding(TextCheck):
    """Broken encodings: mojibake (`Ã¤`) and control characters are repaired, texts with lost characters (U+FFFD, C1) dropped."""

    name: ClassVar[str] = "encoding"
    order: ClassVar[int] = 10
    needs: ClassVar[tuple[str, ...]] = ("ftfy",)

    def look(self, text: str) -> Iterator[tuple[str, Action, str]]:
        if text.isascii() and text.isprintable():
            return
        fixed = _repaired(text)
        if fixed != text:
            yield f"mojibake {_around(text, fixed)}", "repaired", fixed
        if lost := _LOST.search(fixed):
            yield f"lost characters '{fixed[max(0, lost.start() - 10) : lost.end() + 10]}'", "dropped", fixed
        elif _CONTROLS.search(fixed):
            yield "control characters", "repaired", _CONTROLS.sub("", fixed)


def _repaired(text: str) -> str:
    """The text as it was before it was decoded wrongly, as far as nothing of it is lost."""
    from ftfy import fix_encoding

    # curly quotes of cp1252 that were read as Latin-1; elsewhere C1 controls are what is left of other characters
    is_latin = max(text) <= "\xff"
    fixed = fix_encoding(text, _config(is_latin))
    return text if "\ufffd" in text + fixed or "\x1a" in fixed or _capitals(fixed) > _capitals(text) else fixed


def _capitals(text: str) -> int:
    return len(_CAPITAL.findall(text))


@cache
def _config(is_latin: bool) -> Any:
    from ftfy import TextFixerConfig

    return TextFixerConfig(fix_c1_controls=is_latin, replace_lossy_sequences=False, explain=False)


def _around(text: str, fixed: str) -> str:
    """The first words that differ."""
    pairs = zip(text.split(), fixed.split())
    word, better = next(((word, better) for word, better in pairs if word != better), (text[:20], fixed[:20]))
    place = next((n for n, (one, other) in enumerate(zip(word, better)) if one != other), 0)
    start = max(0, place - 10)
    return f"'{word[start : place + 15]}' for '{better[start : place + 15]}'"
