"""Small lexicons that tests write."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from pathlib import Path

_DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

ENTRIES = {
    "00databaseinfo": "00-database-info\nA dictionary that was written for a test\n",
    "and bobs your uncle": "and Bob's your uncle /ænd/\nund fertig\n",
    "bank": "bank /bæŋk/ <n>\n1. Bank <fem> [fin.], Geldhaus <neut>\n"
    '      "in the bank"  - in der Bank\n2. Ufer (eines Flusses)\n   Synonym: {shore}\n\n see: {banks}\n',
    "city": "City\n\nStadt 2.\na large town\n 3.\n",
    "water": "water /w/\nWasser, das kühle Nass des Lebens; nass/feucht\n",
    "why": "why\n1. kyon~nahi.\n",
}


def write_tsv(path: Path, words: Mapping[str, str]) -> Path:
    path.write_text("".join(f"{word}\t{translation}\n" for word, translation in words.items()), encoding="utf-8")
    return path


def dictd_files(entries: Mapping[str, str] = ENTRIES, *, packed: bool = True) -> dict[str, bytes]:
    """(index, dictionary) as dictfmt writes them."""
    index, text = "", b""
    for word, entry in entries.items():
        data = entry.encode()
        index += f"{word}\t{number(len(text))}\t{number(len(data))}\n"
        text += data
    name = "freedict-eng-deu"
    dictionary = {f"{name}.dict.dz": gzip.compress(text, mtime=0)} if packed else {f"{name}.dict": text}
    return {f"{name}.index": index.encode(), **dictionary}


def number(value: int) -> str:
    """A number of base 64 as an index has it."""
    digits = _DIGITS[value % 64]
    while value := value // 64:
        digits = _DIGITS[value % 64] + digits
    return digits
