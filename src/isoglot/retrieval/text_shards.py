"""Texts cut into shards: what one worker encodes at a time, read where it is encoded.

A shard of files is a place (`isoglot.data.readers.Mark`) and a number of rows, so that nothing is copied: workers of other
machines read the same files on a shared disk. JSON lines and Parquet begin at a place at once; CSV, and whatever is packed, is
read from its beginning up to there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from isoglot.data.languages import known_language, language_at
from isoglot.data.readers import FORMATS, READERS, Mark, id_field, split_name, text_field, valid
from isoglot.errors import InputError, LineError, say
from isoglot.files import digest_strings
from isoglot.records import several

_IDS = ("id", "_id", "docid")
_EXAMPLE = 'expected a row such as {"id": "7", "text": "..."}, where it has them with "title" and "lang"'


class ShardTexts(NamedTuple):
    """n texts in their order.

    Attributes:
        ids: as the input has them; whether one occurs in another shard too is not looked at.
        languages: "" where none is known.
        texts: with their titles before them.
    """

    ids: list[str]
    languages: list[str]
    texts: list[str]

    @property
    def digest(self) -> str:
        """SHA-256 over ids, languages and texts, in order."""
        return digest_strings(string for row in zip(*self) for string in row)


class TextShard(Protocol):
    """Texts that are encoded together; it is pickled and read by whoever encodes them.

    Attributes:
        start, end: rows of the whole, from 0; `end` is behind the last.
        digest: `ShardTexts.digest` of what `read` will give.
    """

    @property
    def start(self) -> int: ...

    @property
    def end(self) -> int: ...

    @property
    def digest(self) -> str: ...

    def read(self) -> ShardTexts:
        """The texts. InputError where they cannot be had."""
        ...


def place_of(shard: TextShard) -> str:
    """Which texts a shard has, for messages."""
    return f"texts {shard.start + 1:,} to {shard.end:,}"


@dataclass(frozen=True)
class HeldShard:
    """Texts that travel with their shard."""

    start: int
    texts: ShardTexts

    @property
    def end(self) -> int:
        """Behind the last row."""
        return self.start + len(self.texts.ids)

    @property
    def digest(self) -> str:
        """Of the texts."""
        return self.texts.digest

    def read(self) -> ShardTexts:
        """The texts."""
        return self.texts


@dataclass(frozen=True)
class FileShard:
    """Consecutive rows of a file.

    Attributes:
        path: of the file.
        before, byte: where they begin, as `Mark` has it.
        lang: of rows that name none.
    """

    path: Path
    before: int
    byte: int
    lang: str
    start: int
    end: int
    digest: str

    def read(self) -> ShardTexts:
        """The texts. InputError: the file is not there, or is another one than when it was cut."""
        rows = _rows(self.path, self.lang, Mark(self.before, self.byte))
        texts = _together(islice(rows, self.end - self.start))
        if texts.digest != self.digest:
            raise InputError(f"{self.path}: changed while it was encoded; start again when it is whole")
        return texts


def cut_files(paths: str | Path | Sequence[str | Path], size: int) -> list[FileShard]:
    """Shards of at most `size` rows, which never span two files. All files are read and checked once.

    Args:
        paths: JSON lines, CSV, TSV, Parquet (see `isoglot.data.readers`), a row per text: `id` (or `_id`, `docid`), `text` and,
            where they are known, `title` (put before the text) and `lang`. Rows without `lang` are taken to be in the language
            that their file is named after (`de.jsonl`), which is said.
        size: at least 1.

    Raises:
        LineError: a malformed row.
        InputError: no such file, an unknown format, no rows.
    """
    shards: list[FileShard] = []
    for path in map(Path, several(paths)):
        if not split_name(path)[1]:
            raise InputError(f"{path}: unknown format (texts come from {', '.join(FORMATS)})")
        own = list(_cut(path, size, shards[-1].end if shards else 0))
        if not own:
            raise InputError(f"{path}: no rows")
        shards += own
    return shards


def _cut(path: Path, size: int, start: int) -> Iterator[FileShard]:
    lang, mark, guessed = known_language(split_name(path)[0]), Mark(), set[int]()
    rows = _rows(path, lang, mark, guessed)
    while True:
        place = replace(mark)
        texts = _together(islice(rows, size))
        if not texts.ids:
            break
        end = start + len(texts.ids)
        yield FileShard(path.resolve(), place.before, place.byte, lang, start, end, texts.digest)
        start = end
    if guessed:
        say(
            f"{path}: rows without lang (line {min(guessed)} is the first) are taken to be in {lang}, after the file's name"
        )


def _together(rows: Iterator[tuple[str, str, str]]) -> ShardTexts:
    columns = list(zip(*rows)) or [(), (), ()]
    return ShardTexts(*map(list, columns))


def _rows(path: Path, lang: str, mark: Mark, guessed: set[int] | None = None) -> Iterator[tuple[str, str, str]]:
    """(id, language, text) of every row behind a mark, which moves along; `guessed` gets the first that has no language."""
    for line, row in valid(READERS[split_name(path)[1]](path, (), mark)):
        text = text_field(row, "text", path, line, _EXAMPLE, empty=True)
        if row.get("title"):
            text = f"{text_field(row, 'title', path, line, _EXAMPLE, empty=True).strip()} {text}".strip()
        if not text.strip():
            raise LineError(path, line, "there is no text to encode: 'text' (and 'title') is empty")
        told = _language(row, path, line)
        if lang and not told and guessed is not None and not guessed:
            guessed.add(line)
        yield _id(row, path, line), told or lang, text


def _id(row: dict[str, Any], path: Path, line: int) -> str:
    name = next((name for name in _IDS if row.get(name) not in (None, "")), _IDS[0])
    return str(id_field(row, name, path, line, _EXAMPLE))


def _language(row: dict[str, Any], path: Path, line: int) -> str:
    return (
        "" if row.get("lang") in (None, "") else language_at(text_field(row, "lang", path, line, _EXAMPLE), path, line)
    )
