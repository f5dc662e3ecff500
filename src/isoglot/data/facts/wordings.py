"""How each language words the facts: `wordings/<lang>.yaml`, which `freeze` makes the next version of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final

from isoglot.data.readers import yaml_data

_FOLDER = Path(__file__).parent / "wordings"

LANGUAGES: Final[tuple[str, ...]] = tuple(sorted(path.stem for path in _FOLDER.glob("*.yaml")))
"""All languages, sorted."""

CORE: Final[tuple[str, ...]] = ("ar", "de", "el", "en", "es", "hi", "ru", "th", "tr", "vi", "zh")
"""The languages that decide which facts there are: a fact exists in all of these. Others lack those they have no name for."""


@dataclass(frozen=True)
class Wording:
    """What a language's file says.

    Attributes:
        letters: how the Unicode names of its letters begin: one beginning, or several.
        separators: what the signs "," and "." are called.
        templates: relation -> "queries" and "passages", `str.format` templates of the slots that `names.name_of` fills. A
            relation without passages asks another question about the passages of a different relation.
        names: slot -> (regular expression, replacement) rules for names; the first that fits is applied.
        codes: slot -> code -> its wording, with `{name}`, where it has one of its own.
        capitals: capital letters that `str.upper` does not know.
        locale: Babel's name of the language where it is not the code.
    """

    letters: tuple[str, ...]
    separators: Mapping[str, str]
    templates: Mapping[str, Mapping[str, Sequence[str]]]
    names: Mapping[str, Sequence[tuple[str, str]]] = field(default_factory=dict)
    codes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    capitals: Mapping[str, str] = field(default_factory=dict)
    locale: str = ""


@cache
def wording(lang: str) -> Wording:
    """The wording of one of `LANGUAGES`."""
    values = yaml_data(_FOLDER / f"{lang}.yaml")
    codes = {
        slot: {code: text for text, listed in texts.items() for code in listed.split()}
        for slot, texts in values.get("codes", {}).items()
    }
    letters = values["letters"]
    return Wording(**{**values, "codes": codes, "letters": (letters,) if isinstance(letters, str) else tuple(letters)})
