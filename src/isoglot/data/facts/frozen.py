"""The built-in facts as they ship: a file per version that no installed package can change; see `versions/README.md`."""

from __future__ import annotations

import json
import lzma
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).with_name("versions")

VERSIONS: Final = tuple(
    sorted(int(match[1]) for path in FOLDER.iterdir() if (match := re.fullmatch(r"facts-(\d+)\.json\.xz", path.name)))
)
"""Ascending; the last is what `facts:` means where none is named."""


@dataclass(frozen=True)
class Wordings:
    """What a language says the facts with.

    Attributes:
        templates: relation -> "queries" and "passages", `str.format` templates of the slots. A relation without passages asks
            another question about the passages of a different relation.
        capitals: capital letters that `str.upper` does not know.
        names: slot -> code or value -> how the language calls it; a value without a name stands for itself.
        lacks: ids of the facts that are not there in this language.
    """

    templates: Mapping[str, Mapping[str, Sequence[str]]]
    capitals: Mapping[str, str]
    names: Mapping[str, Mapping[str, str]]
    lacks: frozenset[str]


@dataclass(frozen=True)
class Frozen:
    """A version of the facts.

    Attributes:
        made_with: versions of CLDR and Babel that the names were read from.
        items: relation -> (key, slot -> code or value), in order; the first slot is what the fact is about.
        passages_of: relation that asks the other way round -> the relation whose passages it asks about.
        held_out: relations that are kept out of training; their passages serve as distractors of a benchmark.
        languages: by code, sorted.
    """

    made_with: Mapping[str, str]
    items: Mapping[str, Sequence[tuple[str, Mapping[str, str]]]]
    passages_of: Mapping[str, str]
    held_out: tuple[str, ...]
    languages: Mapping[str, Wordings]

    @property
    def relations(self) -> tuple[str, ...]:
        """Those that are trained on, in their usual order."""
        return tuple(relation for relation in self.items if relation not in self.held_out)


@cache
def frozen(version: int | None = None) -> Frozen:
    """A version of the facts, the newest by default. ValueError for an unknown one."""
    chosen = VERSIONS[-1] if version is None else version
    if chosen not in VERSIONS:
        raise ValueError(f"unknown version {chosen}; known: {', '.join(map(str, VERSIONS))}")
    values = json.loads(lzma.decompress((FOLDER / f"facts-{chosen}.json.xz").read_bytes()))
    languages = {
        lang: Wordings(**{**wordings, "lacks": frozenset(wordings["lacks"])})
        for lang, wordings in values.pop("languages").items()
    }
    items = {relation: [(key, slots) for key, slots in listed] for relation, listed in values.pop("items").items()}
    return Frozen(items=items, languages=languages, **{**values, "held_out": tuple(values["held_out"])})
