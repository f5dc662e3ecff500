"""mMARCO (Bonifacio et al. 2021, arXiv 2108.13897): MS MARCO's training triples in 14 languages, parallel by id.

Files as in the dataset repository `unicamp-dl/mmarco`, on the hub or in a folder (there with or without the directories):

    data/triples.train.ids.small.tsv                     query id, id of a relevant passage, id of another, by tabs
    data/google/queries/train/<name>_queries.train.tsv   id, text
    data/google/collections/<name>_collection.tsv        id, text

The triples name a (query, passage) pair many times, each time with another irrelevant passage: here a pair comes once, with
the first few of those as negatives. Its id is `<query id>-<passage id>` in every language.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from isoglot.data.hub import hub_file
from isoglot.data.jsonl import lines
from isoglot.data.pairs.address import Place
from isoglot.errors import InputError, LineError, unknown
from isoglot.records import PairRow

REPO = "unicamp-dl/mmarco"
NAMES = {
    "ar": "arabic",
    "de": "german",
    "en": "english",
    "es": "spanish",
    "fr": "french",
    "hi": "hindi",
    "id": "indonesian",
    "it": "italian",
    "ja": "japanese",
    "nl": "dutch",
    "pt": "portuguese",
    "ru": "russian",
    "vi": "vietnamese",
    "zh": "chinese",
}
TRIPLES = "data/triples.train.ids.small.tsv"
QUERIES = "data/google/queries/train/{name}_queries.train.tsv"
COLLECTION = "data/google/collections/{name}_collection.tsv"


def read_mmarco(place: Place) -> Iterator[tuple[PairRow, str, int]]:
    """The pairs of mMARCO, one language after the other, each with the file and line of its query.

    Args:
        place: `hub` or a folder; options: `languages` (default: all 14, or those that the folder has), `limit` (so many
            pairs, the first in the order of the triples), `negatives` per pair (default 0).

    Raises:
        InputError: an unknown language or option, a missing file, an id without a text.
        LineError: a malformed line.
    """
    place.check("languages", "limit", "negatives")
    languages = place.languages or tuple(lang for lang in NAMES if place.hub or _find(place, QUERIES, lang))
    for lang in languages:
        if lang not in NAMES:
            raise unknown("language of mMARCO", lang, NAMES)
    if not languages:
        raise InputError(f"{place.spec}: no {QUERIES.rpartition('/')[2].format(name='<name>')} there")
    pairs = _pairs(_file(place, TRIPLES, ""), place.number("limit"), place.number("negatives") or 0)
    passages = {passage for _, passage in pairs} | {other for others in pairs.values() for other in others}
    queries = {query for query, _ in pairs}
    for lang in languages:
        path = _file(place, QUERIES, lang)
        asked = _texts(path, queries)
        collection = _file(place, COLLECTION, lang)
        found = {key: text for key, (text, _) in _texts(collection, passages).items()}
        for (query, passage), others in pairs.items():
            if query not in asked or passage not in found:
                what, where = (f"query {query}", path) if query not in asked else (f"passage {passage}", collection)
                raise InputError(f"{where}: {what} of {Path(TRIPLES).name} is missing")
            text, line = asked[query]
            negatives = tuple(found[other] for other in others if other in found)
            row = PairRow("mmarco", f"{query}-{passage}", lang, text, found[passage], passage, negatives)
            yield row, str(path), line


def _pairs(path: Path, limit: int | None, negatives: int) -> dict[tuple[str, str], list[str]]:
    """(query id, passage id) -> ids of negatives, in the order of the file."""
    pairs: dict[tuple[str, str], list[str]] = {}
    for number, line in lines(path):
        parts = line.split("\t")
        if len(parts) != 3 or not all(part.strip() for part in parts):
            raise LineError(path, number, f"expected 3 ids separated by tabs, found {len(parts)}")
        query, passage, other = (part.strip() for part in parts)
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
    found: dict[str, tuple[str, int]] = {}
    for number, line in lines(path):
        key, tab, text = line.partition("\t")
        if not tab:
            raise LineError(path, number, "expected an id, a tab and a text")
        if key in wanted and text.strip():
            found[key] = (text.strip(), number)
    return found


def _find(place: Place, template: str, lang: str) -> Path | None:
    path = template.format(name=NAMES.get(lang, ""))
    places = (place.folder / path, place.folder / path.removeprefix("data/"), place.folder / Path(path).name)
    return next((one for one in places if one.is_file()), None)


def _file(place: Place, template: str, lang: str) -> Path:
    path = template.format(name=NAMES.get(lang, ""))
    if place.hub:
        return hub_file(REPO, path, f"put it into a folder and name that: mmarco:DIR instead of {place.spec}")
    found = _find(place, template, lang)
    if found is None:
        raise InputError(f"{place.spec}: no {path} (or {Path(path).name}) in {place.folder}")
    return found
