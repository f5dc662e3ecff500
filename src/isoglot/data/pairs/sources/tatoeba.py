"""Tatoeba's exports (https://tatoeba.org/downloads): tab-separated, without header and quotes.

    sentences.csv, <lang>_sentences.tsv   id, language (ISO 639-3), text; sentences_detailed.csv has three columns more
    links.csv                             id, id of a translation; each link stands there in both directions
    sentence pairs                        id, text, id, text: the languages are those that were asked for
    <lang>.txt of manythings.org/anki     text, text, and perhaps whom it is from

Pairs are the direct links: translations of translations drift from what the first one said.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from isoglot.data.languages import known_language, language
from isoglot.data.pairs.bitext import Bitext, Tally, Unit
from isoglot.data.pairs.patterns import FilePattern
from isoglot.data.pairs.source import SOURCES
from isoglot.data.readers import lines
from isoglot.errors import InputError, LineError
from isoglot.files import first_file
from isoglot.records import IntArray

_LINKS = ("links.csv", "links.tsv", "links.csv.gz", "links.tsv.gz")
_ID = re.compile("[0-9]{1,10}")
_CODE = re.compile(r"[a-z]{2,8}|\\N|")
Sentences = dict[int, tuple[str, str]]


class Tatoeba(Bitext):
    """Tatoeba's sentences and links; option links: that file (default: beside it); pairs of texts: option languages=en,de"""

    name = "tatoeba"
    example = "sentences.csv"
    options = ("links", "languages")

    def units(self, files: FilePattern, tally: Tally) -> Iterator[Unit | LineError]:
        paths = [file.path for file in files.files]
        asked = [language(code) for code in files.options.get("languages", "").split(",") if code]
        layout = _layout(paths[0])
        if layout != "sentences":
            if len(asked) != 2 or asked[0] == asked[1]:
                raise InputError(
                    f"{paths[0]}: pairs of texts; say their two languages as they stand there: languages=en,de"
                )
            tally.notes.append(f"read as pairs of texts, first {asked[0]}, then {asked[1]}")
            for path in paths:
                yield from _pairs(path, asked, layout == "pairs with ids", f"{path.name}:" if len(paths) > 1 else "")
            return
        links = Path(files.options["links"]) if "links" in files.options else _beside(files.spec, paths[0])
        sentences = _sentences(paths, asked, tally)
        yield from _linked(links, sentences, tally)


def _beside(spec: str, path: Path) -> Path:
    if links := first_file(path.with_name(name) for name in _LINKS):
        return links
    raise InputError(f"{spec}: no {_LINKS[0]} beside {path.name}; name the file of links: ?links=FILE")


def _layout(path: Path) -> str:
    """By the columns of the first line. LineError where they are none of the export's."""
    for number, line in lines(path):
        columns = line.split("\t")
        ids = [bool(_ID.fullmatch(column)) for column in columns]
        if len(columns) >= 3 and ids[0] and _CODE.fullmatch(columns[1]):
            return "sentences"
        if len(columns) == 4 and ids[0] and ids[2]:
            return "pairs with ids"
        if len(columns) in (2, 3) and not all(ids):
            return "pairs"
        problem = "expected id, language and text, or id, text, id and text, or two texts, separated by tabs"
        raise LineError(path, number, f"{problem}; found {len(columns)} column(s){' of ids' if all(ids) else ''}")
    raise InputError(f"{path}: nothing in it")


def _pairs(path: Path, langs: Sequence[str], has_ids: bool, start: str) -> Iterator[Unit | LineError]:
    for number, line in lines(path):
        columns = line.split("\t")
        if len(columns) not in ((4,) if has_ids else (2, 3)):
            yield LineError(path, number, f"{len(columns)} columns separated by tabs; the first line has others")
            continue
        texts = columns[1::2] if has_ids else columns[:2]
        yield Unit(path, number, f"{start}{number}", tuple(zip(langs, texts)))


def _sentences(paths: Sequence[Path], asked: Sequence[str], tally: Tally) -> Sentences:
    """Language and text by id, of those languages that are asked for and known. LineError for a malformed line."""
    sentences: Sentences = {}
    nameless: dict[str, int] = {}
    codes: dict[str, str] = {}
    for path in paths:
        for number, line in lines(path):
            key, code, text, *_ = *line.split("\t"), "", "", ""
            if not _ID.fullmatch(key) or not _CODE.fullmatch(code) or line.count("\t") < 2:
                raise LineError(path, number, "expected an id, a language and a text, separated by tabs")
            if code not in codes:
                codes[code] = known_language(code)
            if not codes[code]:
                nameless[code or r"\N"] = nameless.get(code or r"\N", 0) + 1
            elif not asked or codes[code] in asked:
                sentences[int(key)] = codes[code], text
    if nameless:
        shown = ", ".join(sorted(nameless)[:5]) + (", ..." if len(nameless) > 5 else "")
        tally.notes.append(f"{sum(nameless.values()):,} sentences of no known language ({shown})")
    return sentences


def _linked(path: Path, sentences: Sentences, tally: Tally) -> Iterator[Unit | LineError]:
    """A unit per link, whichever direction stands in the file. The texts of both sentences are counted for each link."""
    keys, numbers = _read_links(path)
    for key, number in zip(keys.tolist(), numbers.tolist()):
        ids = key >> 32, key & 0xFFFFFFFF
        if all(sentence in sentences for sentence in ids):
            yield Unit(path, number, f"{ids[0]}-{ids[1]}", [sentences[sentence] for sentence in ids])
        else:
            tally.leave("of links to sentences that are not here", 2)


def _read_links(path: Path) -> tuple[IntArray, IntArray]:
    """(smaller id << 32 | larger id, first line), int64 each, ascending by ids: 16 bytes a line while they are read."""

    def pairs() -> Iterator[int]:
        for number, line in lines(path):
            ids = line.split("\t")
            if len(ids) != 2 or not all(_ID.fullmatch(key) and int(key) < 1 << 31 for key in ids):
                raise LineError(path, number, "expected two ids separated by a tab")
            low, high = sorted(map(int, ids))
            yield low << 32 | high
            yield number

    table = np.fromiter(pairs(), dtype=np.int64).reshape(-1, 2)
    keys, first = np.unique(table[:, 0], return_index=True)
    return keys, table[first, 1]


SOURCES.register(Tatoeba())
