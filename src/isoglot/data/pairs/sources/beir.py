"""Folders in BEIR's layout (Thakur et al. 2021, arXiv 2104.08663), whose judgements are training pairs.

    corpus.jsonl          {"_id", "title", "text"}        also .gz
    queries.jsonl         {"_id", "text"}                 also .gz
    qrels/<split>.tsv     a header, then query id, passage id, score, by tabs; relevant from score 1 on

The layout was read in the data loader of beir-cellar/beir (`beir/datasets/data_loader.py`) and in the cards of its datasets.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from isoglot.data.languages import language
from isoglot.data.pairs.address import SetAddress
from isoglot.data.pairs.source import SOURCES, Item, Place, Source
from isoglot.data.readers import Mark, id_field, json_rows, lines, text_field, valid
from isoglot.errors import InputError, LineError, say
from isoglot.files import first_file
from isoglot.places import BEIR, what_is
from isoglot.records import PairRow

_HINT = "expected _id and text"
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")


class Beir(Source):
    """A folder in BEIR's layout: judged pairs; options split (train), lang (en), passage (title+text or text), source, limit."""

    name = "beir"
    form = "beir:DIR"

    def takes(self, spec: str) -> bool:
        return super().takes(spec) or what_is(spec) == BEIR

    def read_on(self, spec: str, data_dir: Path | None, place: Place) -> Iterator[Item]:
        """The pairs in the order of the corpus, which goes by once: only queries and judgements are held.

        The id of a pair is `<query id>-<passage id>`: folders of several languages with one `source` are parallel.

        Raises:
            InputError: a missing file, no judgement, an unknown option.
            LineError: a malformed line.
        """
        spec = spec if super().takes(spec) else f"beir:{spec}"
        address = SetAddress.parse(spec, "split", "lang", "passage", "source", "limit", remote="")
        titles = address.choice("passage", ("title+text", "text")) == "title+text"
        lang = language(address.options.get("lang", "en"))
        if "lang" not in address.options and not place.rows:
            say(f"{spec}: taken to be English; give ?lang=CODE where it is not")
        source = address.options.get("source") or address.folder.resolve().name
        corpus, asked_by = (_file(address, name) for name in ("corpus", "queries"))
        judged = _judged(address.folder / "qrels" / f"{address.options.get('split', 'train')}.tsv", spec)
        queries = _queries(asked_by, {query for asked in judged.values() for query in asked})
        behind, found = replace(place.mark), 0

        def rows() -> Iterator[Item]:
            nonlocal found
            for line, passage in _passages(corpus, behind, titles):
                items: list[Item] = []
                for query in judged.get(passage[0], ()):
                    if query in queries:
                        row = PairRow(source, f"{query}-{passage[0]}", lang, queries[query], passage[1], passage[0])
                        items.append((row, str(corpus), line))
                found += passage[0] in judged
                yield from place.give(items, behind)

        is_whole = not (place.rows or address.options.get("limit"))
        yield from address.first(rows(), place.rows)
        without = sum(query not in queries for asked in judged.values() for query in asked)
        if is_whole and (without or found < len(judged)):
            say(
                f"{spec}: {len(judged) - found:,} judged passages and the queries of {without:,} judgements are not there"
            )


def _file(address: SetAddress, name: str) -> Path:
    if path := first_file(address.folder / f"{name}.jsonl{gz}" for gz in ("", ".gz")):
        return path
    raise InputError(
        f"{address.spec}: no {name}.jsonl in {address.folder}; expected corpus.jsonl, queries.jsonl, qrels/"
    )


def _judged(path: Path, spec: str) -> dict[str, list[str]]:
    """Ids of the queries that each passage answers, by its id. InputError: no file, none that is relevant."""
    if not path.is_file():
        there = ", ".join(sorted(other.stem for other in path.parent.glob("*.tsv"))) or "none"
        raise InputError(f"{spec}: no split {path.stem} in {path.parent} (there: {there}); give ?split=NAME")
    judged: dict[str, list[str]] = defaultdict(list)
    for number, line in lines(path):
        cells = [cell.strip() for cell in line.split("\t")]
        if len(cells) != 3 or not all(cells):
            raise LineError(
                path, number, f"expected query id, passage id and score, separated by tabs; found {len(cells)}"
            )
        if not _NUMBER.fullmatch(cells[2]):
            if number == 1:  # the header
                continue
            raise LineError(path, number, f"the score '{cells[2][:80]}' is no number")
        if float(cells[2]) > 0 and cells[0] not in judged[cells[1]]:
            judged[cells[1]].append(cells[0])
    judged = {passage: asked for passage, asked in judged.items() if asked}
    if not judged:
        raise InputError(f"{path}: no relevant passage in it")
    return judged


def _queries(path: Path, wanted: set[str]) -> dict[str, str]:
    """Texts of the queries by id."""
    queries: dict[str, str] = {}
    for number, fields in valid(json_rows(path)):
        key = str(id_field(fields, "_id", path, number, _HINT))
        if key in queries:
            raise LineError(path, number, f"_id '{key}' occurs twice")
        if key in wanted:
            queries[key] = text_field(fields, "text", path, number, _HINT).strip()
    return queries


def _passages(path: Path, mark: Mark, titles: bool) -> Iterator[tuple[int, tuple[str, str]]]:
    """(line, (id, text)) of the passages that have a text, from a mark on."""
    for number, fields in valid(json_rows(path, mark=mark)):
        key = str(id_field(fields, "_id", path, number, _HINT))
        text = text_field(fields, "text", path, number, _HINT, empty=True).strip()
        title = fields.get("title")
        if titles and title is not None:
            text = f"{text_field(fields, 'title', path, number, _HINT, empty=True).strip()} {text}".strip()
        if text:
            yield number, (key, text)


SOURCES.register(Beir())
