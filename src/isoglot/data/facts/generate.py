"""`facts:` parallel question-answer pairs generated from the CLDR data that Babel ships.

Every pair exists in all of `LANGUAGES` or in none, whatever subset is asked for. Within a language no query occurs
twice, and no passage occurs under two values of `passage_id`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache

from isoglot.data.facts.items import PASSAGES_OF, SOURCES
from isoglot.data.facts.names import name_of
from isoglot.data.facts.wordings import LANGUAGES, wording
from isoglot.records import PairRow

Owners = dict[tuple[str, str, str], str | None]
"""(language, query or passage, text) -> the id that it belongs to."""

HELD_OUT = ("week-start", "decimal-separator")
"""Relations kept out of training; their passages serve as distractors of a benchmark."""

RELATIONS = tuple(name for name in SOURCES if name not in HELD_OUT)
"""Relations used for training."""


def generate_facts(languages: Sequence[str] | None = None, relations: Sequence[str] | None = None) -> Iterator[PairRow]:
    """Facts ordered by relation, then item, then language, both in the order asked for.

    The id of a fact, `<relation>/<item>`, is the same in all languages; facts that ask about the same passage share its
    `passage_id`.

    Args:
        languages: some of `LANGUAGES`; all of them by default. Which facts there are does not depend on it.
        relations: some of `RELATIONS` and `HELD_OUT`; `RELATIONS` by default.

    Raises:
        ValueError: a language or relation is unknown; raised at once, not when the iterator is first used.
    """
    chosen_languages = _checked("language", LANGUAGES if languages is None else languages, LANGUAGES)
    chosen_relations = _checked("relation", RELATIONS if relations is None else relations, RELATIONS + HELD_OUT)
    return (
        parallel[lang]
        for relation in chosen_relations
        for parallel in _all_facts()[relation]
        for lang in chosen_languages
    )


def _checked(kind: str, names: Sequence[str], known: tuple[str, ...]) -> list[str]:
    """`names` without repetitions; ValueError if one is unknown."""
    if unknown := [name for name in names if name not in known]:
        raise ValueError(f"unknown {kind} {unknown[0]!r}; known: {', '.join(known)}")
    return list(dict.fromkeys(names))


@cache
def _all_facts() -> dict[str, list[dict[str, PairRow]]]:
    """Relation to its facts, each by language.

    All relations are built together because a text may occur once only, across relations too; RELATIONS come first, so
    that a clash costs a distractor and not a training pair.
    """
    owners: Owners = {}
    facts: dict[str, list[dict[str, PairRow]]] = {}
    for relation in RELATIONS + HELD_OUT:
        facts[relation] = []
        for key, slots in SOURCES[relation]():
            parallel = _in_all_languages(relation, key, slots)
            if parallel and _claim_texts(parallel.values(), owners):
                facts[relation].append(parallel)
    return facts


def _claim_texts(parallel: Iterable[PairRow], owners: Owners) -> bool:
    """Remember whose texts these are; False where a query is there already, or a passage under another id."""
    sides = [(fact, *side) for fact in parallel for side in (("query", fact.id), ("passage", fact.passage_id))]
    texts = {(fact.lang, side, getattr(fact, side).casefold()): owner for fact, side, owner in sides}
    is_new = all(owners.get(text, owner) == owner for text, owner in texts.items())
    owners.update(texts if is_new else {})
    return is_new


def _in_all_languages(relation: str, key: str, slots: Mapping[str, str]) -> dict[str, PairRow] | None:
    """The fact in every language, or None if a name is missing in any."""
    facts = {}
    passage_relation = PASSAGES_OF.get(relation, relation)
    fact_id, passage_id = f"{relation}/{key}", f"{passage_relation}/{key}"
    for lang in LANGUAGES:
        names = {slot: name_of(slot, value, lang) for slot, value in slots.items()}
        if "territory" in slots:
            names["in_territory"] = name_of("in_territory", slots["territory"], lang)
        if None in names.values():
            return None
        templates = wording(lang).templates
        query = _worded(templates[relation]["queries"], f"{lang}/query/{fact_id}", names, lang)
        passage = _worded(templates[passage_relation]["passages"], f"{lang}/passage/{passage_id}", names, lang)
        facts[lang] = PairRow("facts", fact_id, lang, query, passage, passage_id)
    return facts


def _worded(templates: Sequence[str], seed: str, names: Mapping[str, str | None], lang: str) -> str:
    """One of the templates, filled; the choice depends on `seed` only, in every process and on every machine."""
    # not a CRC: it is linear, so languages would always choose in step
    digest = hashlib.blake2b(seed.encode(), digest_size=8).digest()
    text = templates[int.from_bytes(digest, "big") % len(templates)].format_map(names)
    start = 1 if text.startswith("¿") else 0
    first = wording(lang).capitals.get(text[start], text[start].upper())
    return text[:start] + first + text[start + 1 :]
