"""The built-in facts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from isoglot.data.languages import language
from isoglot.data.pairs.source import SOURCES, Item, Source
from isoglot.errors import InputError


class Facts(Source):
    """Questions and answers generated from CLDR's names of countries, languages, currencies and so on; built in."""

    name = "facts"
    form = "facts: or facts:en,de"

    def read(self, spec: str, data_dir: Path | None) -> Iterator[Item]:
        from isoglot.data.facts.generate import generate_facts

        wanted = [language(code) for code in spec.partition(":")[2].split(",") if code.strip()] or None
        try:
            facts = generate_facts(wanted)
        except ValueError as error:
            raise InputError(f"{spec}: {error}") from None
        for number, fact in enumerate(facts, start=1):
            yield fact, spec, number


SOURCES.register(Facts())
