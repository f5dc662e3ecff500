"""`facts:` parallel question-answer pairs, made of a frozen version of names and templates; nothing installed changes them.

Every pair exists in all of `CORE` or in none, whatever subset is asked for; any other language has those of them for which CLDR
has the names. Within a language no query occurs twice, and no passage occurs under two values of `passage_id`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence

from isoglot.data.facts.frozen import Frozen, Wordings, frozen
from isoglot.records import PairRow


def generate_facts(
    languages: Sequence[str] | None = None,
    relations: Sequence[str] | None = None,
    entities: tuple[float, float] = (0.0, 1.0),
    version: int | None = None,
) -> Iterator[PairRow]:
    """Facts ordered by relation, then item, then language, both in the order asked for.

    The id of a fact, `<relation>/<item>`, is the same in all languages; facts that ask about the same passage share its
    `passage_id`.

    Args:
        languages: some of those of the version; all of them by default. Which facts there are does not depend on it.
        relations: some of those of the version, held-out ones included; by default those that are trained on.
        entities: facts about the entities whose `place` is from the first number up to the second.
        version: one of `frozen.VERSIONS`; the newest by default.

    Raises:
        ValueError: a version, language or relation is unknown; raised at once, not when the iterator is first used.
    """
    facts = frozen(version)
    known = tuple(facts.languages)
    chosen_languages = _checked("language", known if languages is None else languages, known)
    chosen_relations = _checked("relation", facts.relations if relations is None else relations, tuple(facts.items))
    begin, end = entities
    return (
        _fact(facts, relation, key, slots, lang)
        for relation in chosen_relations
        for key, slots in facts.items[relation]
        if begin <= place(slots) < end
        for lang in chosen_languages
        if f"{relation}/{key}" not in facts.languages[lang].lacks
    )


def same_passages(relations: Iterable[str], version: int | None = None) -> set[str]:
    """These relations and all that ask about the same passages as one of them."""
    facts = frozen(version)
    asked = {facts.passages_of.get(relation, relation) for relation in relations}
    return {relation for relation in facts.items if facts.passages_of.get(relation, relation) in asked}


def place(slots: Mapping[str, str]) -> float:
    """Where the entity that a fact is about stands in [0, 1): by chance, and the same everywhere."""
    kind, code = next(iter(slots.items()))
    return (_number(f"{kind}/{code}") >> 11) / 2**53  # as many bits as a float holds, so never 1


def _checked(kind: str, names: Sequence[str], known: tuple[str, ...]) -> list[str]:
    """`names` without repetitions; ValueError if one is unknown."""
    if unknown := [name for name in names if name not in known]:
        raise ValueError(f"unknown {kind} {unknown[0]!r}; known: {', '.join(known)}")
    return list(dict.fromkeys(names))


def _fact(facts: Frozen, relation: str, key: str, slots: Mapping[str, str], lang: str) -> PairRow:
    wordings, passage_relation = facts.languages[lang], facts.passages_of.get(relation, relation)
    names = {slot: wordings.names.get(slot, {}).get(value, value) for slot, value in slots.items()}
    if "territory" in slots:
        names["in_territory"] = wordings.names["in_territory"][slots["territory"]]
    return fact_of(wordings, relation, passage_relation, key, names, lang)


def fact_of(
    wordings: Wordings, relation: str, passage_relation: str, key: str, names: Mapping[str, str], lang: str
) -> PairRow:
    """A fact in a language.

    Args:
        passage_relation: whose passages `relation` asks about.
        names: slot -> what fills it.
    """
    fact_id, passage_id = f"{relation}/{key}", f"{passage_relation}/{key}"
    queries, passages = wordings.templates[relation]["queries"], wordings.templates[passage_relation]["passages"]
    query = _worded(queries, f"{lang}/query/{fact_id}", names, wordings.capitals)
    passage = _worded(passages, f"{lang}/passage/{passage_id}", names, wordings.capitals)
    return PairRow("facts", fact_id, lang, query, passage, passage_id)


def _number(seed: str) -> int:
    """64 bits that depend on `seed` only, in every process and on every machine."""
    # not a CRC: it is linear, so languages would always choose in step
    return int.from_bytes(hashlib.blake2b(seed.encode(), digest_size=8).digest(), "big")


def _worded(templates: Sequence[str], seed: str, names: Mapping[str, str], capitals: Mapping[str, str]) -> str:
    """One of the templates, which one decided by `seed`, filled."""
    text = templates[_number(seed) % len(templates)].format_map(names)
    start = 1 if text.startswith("¿") else 0
    return text[:start] + capitals.get(text[start], text[start].upper()) + text[start + 1 :]
