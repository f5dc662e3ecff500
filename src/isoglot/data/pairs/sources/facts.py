"""The built-in facts: `facts:LANGUAGES?OPTIONS`, all languages and all facts by default.

Options select: `relations=NAME,...` the facts of these relations, `entities=N%` those about this share of the entities, drawn by
a hash. `without-relations` and `without-entities` take exactly the rest, in every language, so that one part trains and the other
tests. A relation brings the one that asks the other way round about the same passages. `version=1` names a version; no version
ever changes, and the newest is the default.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from isoglot.data.languages import language
from isoglot.data.pairs.address import parse_options
from isoglot.data.pairs.source import SOURCES, Item, Source
from isoglot.errors import InputError, unknown

_OPTIONS = ("relations", "without-relations", "entities", "without-entities", "version")


class Facts(Source):
    """Questions and answers of CLDR's names of countries, languages, ...; [without-]relations, [without-]entities, version."""

    name = "facts"
    form = "facts: or facts:en,de"

    def read(self, spec: str, data_dir: Path | None) -> Iterator[Item]:
        """The facts.

        Raises:
            InputError: an unknown language, option, version or relation, a malformed share, options that leave nothing.
        """
        from isoglot.data.facts.generate import generate_facts

        codes, _, query = spec.partition(":")[2].partition("?")
        options = parse_options(spec, query, _OPTIONS)
        wanted = [language(code) for code in codes.split(",") if code.strip()] or None
        version = _version(spec, options)
        try:
            facts = generate_facts(wanted, _relations(spec, options, version), _entities(spec, options), version)
        except ValueError as error:
            raise InputError(f"{spec}: {error}") from None
        for number, fact in enumerate(facts, start=1):
            yield fact, spec, number


def _version(spec: str, options: dict[str, str]) -> int:
    """The version asked for, else the newest."""
    from isoglot.data.facts.frozen import VERSIONS

    known = [str(version) for version in VERSIONS]
    if (asked := options.get("version", known[-1])) not in known:
        raise InputError(f"{spec}: {unknown('version', asked, known)}")
    return int(asked)


def _relations(spec: str, options: dict[str, str], version: int) -> list[str]:
    """The relations that the options leave, in their usual order."""
    from isoglot.data.facts.frozen import frozen
    from isoglot.data.facts.generate import same_passages

    known = frozen(version).relations

    def named(option: str) -> set[str]:
        names = [name.strip() for name in options[option].split(",")]
        for name in names:
            if name not in known:
                raise InputError(f"{spec}: {unknown('relation', name, known)}")
        return same_passages(names, version)

    kept = named("relations") if "relations" in options else set(known)
    kept -= named("without-relations") if "without-relations" in options else set()
    if not kept:
        raise InputError(f"{spec}: no relation is left")
    return [relation for relation in known if relation in kept]


def _entities(spec: str, options: dict[str, str]) -> tuple[float, float]:
    """The places of the entities that the options leave: from, up to."""
    begin = _share(spec, "without-entities", options["without-entities"]) if "without-entities" in options else 0.0
    end = _share(spec, "entities", options["entities"]) if "entities" in options else 1.0
    if begin >= end:
        raise InputError(f"{spec}: no entity is left: the first {begin:.4%} are left out, of the first {end:.4%}")
    return begin, end


def _share(spec: str, option: str, text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,2}(\.[0-9]{1,4})?%", text) or float(text[:-1]) == 0:
        raise InputError(f"{spec}: {option}={text}: expected a share between 0% and 100%, such as 20%")
    return float(text[:-1]) / 100


SOURCES.register(Facts())
