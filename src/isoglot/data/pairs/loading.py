"""Reading sources one after the other, row by row."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from isoglot.data.languages import language
from isoglot.data.pairs.source import read_source
from isoglot.errors import InputError, LineError
from isoglot.records import PairRow


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
    specs: Sequence[str], languages: Collection[str] | None, data_dir: Path | None, *, unique: bool
) -> Iterator[tuple[PairRow, str, int]]:
    """The rows of all sources with their files and lines.

    Args:
        specs: see `isoglot.data.pairs.source.read_source`.
        languages: only the rows in these; None: all.
        unique: two rows with one (source, id, lang) are an error.

    Raises:
        InputError: the first malformed line or duplicate row, a language that does not occur, no rows.
    """
    wanted = None if languages is None else {language(code) for code in languages}
    present: set[str] = set()
    seen: dict[tuple[str, str, str], str] = {}
    for spec in specs:
        for row, path, line in read_source(spec, data_dir):
            if isinstance(row, LineError):
                raise row
            if unique and (problem := find_duplicate(row, seen, path, line)):
                raise problem
            present.add(row.lang)
            if wanted is None or row.lang in wanted:
                yield row, path, line
    check_present(", ".join(specs), wanted or (), present)
    if not (present if wanted is None else present & wanted):
        raise InputError(f"{', '.join(specs) or 'pairs'}: no rows")


def check_present(what: str, wanted: Collection[str], present: Collection[str]) -> None:
    """InputError where `what` has no pairs in some of the wanted languages."""
    if absent := sorted(set(wanted) - set(present)):
        there = ", ".join(sorted(present)) or "none"
        raise InputError(f"{what}: no pairs in {', '.join(absent)} (languages there: {there})")
