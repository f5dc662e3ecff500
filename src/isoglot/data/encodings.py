"""Which encoding a CSV file is in that is not UTF-8: a guess, which is said; none where two would do, or the file is damaged.

Scripts other than the Latin one are told by charset-normalizer. It often takes the encodings of western and central Europe for
each other, which have most bytes in common: between those the letters decide that the languages of each are written with.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path

from isoglot.data.opening import opened

_LATIN = {
    "cp1252": "äöüß àâæçéèêëîïôœùûü áéíñóúü àèéìíîòóùú àáâãçéêíóôõúü éëïöüèê åäöéà æøåéòô áðéíóúýþæö àçèéíïòóúü·",
    "cp1250": "äöüß ąćęłńóśźż áčďéěíňóřšťúůýžö áäčďéíĺľňóôŕšťúýž áéíóöőúüű čćđšž ăâîşţ",
    "cp1254": "äöüß çğıöşüâîû",
    "cp1257": "äöüß ąčęėįšųūž āčēģīķļņšūž äõöüšž",
}
"""Letters beside those of English, by language, of the languages that an encoding is for."""
_MAC = "mac_roman"
_OTHERS = ("cp1251", "cp1253", "cp1255", "cp1256", "cp874", "cp932", "gb18030", "big5", "cp949")
_SIGNS = {*"“”„‘’‚«»‹›–—…•·¿¡€£¥§©®™°´×÷±²³½¼¾†\xa0\xad"}
_SAMPLE = 1 << 17  # bytes of lines that are not ASCII
_NEAR = 0.05  # of two texts that look like nobody's language, one is no guess when it is only so much less odd
_SHOWN = 30
_FOREIGN, _INSIDE = re.compile(r"[^\W\d_a-zA-Z]"), re.compile(r"(?<=[a-zA-Z])[^\W\d_a-zA-Z]|[^\W\d_a-zA-Z](?=[a-zA-Z])")


def guess_encoding(path: Path) -> tuple[str, str] | None:
    """(encoding, an example of its text) of a file; None where none is likely, or where some line is UTF-8 beyond ASCII.

    Lines of ASCII are the same in all of these: only the others are looked at, of the whole file.
    """
    lines: list[bytes] = []
    left = _SAMPLE
    with opened(path) as source:
        for line in source:
            if left < 0:
                break
            if not line.isascii():
                if _text(line, "utf-8") is not None:
                    return None
                lines.append(line)
                left -= len(line)
    encoding = _latin(lines) or _other(b"".join(lines))
    if encoding is None:
        return None
    text = lines[0].decode(encoding)
    first = next(place for place, letter in enumerate(text) if not letter.isascii())
    return encoding, text[max(0, first - _SHOWN) : first + _SHOWN].strip()


def _latin(lines: list[bytes]) -> str | None:
    """The one of the encodings of Latin letters in which every line is of some language that it is for."""
    texts: dict[tuple[str, ...], str] = {}
    for encoding in _LATIN:
        if (found := _covered(lines, encoding, _LATIN[encoding])) is not None:
            texts.setdefault(found, encoding)
    if not texts and _covered(lines, _MAC, _LATIN["cp1252"]) is not None:
        return _MAC
    return texts.popitem()[1] if len(texts) == 1 else None


def _covered(lines: list[bytes], encoding: str, letters: str) -> tuple[str, ...] | None:
    alphabets = [{*alphabet, "é"} for alphabet in letters.split()]
    texts = [_text(line, encoding) for line in lines]
    for text in texts:
        if text is None:
            return None
        own = {letter for letter in text.lower().replace("i̇", "i") if not letter.isascii()} - _SIGNS
        if not any(own <= alphabet for alphabet in alphabets):
            return None
    return tuple(text for text in texts if text is not None)


def _other(data: bytes) -> str | None:
    """The encoding of another script, by charset-normalizer."""
    from charset_normalizer import from_bytes

    log = logging.getLogger("charset_normalizer")
    log.setLevel(max(log.level, logging.WARNING))
    found = from_bytes(data, cp_isolation=[*_OTHERS, *_LATIN])
    best = found.best()
    if best is None or best.encoding not in _OTHERS:
        return None
    is_near = any(str(match) != str(best) and match.chaos - best.chaos < _NEAR for match in found)
    letters, inside = len(_FOREIGN.findall(str(best))), len(_INSIDE.findall(str(best)))
    if (is_near and not best.coherence) or 2 * inside >= letters:
        return None
    return best.encoding


def _text(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return None
