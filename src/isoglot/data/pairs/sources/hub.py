"""Any dataset on the Hugging Face hub whose rows hold a query and a passage, by the names of its columns.

    hub:sentence-transformers/gooaq?query=question&passage=answer
    hub:owner/name?config=de&split=train&query=question&passage=answers.text&lang=de&id=id

Which files are read: `isoglot.data.pairs.hub_files`. They are fetched one after the other and read a row group at a time.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from isoglot.data.languages import language
from isoglot.data.pairs.address import parse_options
from isoglot.data.pairs.hub_files import matches, readable, split_files
from isoglot.data.pairs.source import SOURCES, Item, Place, Source
from isoglot.data.readers import READERS, id_field, split_name, text_field
from isoglot.errors import InputError, LineError, say
from isoglot.hub import HubRepo, hub_file, hub_repo, show_download
from isoglot.records import PairRow

_COLUMNS = ("query", "passage", "id", "passage_id", "document_id", "lang_column")
_OPTIONS = (*_COLUMNS, "lang", "config", "split", "files", "revision", "source", "limit")
_REPO = re.compile(r"[\w.-]+(/[\w.-]+)?")
_WAY_OUT = "or put its rows into a file (isoglot list sources)"


class Hub(Source):
    """Any dataset on the hub by its columns; options query, passage, lang or lang_column, id, config, split and others.

    Others are passage_id and document_id (columns), files (a pattern), revision, source (its name in the rows), limit.
    """

    name = "hub"
    form = "hub:OWNER/NAME?query=COLUMN&passage=COLUMN&lang=CODE"

    def read_on(self, spec: str, data_dir: Path | None, place: Place) -> Iterator[Item]:
        """The rows of a split. Those without a query or passage are left out and counted; of a list of texts the first is taken.

        Without `id`, a row's id is its file and number, and no row has a translation.

        Raises:
            InputError: no such repository, split or option; the hub cannot be reached.
        """
        repo, options = _parse(spec)
        known, paths = _paths(repo, options, place)
        place.revision = known.commit
        show_download(known, paths)
        counts: Counter[str] = Counter()

        def rows() -> Iterator[Item]:
            for name in paths[place.file :]:
                path = hub_file(repo, name, _WAY_OUT, known.commit)
                behind = replace(place.mark)
                for line, fields in READERS[split_name(path)[1]](path, (), behind):
                    row = (
                        fields
                        if isinstance(fields, LineError)
                        else _row(repo, options, name, fields, path, line, counts)
                    )
                    yield from place.give([] if row is None else [(row, str(path), line)], behind)
                place.next_file()

        limit = int(options["limit"]) - place.rows if "limit" in options else None
        yield from islice(rows(), limit)
        if counts["empty"]:
            say(f"{spec}: {counts['empty']:,} rows left out: query or passage is empty")
        if counts["several"]:
            say(f"{spec}: {counts['several']:,} texts are lists of several; the first of each is taken")


def _parse(spec: str) -> tuple[str, dict[str, str]]:
    """(repository, options). InputError for what is missing or malformed."""
    repo, _, query = spec.partition(":")[2].partition("?")
    options = parse_options(spec, query, _OPTIONS)
    if not _REPO.fullmatch(repo):
        raise InputError(f"{spec}: expected {Hub.form}")
    if missing := [name for name in ("query", "passage") if name not in options]:
        raise InputError(f"{spec}: name the column of the {missing[0]}: {missing[0]}=COLUMN")
    if ("lang" in options) == ("lang_column" in options):
        raise InputError(f"{spec}: say the language, either for all rows (lang=en) or by a column (lang_column=COLUMN)")
    if "lang" in options:
        options["lang"] = language(options["lang"])
    if not re.fullmatch("[0-9]{1,18}", options.get("limit", "0")):
        raise InputError(f"{spec}: limit={options['limit']}: expected a whole number")
    return repo, options


def _paths(repo: str, options: Mapping[str, str], place: Place) -> tuple[HubRepo, list[str]]:
    revision = place.revision or options.get("revision")
    if "files" not in options:
        return split_files(repo, options.get("config"), options.get("split", "train"), _WAY_OUT, revision)
    known = hub_repo(repo, _WAY_OUT, revision)
    if not (paths := [path for path in known.sizes if matches(path, options["files"])]):
        raise InputError(f"{repo} on the hub: no file fits files={options['files']}")
    return known, readable(repo, paths)


def _row(
    repo: str,
    options: Mapping[str, str],
    name: str,
    fields: Mapping[str, Any],
    path: Path,
    line: int,
    counts: Counter[str],
) -> PairRow | LineError | None:
    """The row of some fields; None where a side is empty."""
    try:
        found = {key: _value(fields, options[key], path, line) for key in _COLUMNS if key in options}
        query, passage = (_text(found[key], options[key], path, line, counts) for key in ("query", "passage"))
        if not (query and passage):
            counts["empty"] += 1
            return None
        hint = "expected an id in every row"
        own = id_field({"id": found["id"]}, "id", path, line, hint) if "id" in options else None
        ids = [id_field(found, key, path, line) for key in ("passage_id", "document_id")]
        lang = options.get("lang") or text_field(found, "lang_column", path, line, "expected a language in every row")
        # without ids, rows of two configurations must not look like translations of each other
        key = own or f"{name}:{line}"
        return PairRow(options.get("source", repo), key, lang, query, passage, ids[0], (), ids[1])
    except LineError as problem:
        return problem


def _value(fields: Mapping[str, Any], column: str, path: Path, line: int) -> Any:
    """The value of a column, `outer.inner` for a field inside one. LineError where there is no such column."""
    value: Any = fields
    for part in [column] if column in fields else column.split("."):
        if value is None:  # an object that a row does not have
            return None
        if not isinstance(value, Mapping) or part not in value:
            raise LineError(path, line, f"column '{column}' is missing; found {', '.join(map(str, fields))[:200]}")
        value = value[part]
    return value


def _text(value: Any, column: str, path: Path, line: int, counts: Counter[str]) -> str:
    """The text of a value, "" for none; of a list the first one."""
    if isinstance(value, list):
        counts["several"] += len(value) > 1
        value = value[0] if value else None
    return "" if value is None else text_field({column: value}, column, path, line, "", empty=True).strip()


SOURCES.register(Hub())
