"""Dictionaries of the dict server (dictd), such as Debian's packages `dict-freedict-eng-deu` and the like.

The index has a line for each headword: the word, and where its entry begins in the dictionary and how many bytes it has, as
numbers of base 64 with the digits A-Z a-z 0-9 + / (dictfmt(1)). The dictionary is plain or packed by dictzip, which gzip can
unpack. What an entry says is free text; what is read here is the form of FreeDict's:

    headword /pronunciation/ <part of speech>
    1. translation <gender>, another one [subject]
          "an example"
    2. translation of another sense
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator
from pathlib import Path

from isoglot.data.lexicons.registry import LEXICONS, Entry, LexiconFormat
from isoglot.data.lexicons.tokens import has_word
from isoglot.data.readers import lines
from isoglot.data.sameness import normalise
from isoglot.errors import InputError, LineError
from isoglot.files import first_file
from isoglot.reading import open_file

MOST_WORDS = 3
"""A translation of more words explains the headword, and cannot take its place."""
_MOST = 1 << 30  # bytes of a dictionary, unpacked
_DIGITS = {sign: value for value, sign in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")}
_INFO = ("00database", "00-database")
_NOTES = re.compile(r"<[^<>]*>|\[[^\[\]]*\]|\{[^{}]*\}|\([^()]*\)")
_PRONUNCIATION = re.compile(r"/+[^/]*/+")
_SENSE = re.compile(r"[0-9]+\.\s*(.*)")
_LEFT_OVER = re.compile(r"(?:\s[0-9]+)?\.*$")
_SIGNS = re.compile(r'[/"()\[\]{}<>=:|]')
_SEPARATORS = re.compile(r"[,;،؛、；，]")


class Dictd(LexiconFormat):
    """Dictionaries of the dict server, as FreeDict's: the index with its .dict or .dict.dz beside it."""

    name = "dictd"
    ending = ".index"

    def files(self, path: Path) -> list[Path]:
        names = [path.with_suffix(ending) for ending in (".dict", ".dict.dz")]
        if (dictionary := first_file(names)) is None:
            raise InputError(f"{path}: no {names[0].name} or {names[1].name} beside it")
        return [path, dictionary]

    def read(self, path: Path) -> Iterator[Entry]:
        dictionary = self.files(path)[1]
        data = _unpacked(dictionary)
        for number, line in lines(path):
            fields = line.split("\t")
            if len(fields) not in (3, 4):
                raise LineError(path, number, "expected a headword, an offset and a size with tabs between")
            if fields[0].startswith(_INFO):
                continue
            begin, size = (_whole(field, path, number) for field in fields[1:3])
            if begin + size > len(data):
                raise LineError(
                    path, number, f"the entry ends at byte {begin + size}, {dictionary.name} at {len(data)}"
                )
            try:
                entry = data[begin : begin + size].decode()
            except UnicodeDecodeError:
                raise LineError(path, number, f"its entry in {dictionary.name} is not UTF-8") from None
            yield from parse_entry(fields[-1] if len(fields) == 4 else fields[0], entry)


def parse_entry(indexed: str, entry: str) -> Iterator[Entry]:
    """The translations in an entry.

    Args:
        indexed: the headword in the index, which may be without capitals and punctuation; the entry's own is taken where it
            differs in nothing else.
    """
    first, *rest = entry.split("\n")
    headword = _NOTES.sub("", _PRONUNCIATION.sub("", first)).strip()
    is_same = headword.lower() == indexed or normalise(headword) == normalise(indexed)
    word = headword if is_same else indexed
    begun = False
    for line in rest:
        sense = _SENSE.fullmatch(line)
        # further lines without a number are definitions, those that are set in are examples and references
        if not line.strip() or line[0].isspace() or (begun and not sense):
            continue
        begun = True
        for translation in _SEPARATORS.split(_NOTES.sub("", sense[1] if sense else line)):
            # behind some stands the number of a sense that follows
            translation = _LEFT_OVER.sub("", " ".join(translation.replace("~", " ").split()))
            yield word, translation if _is_translation(translation) else None


def _is_translation(text: str) -> bool:
    """Whether it can take a word's place: short, and without alternatives, placeholders and quotes."""
    return len(text.split()) <= MOST_WORDS and has_word(text) and not _SIGNS.search(text)


def _whole(text: str, path: Path, line: int) -> int:
    number = 0
    if not 0 < len(text) <= 10:
        raise LineError(path, line, f"{text[:20]!r}: expected a number of base 64 of at most 10 digits")
    for sign in text:
        if sign not in _DIGITS:
            raise LineError(path, line, f"{text!r}: expected a number of base 64, with the digits A-Z a-z 0-9 + /")
        number = number * 64 + _DIGITS[sign]
    return number


def _unpacked(path: Path) -> bytes:
    with open_file(path) as source:
        try:
            data = gzip.GzipFile(fileobj=source).read(_MOST + 1) if path.suffix == ".dz" else source.read()
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise InputError(f"{path}: not a complete dictzip file ({error})") from None
    if path.suffix == ".dz" and len(data) > _MOST:
        raise InputError(f"{path}: more than {_MOST >> 20} MiB unpacked; expected a dictionary")
    return data


LEXICONS.register(Dictd())
