"""mMARCO (Bonifacio et al. 2021, arXiv 2108.13897): MS MARCO's training triples in 14 languages, parallel by id.

Files as in the dataset repository `unicamp-dl/mmarco`, on the hub or in a folder (there with or without the directories):

    data/triples.train.ids.small.tsv                     query id, id of a relevant passage, id of another, by tabs
    data/google/queries/train/<name>_queries.train.tsv   id, text
    data/google/collections/<name>_collection.tsv        id, text

The triples name a (query, passage) pair many times, each time with another irrelevant passage: here a pair comes once, with
the first few of those as negatives. Its id is `<query id>-<passage id>` in every language. The layout is that of the repository's
files and of its loading script `mmarco.py`, which is not run.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from isoglot.data.pairs.address import SetAddress
from isoglot.data.pairs.source import SOURCES, Item, Place, Source
from isoglot.data.readers import lines
from isoglot.errors import InputError, LineError, unknown
from isoglot.records import PairRow

REPO = "unicamp-dl/mmarco"
_CODES = "ar de en es fr hi id it ja nl pt ru vi zh"
_WORDS = (
    "arabic german english spanish french hindi indonesian italian japanese dutch portuguese russian vietnamese chinese"
)
NAMES = dict(zip(_CODES.split(), _WORDS.split(), strict=True))
TRIPLES = "data/triples.train.ids.small.tsv"
QUERIES = "data/google/queries/train/{name}_queries.train.tsv"
COLLECTION = "data/google/collections/{name}_collection.tsv"


class Mmarco(Source):
    """mMARCO: MS MARCO's training pairs in 14 languages; options languages, limit, negatives (per pair)."""

    name = "mmarco"

    def read_on(self, spec: str, data_dir: Path | None, place: Place) -> Iterator[Item]:
        """The pairs, one language after the other, each with the file and line of its query.

        Options: `languages` (default: all 14, or those that the folder has), `limit` (so many pairs, the first in the order of
        the triples), `negatives` per pair (default 0).

        Raises:
            InputError: an unknown language or option, a missing file, an id without a text.
            LineError: a malformed line.
        """
        address = SetAddress.parse(spec, "languages", "limit", "negatives")
        languages = address.languages or tuple(
            lang for lang, name in NAMES.items() if address.is_hub or address.find(QUERIES.format(name=name))
        )
        for lang in languages:
            if lang not in NAMES:
                raise unknown("language of mMARCO", lang, NAMES)
        if not languages:
            raise InputError(f"{spec}: no {QUERIES.rpartition('/')[2].format(name='<name>')} there")
        files = {lang: [form.format(name=NAMES[lang]) for form in (QUERIES, COLLECTION)] for lang in languages}
        address.show(REPO, [TRIPLES, *(path for paths in files.values() for path in paths)])
        pairs = _pairs(address.file(REPO, TRIPLES), address.number("limit"), address.number("negatives") or 0)
        for lang in languages[place.file :]:
            path, collection = (address.file(REPO, name) for name in files[lang])
            for item in islice(_in_language(lang, pairs, path, collection), place.within, None):
                place.rows, place.within = place.rows + 1, place.within + 1
                yield item
            place.next_file()


def _in_language(lang: str, pairs: dict[tuple[str, str], list[str]], path: Path, collection: Path) -> Iterator[Item]:
    queries = _texts(path, {query for query, _ in pairs})
    wanted = {passage for _, passage in pairs} | {other for others in pairs.values() for other in others}
    passages = {key: text for key, (text, _) in _texts(collection, wanted).items()}
    for (query, passage), others in pairs.items():
        for key, texts, what, file in ((query, queries, "query", path), (passage, passages, "passage", collection)):
            if key not in texts:
                raise InputError(f"{file}: {what} {key} of {Path(TRIPLES).name} is missing")
        text, line = queries[query]
        negatives = tuple(passages[other] for other in others if other in passages)
        row = PairRow(Mmarco.name, f"{query}-{passage}", lang, text, passages[passage], passage, negatives)
        yield row, str(path), line


def _pairs(path: Path, limit: int | None, negatives: int) -> dict[tuple[str, str], list[str]]:
    """(query id, passage id) -> ids of negatives, in the order of the file."""
    pairs: dict[tuple[str, str], list[str]] = {}
    for number, line in lines(path):
        ids = [key.strip() for key in line.split("\t")]
        if len(ids) != 3 or not all(ids):
            raise LineError(path, number, f"expected 3 ids separated by tabs, found {len(ids)}")
        query, passage, other = ids
        if (query, passage) not in pairs and limit is not None and len(pairs) >= limit:
            if not negatives:
                break
            continue
        kept = pairs.setdefault((query, passage), [])
        if len(kept) < negatives and other not in kept:
            kept.append(other)
    if not pairs:
        raise InputError(f"{path}: no triple in it")
    return pairs


def _texts(path: Path, wanted: set[str]) -> dict[str, tuple[str, int]]:
    """Text and line by id, of the wanted ids only."""
    texts: dict[str, tuple[str, int]] = {}
    for number, line in lines(path):
        key, tab, text = line.partition("\t")
        if not tab:
            raise LineError(path, number, "expected an id, a tab and a text")
        if key in wanted and text.strip():
            texts[key] = (text.strip(), number)
    return texts


SOURCES.register(Mmarco())
