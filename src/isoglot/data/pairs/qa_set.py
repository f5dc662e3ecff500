"""English question-answer sets in the formats of their repositories on the hub, as pairs in one language.

A set is Parquet or JSON-lines files on the hub, or in a folder, there under the same paths or directly.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from isoglot.data.pairs.address import SetAddress
from isoglot.data.pairs.source import Item, Place, Source
from isoglot.data.readers import READERS, id_field, split_name, text_field, valid
from isoglot.errors import InputError, LineError, say
from isoglot.hub import hub_file, hub_repo, show_download
from isoglot.records import PairRow

_ENDINGS = (".parquet", ".jsonl", ".jsonl.gz")


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

    def read_on(self, spec: str, data_dir: Path | None, place: Place) -> Iterator[Item]:
        """The pairs of the set, each with its file and row; files are fetched as they are read.

        Raises:
            InputError: no such file, no such column, an unknown option.
        """
        address, left_out = SetAddress.parse(spec, "limit"), 0
        texts = self.texts(address)

        def rows() -> Iterator[Item]:
            nonlocal left_out
            for path in self.files(address, place):
                behind = replace(place.mark)
                for line, fields in valid(READERS[split_name(path)[1]](path, (), behind)):
                    found = self.pairs(line, fields, path)
                    items = [item for pair in found if (item := self._item(pair, path, texts))]
                    left_out += len(found) - len(items)
                    yield from place.give(items, behind)
                place.next_file()

        yield from address.first(rows(), place.rows)
        if left_out:
            say(f"{spec}: {left_out:,} pairs left out: question or passage is empty")

    def _item(self, pair: QaPair, path: Path, texts: Mapping[str, str]) -> Item | None:
        """The pair as a row; None where a side is empty."""
        query, passage = pair.query.strip(), (pair.passage or texts.get(str(pair.passage_id), "")).strip()
        if not (query and passage):
            return None
        row = PairRow(self.name, f"{path.name.split('.')[0]}-{pair.id}", "en", query, passage, pair.passage_id)
        return row, str(path), pair.row

    def texts(self, address: SetAddress) -> Mapping[str, str]:
        """Passages by id, for pairs that come without; by default none do."""
        return {}

    def pairs(self, number: int, fields: Mapping[str, Any], path: Path) -> list[QaPair]:
        """The pairs in a row of a file; those with an empty side are left out by the caller."""
        needed = [self.query, self.passage, *([self.keep[0]] if self.keep else [])]
        if missing := [name for name in needed if name not in fields]:
            raise LineError(path, number, f"column '{missing[0]}' is missing; found {', '.join(fields)}")
        if self.keep and fields[self.keep[0]] != self.keep[1]:
            return []
        query, passage = (optional_text(fields, name, path, number) for name in (self.query, self.passage))
        return [QaPair(number, str(number), query, passage, id_field(fields, self.passage_id, path, number))]

    def files(self, address: SetAddress, place: Place) -> Iterator[Path]:
        """The training files in the order of their names, from a place on, each fetched when it is asked for.

        Raises:
            InputError: there is none.
        """
        names: Sequence[str | Path]
        if address.is_hub:
            known = hub_repo(self.repo, address.way_out, place.revision or None)
            place.revision = known.commit
            names = sorted(name for name in known.sizes if name.startswith(self.start) and name.endswith(_ENDINGS))
            show_download(known, map(str, names))
        else:
            start = Path(self.start)
            listings = (sorted(root.glob(f"{start.name}*")) for root in (address.folder / start.parent, address.folder))
            listings = ([path for path in paths if path.name.endswith(_ENDINGS)] for paths in listings)
            names = next((paths for paths in listings if paths), [])
        if not names:
            raise InputError(
                f"{address.spec}: no {self.start}* ({', '.join(_ENDINGS)}) there, as in the dataset {self.repo}"
            )
        rest = names[place.file :]
        return (
            name if isinstance(name, Path) else hub_file(self.repo, name, address.way_out, place.revision)
            for name in rest
        )
