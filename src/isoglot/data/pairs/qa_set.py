"""English question-answer sets in the formats of their repositories on the hub, as pairs in one language.

A set is Parquet or JSON-lines files on the hub, or in a folder, there under the same paths or directly.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from isoglot.data.pairs.address import SetAddress
from isoglot.data.pairs.source import Item, Source
from isoglot.data.readers import READERS, id_field, split_name, text_field, valid
from isoglot.errors import InputError, LineError, say
from isoglot.hub import hub_file, hub_listing
from isoglot.records import PairRow

_ENDINGS = (".parquet", ".jsonl", ".jsonl.gz")
Rows = Iterable[tuple[int, Mapping[str, Any]]]


class QaPair(NamedTuple):
    """A pair, the row it stands on, and its id within its file."""

    row: int
    id: str
    query: str
    passage: str
    passage_id: str | None = None


def optional_text(fields: Mapping[str, Any], key: str, path: Path, line: int) -> str:
    """The text of a field, "" where there is none. LineError for another type."""
    return "" if fields.get(key) is None else text_field(fields, key, path, line, "", empty=True)


def objects(fields: Mapping[str, Any], key: str, path: Path, line: int) -> list[dict[str, Any]]:
    """The objects of a field that is a list of them, [] where there is none. LineError for another type."""
    values = [] if fields.get(key) is None else fields[key]
    if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
        raise LineError(path, line, f"field '{key}' must be a list of objects")
    return values


@dataclass(frozen=True)
class QaSet(Source):
    """A set with one column for the question and one for the passage; option limit: the first so many pairs.

    Attributes:
        help: one line.
        repo: dataset repository.
        start: of the paths of its training files there.
        query, passage: columns.
        passage_id: column by which rows over one passage are known; "": none.
        keep: column and value of the rows that are pairs; None: all rows.
    """

    name: str
    help: str
    repo: str
    start: str
    query: str = "question"
    passage: str = "answer"
    passage_id: str = ""
    keep: tuple[str, object] | None = None

    def read(self, spec: str, data_dir: Path | None) -> Iterator[Item]:
        """The pairs of the set, each with its file and row.

        Raises:
            InputError: no such file, no such column, an unknown option.
        """
        address = SetAddress.parse(spec, "limit")
        left_out = 0

        def filled() -> Iterator[tuple[Path, QaPair]]:
            nonlocal left_out
            for path in self._files(address):
                for pair in self.pairs(valid(READERS[split_name(path)[1]](path, ())), path, address):
                    if pair.query.strip() and pair.passage.strip():
                        yield path, pair
                    else:
                        left_out += 1

        for path, pair in islice(filled(), address.number("limit")):
            key = f"{path.name.split('.')[0]}-{pair.id}"
            row = PairRow(self.name, key, "en", pair.query.strip(), pair.passage.strip(), pair.passage_id)
            yield row, str(path), pair.row
        if left_out:
            say(f"{spec}: {left_out:,} pairs left out: question or passage is empty")

    def pairs(self, rows: Rows, path: Path, address: SetAddress) -> Iterator[QaPair]:
        """The pairs in the rows of a file; those with an empty side are left out by the caller."""
        needed = [self.query, self.passage, *([self.keep[0]] if self.keep else [])]
        for number, fields in rows:
            if missing := [name for name in needed if name not in fields]:
                raise LineError(path, number, f"column '{missing[0]}' is missing; found {', '.join(fields)}")
            if self.keep and fields[self.keep[0]] != self.keep[1]:
                continue
            query, passage = (optional_text(fields, name, path, number) for name in (self.query, self.passage))
            yield QaPair(number, str(number), query, passage, id_field(fields, self.passage_id, path, number))

    def _files(self, address: SetAddress) -> list[Path]:
        """The training files, in the order of their names."""
        if address.is_hub:
            names = sorted(hub_listing(self.repo, address.way_out))
            names = [name for name in names if name.startswith(self.start) and name.endswith(_ENDINGS)]
            files = [hub_file(self.repo, name, address.way_out) for name in names]
        else:
            start = Path(self.start)
            listings = (sorted(root.glob(f"{start.name}*")) for root in (address.folder / start.parent, address.folder))
            listings = ([path for path in paths if path.name.endswith(_ENDINGS)] for paths in listings)
            files = next((paths for paths in listings if paths), [])
        if not files:
            raise InputError(
                f"{address.spec}: no {self.start}* ({', '.join(_ENDINGS)}) there, as in the dataset {self.repo}"
            )
        return files
