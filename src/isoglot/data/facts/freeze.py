"""Make a version of the built-in facts of the CLDR data inside Babel: `python -m isoglot.data.facts.freeze VERSION`.

Nothing else of isoglot reads names from Babel's locales: `frozen.py` reads what this wrote. See `versions/README.md`.
"""

from __future__ import annotations

import json
import lzma
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.metadata import version as version_of
from typing import Any

from babel.core import get_cldr_version

from isoglot.data.facts.frozen import FOLDER, Wordings
from isoglot.data.facts.generate import fact_of
from isoglot.data.facts.items import PASSAGES_OF, SOURCES, Item
from isoglot.data.facts.names import name_of
from isoglot.data.facts.wordings import CORE, LANGUAGES, wording
from isoglot.files import atomic_path
from isoglot.records import PairRow

HELD_OUT = ("week-start", "decimal-separator")
"""Relations kept out of training; their passages serve as distractors of a benchmark."""

RELATIONS = tuple(name for name in SOURCES if name not in HELD_OUT)
"""Relations used for training."""

Owners = dict[tuple[str, str, str], str | None]
"""(language, query or passage, text) -> the id that it belongs to."""


def contents() -> dict[str, Any]:
    """What a version made now holds, as plain JSON values; see `frozen.Frozen`."""
    items = core_items()
    return {
        "made_with": {"cldr": get_cldr_version(), "babel": version_of("babel")},
        "items": items,
        "passages_of": PASSAGES_OF,
        "held_out": HELD_OUT,
        "languages": {
            lang: {
                "templates": wording(lang).templates,
                "capitals": wording(lang).capitals,
                "names": _names(items, lang),
                "lacks": lacking(items, lang),
            }
            for lang in LANGUAGES
        },
    }


@cache
def core_items() -> dict[str, list[Item]]:
    """Relation to the items that all of `CORE` have.

    All relations are gone through together because a text may occur once only, across relations too; RELATIONS come first, so
    that a clash costs a distractor and not a training pair.
    """
    owners: Owners = {}
    items: dict[str, list[Item]] = {}
    for relation in RELATIONS + HELD_OUT:
        items[relation] = []
        for key, slots in SOURCES[relation]():
            parallel = [fact for lang in CORE if (fact := fact_now(relation, key, slots, lang))]
            if len(parallel) == len(CORE) and _claim_texts(parallel, owners):
                items[relation].append((key, slots))
    return items


def lacking(items: Mapping[str, Iterable[Item]], lang: str) -> list[str]:
    """The ids of the facts that a language lacks a name for, or whose texts are those of an earlier fact there."""
    if lang in CORE:
        return []
    owners: Owners = {}
    facts = (
        (f"{name}/{key}", fact_now(name, key, slots, lang)) for name, listed in items.items() for key, slots in listed
    )
    return [fact_id for fact_id, fact in facts if not (fact and _claim_texts([fact], owners))]


def fact_now(relation: str, key: str, slots: Mapping[str, str], lang: str) -> PairRow | None:
    """The fact by Babel's names, or None if one is missing in the language or the question would hold its answer."""
    named = {slot: name_of(slot, value, lang) for slot, value in _all_slots(slots)}
    names = {slot: name for slot, name in named.items() if name is not None}
    if len(names) < len(named) or (lang not in CORE and _is_circular(slots, names, lang)):
        return None
    own = Wordings(wording(lang).templates, wording(lang).capitals, {}, frozenset())
    return fact_of(own, relation, PASSAGES_OF.get(relation, relation), key, names, lang)


def _names(items: Mapping[str, Iterable[Item]], lang: str) -> dict[str, dict[str, str]]:
    """Slot -> value -> name, of all names that are not the value itself."""
    names: dict[str, dict[str, str]] = {}
    for _, slots in (item for listed in items.values() for item in listed):
        for slot, value in _all_slots(slots):
            name = name_of(slot, value, lang)
            if name is not None and name != value:
                names.setdefault(slot, {})[value] = name
    return names


def _all_slots(slots: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """(slot, value) of an item, and of what its templates may ask for besides."""
    yield from slots.items()
    if "territory" in slots:
        yield "in_territory", slots["territory"]


def _claim_texts(parallel: Iterable[PairRow], owners: Owners) -> bool:
    """Remember whose texts these are; False where a query is there already, or a passage under another id."""
    sides = [(fact, *side) for fact in parallel for side in (("query", fact.id), ("passage", fact.passage_id))]
    texts = {(fact.lang, side, getattr(fact, side).casefold()): owner for fact, side, owner in sides}
    is_new = all(owners.get(text, owner) == owner for text, owner in texts.items())
    owners.update(texts if is_new else {})
    return is_new


def _is_circular(slots: Mapping[str, str], names: Mapping[str, str], lang: str) -> bool:
    """A town called like its country, or what a language calls itself; `items` keeps both out of `CORE`."""
    city, territory = names.get("city"), names.get("territory")
    if city and territory:
        return city in territory or territory in city
    return "endonym" in slots and slots["language"] == lang


def main(version: int) -> None:
    """Write a version. One that is there stays as it is: whoever trained or measured with it has its texts."""
    path = FOLDER / f"facts-{version}.json.xz"
    if path.exists():
        raise SystemExit(f"{path}: a version never changes; make another one")
    text = json.dumps(contents(), ensure_ascii=False, separators=(",", ":"))
    with atomic_path(path) as temporary:
        temporary.write_bytes(lzma.compress(text.encode(), preset=9 | lzma.PRESET_EXTREME))


if __name__ == "__main__":
    main(int(sys.argv[1]))
