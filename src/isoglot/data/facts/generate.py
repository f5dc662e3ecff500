"""`facts:` parallel question-answer pairs generated from the CLDR data that Babel ships.

Every pair exists in all of `CORE` or in none, whatever subset is asked for; any other language has those of them for which CLDR
has the names. Within a language no query occurs twice, and no passage occurs under two values of `passage_id`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache

from isoglot.data.facts.items import PASSAGES_OF, SOURCES, Item
from isoglot.data.facts.names import name_of
from isoglot.data.facts.wordings import CORE, LANGUAGES, wording
from isoglot.records import PairRow

Owners = dict[tuple[str, str, str], str | None]
"""(language, query or passage, text) -> the id that it belongs to."""

HELD_OUT = ("week-start", "decimal-separator")
"""Relations kept out of training; their passages serve as distractors of a benchmark."""

RELATIONS = tuple(name for name in SOURCES if name not in HELD_OUT)
"""Relations used for training."""


def generate_facts(
    languages: Sequence[str] | None = None,
    relations: Sequence[str] | None = None,
    entities: tuple[float, float] = (0.0, 1.0),
) -> Iterator[PairRow]:
    """Facts ordered by relation, then item, then language, both in the order asked for.

    The id of a fact, `<relation>/<item>`, is the same in all languages; facts that ask about the same passage share its
    `passage_id`.

    Args:
        languages: some of `LANGUAGES`; all of them by default. Which facts there are does not depend on it.
        relations: some of `RELATIONS` and `HELD_OUT`; `RELATIONS` by default.
        entities: facts about the entities whose `place` is from the first number up to the second.

    Raises:
        ValueError: a language or relation is unknown; raised at once, not when the iterator is first used.
    """
    chosen_languages = _checked("language", LANGUAGES if languages is None else languages, LANGUAGES)
    chosen_relations = _checked("relation", RELATIONS if relations is None else relations, RELATIONS + HELD_OUT)
    begin, end = entities
    return (
        facts[f"{relation}/{key}"]
        for relation in chosen_relations
        for key, slots in _core_facts()[0][relation]
        if begin <= place(slots) < end
        for facts in map(_facts_in, chosen_languages)
        if f"{relation}/{key}" in facts
    )


def same_passages(relations: Iterable[str]) -> set[str]:
    """These relations and all that ask about the same passages as one of them."""
    asked = {PASSAGES_OF.get(relation, relation) for relation in relations}
    return {relation for relation in SOURCES if PASSAGES_OF.get(relation, relation) in asked}


def place(slots: Mapping[str, str]) -> float:
    """Where the entity that a fact is about stands in [0, 1): by chance, and the same everywhere."""
    kind, code = next(iter(slots.items()))
    return (_number(f"{kind}/{code}") >> 11) / 2**53  # as many bits as a float holds, so never 1


def _checked(kind: str, names: Sequence[str], known: tuple[str, ...]) -> list[str]:
    """`names` without repetitions; ValueError if one is unknown."""
    if unknown := [name for name in names if name not in known]:
        raise ValueError(f"unknown {kind} {unknown[0]!r}; known: {', '.join(known)}")
    return list(dict.fromkeys(names))


@cache
def _core_facts() -> tuple[dict[str, list[Item]], dict[str, dict[str, PairRow]]]:
    """Relation to its items, and each language of `CORE` to its facts by id.

    All relations are built together because a text may occur once only, across relations too; RELATIONS come first, so
    that a clash costs a distractor and not a training pair.
    """
    owners: Owners = {}
    items: dict[str, list[Item]] = {}
    facts: dict[str, dict[str, PairRow]] = {lang: {} for lang in CORE}
    for relation in RELATIONS + HELD_OUT:
        items[relation] = []
        for key, slots in SOURCES[relation]():
            parallel = [fact for lang in CORE if (fact := _fact(relation, key, slots, lang))]
            if len(parallel) == len(CORE) and _claim_texts(parallel, owners):
                items[relation].append((key, slots))
                for fact in parallel:
                    facts[fact.lang][fact.id] = fact
    return items, facts


@cache
def _facts_in(lang: str) -> dict[str, PairRow]:
    """The facts of a language by id."""
    items, core = _core_facts()
    if lang in core:
        return core[lang]
    owners: Owners = {}
    facts = (_fact(relation, key, slots, lang) for relation in items for key, slots in items[relation])
    return {fact.id: fact for fact in facts if fact and _claim_texts([fact], owners)}


def _claim_texts(parallel: Iterable[PairRow], owners: Owners) -> bool:
    """Remember whose texts these are; False where a query is there already, or a passage under another id."""
    sides = [(fact, *side) for fact in parallel for side in (("query", fact.id), ("passage", fact.passage_id))]
    texts = {(fact.lang, side, getattr(fact, side).casefold()): owner for fact, side, owner in sides}
    is_new = all(owners.get(text, owner) == owner for text, owner in texts.items())
    owners.update(texts if is_new else {})
    return is_new


def _fact(relation: str, key: str, slots: Mapping[str, str], lang: str) -> PairRow | None:
    """The fact in a language, or None if a name is missing there or the question would hold its answer."""
    passage_relation = PASSAGES_OF.get(relation, relation)
    fact_id, passage_id = f"{relation}/{key}", f"{passage_relation}/{key}"
    names = {slot: name_of(slot, value, lang) for slot, value in slots.items()}
    if "territory" in slots:
        names["in_territory"] = name_of("in_territory", slots["territory"], lang)
    if None in names.values() or (lang not in CORE and _is_circular(slots, names, lang)):
        return None
    templates = wording(lang).templates
    query = _worded(templates[relation]["queries"], f"{lang}/query/{fact_id}", names, lang)
    passage = _worded(templates[passage_relation]["passages"], f"{lang}/passage/{passage_id}", names, lang)
    return PairRow("facts", fact_id, lang, query, passage, passage_id)


def _is_circular(slots: Mapping[str, str], names: Mapping[str, str | None], lang: str) -> bool:
    """A town called like its country, or what a language calls itself; `items` keeps both out of `CORE`."""
    city, territory = names.get("city"), names.get("territory")
    if city and territory:
        return city in territory or territory in city
    return "endonym" in slots and slots["language"] == lang


def _number(seed: str) -> int:
    """64 bits that depend on `seed` only, in every process and on every machine."""
    # not a CRC: it is linear, so languages would always choose in step
    return int.from_bytes(hashlib.blake2b(seed.encode(), digest_size=8).digest(), "big")


def _worded(templates: Sequence[str], seed: str, names: Mapping[str, str | None], lang: str) -> str:
    """One of the templates, which one decided by `seed`, filled."""
    text = templates[_number(seed) % len(templates)].format_map(names)
    start = 1 if text.startswith("¿") else 0
    first = wording(lang).capitals.get(text[start], text[start].upper())
    return text[:start] + first + text[start + 1 :]
