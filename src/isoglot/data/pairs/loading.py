"""Reading sources one after the other, row by row."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from isoglot.data.languages import language
from isoglot.data.pairs.packed import is_packed, open_packed
from isoglot.data.pairs.source import Place, each_once, read_source
from isoglot.data.pairs.table import PairTable
from isoglot.errors import InputError, LineError, say
from isoglot.processes import processes
from isoglot.records import PairRow, several


@dataclass
class Reading:
    """How far `read_pairs` has come; it moves with every row.

    Attributes:
        spec: number of the source that is read.
        place: the place in it.
        present: languages of the rows so far.
    """

    spec: int = 0
    place: Place = field(default_factory=Place)
    present: set[str] = field(default_factory=set)


def load_pairs(
    sources: str | Path | Iterable[str | Path],
    *,
    languages: str | Sequence[str] | None = None,
    data_dir: str | Path | None = None,
) -> PairTable:
    """Load parallel pairs.

    Args:
        sources: files with the columns id, lang, query, passage and optionally passage_id, document_id, negatives, source, or
            another form that `isoglot list sources` lists, such as `facts:` or `lareqa:DIR`.
            Rows with the same (source, id) are translations of each other; `source` defaults to the file's stem.
            A folder that `isoglot data pack` wrote, alone and in all its languages, is memory-mapped and not read.
        languages: keep these only.
        data_dir: where named LAReQA folders (`lareqa:xquad-r`) are looked for first.

    Raises:
        InputError: a missing file, the first malformed line (file, line, what), a duplicate row, an unknown language,
            a language that does not occur, no rows.

    >>> table = load_pairs("facts:de,en?relations=endonym")
    >>> table.languages, table.index.n_pairs == len(table) // 2
    (('de', 'en'), True)
    """
    specs, wanted = each_once(several(sources)), None if languages is None else several(languages)
    if len(specs) == 1 and languages is None and is_packed(specs[0]):
        table: PairTable = open_packed(Path(specs[0]))
    else:
        home = None if data_dir is None else Path(data_dir)
        table = PairTable.from_rows([row for row, _, _ in read_pairs(specs, wanted, home, unique=True)])
    say_bitext(table.index.bitext)
    return table


def say_bitext(sources: Sequence[str]) -> None:
    """One line on the sources that are plain bitext, by the first of several processes."""
    if sources and processes().first:
        say(
            f"{', '.join(sources)}: plain bitext, no questions and answers (query and passage of a row are one text): it aligns "
            "languages in batches of several of them; batches of one language leave it out"
        )


def find_duplicate(row: PairRow, seen: dict[tuple[str, str, str], str], path: str, line: int) -> LineError | None:
    """A LineError where (source, id, lang) of `row` was seen before; else remembers it."""
    key = (row.source, row.id, row.lang)
    if first := seen.get(key):
        return duplicate_row(*key, first, path, line)
    seen[key] = f"{path}:{line}"
    return None


def duplicate_row(source: str, key: str, lang: str, first: str, path: str, line: int) -> LineError:
    """The error for a second row with one (source, id, lang)."""
    return LineError(path, line, f"duplicate row: id '{key}' in '{lang}' of source '{source}' is already at {first}")


def read_pairs(
    specs: Sequence[str],
    languages: Collection[str] | None,
    data_dir: Path | None,
    *,
    unique: bool,
    reading: Reading | None = None,
) -> Iterator[tuple[PairRow, str, int]]:
    """The rows of all sources with their files and lines.

    Args:
        specs: see `isoglot.data.pairs.source.read_source`.
        languages: only the rows in these; None: all.
        unique: two rows with one (source, id, lang) are an error.
        reading: begin where an earlier one stopped (so without `unique`).

    Raises:
        InputError: the first malformed line or duplicate row, a language that does not occur, no rows.
    """
    wanted = None if languages is None else {language(code) for code in languages}
    reading = reading or Reading()
    present = reading.present
    seen: dict[tuple[str, str, str], str] = {}
    while reading.spec < len(specs):
        for row, path, line in read_source(specs[reading.spec], data_dir, reading.place):
            if isinstance(row, LineError):
                raise row
            if unique and (problem := find_duplicate(row, seen, path, line)):
                raise problem
            present.add(row.lang)
            if wanted is None or row.lang in wanted:
                yield row, path, line
        reading.spec, reading.place = reading.spec + 1, Place()
    check_present(", ".join(specs), wanted or (), present)
    if not (present if wanted is None else present & wanted):
        raise InputError(f"{', '.join(specs) or 'pairs'}: no rows")


def check_present(what: str, wanted: Collection[str], present: Collection[str]) -> None:
    """InputError where `what` has no pairs in some of the wanted languages."""
    if absent := sorted(set(wanted) - set(present)):
        there = ", ".join(sorted(present)) or "none"
        raise InputError(f"{what}: no pairs in {', '.join(absent)} (languages there: {there})")
