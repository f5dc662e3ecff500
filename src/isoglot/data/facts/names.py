"""Localised names that fill the slots of the fact templates, all from the CLDR data inside Babel."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from decimal import Decimal
from functools import cache

from babel import Locale
from babel.lists import format_list
from babel.numbers import format_percent

from isoglot.data.facts.wordings import wording

# no-break spaces and direction marks would only make tokenisers see different words
_PLAIN_SPACES = str.maketrans({"\u00a0": " ", "\u202f": " ", "\u200e": None, "\u200f": None})


@cache
def locale_of(lang: str) -> Locale:
    """The Babel locale of a language of the generator; Chinese means simplified."""
    return Locale.parse(wording(lang).locale or lang)


@cache
def has_own_letter(text: str, lang: str) -> bool:
    """Whether `text` has a letter of the script that `lang` is written in."""
    letters = (char for char in text if char.isalpha() or unicodedata.category(char) == "Lo")
    return any(unicodedata.name(char, "").startswith(wording(lang).letters) for char in letters)


def _worded(slot: str, code: str, name: str | None, lang: str, default: str = "{name}") -> str | None:
    """A CLDR name as the language's sentences need it: see `Wording.names` and `Wording.codes`."""
    if not name:
        return None
    for pattern, replacement in wording(lang).names.get(slot, ()):
        if re.search(pattern, name):
            name = re.sub(pattern, replacement, name)
            break
    return wording(lang).codes.get(slot, {}).get(code, default).format(name=name)


def _listed(slot: str, attribute: str) -> Callable[[str, str], str | None]:
    """The names of codes in one of Babel's tables of a locale."""
    return lambda code, lang: _worded(slot, code, getattr(locale_of(lang), attribute).get(code), lang)


_territory = _listed("territory", "territories")
_language_in_list = _listed("language in a list", "languages")


def _languages(codes: str, lang: str) -> str | None:
    names = [_language_in_list(code, lang) or "" for code in codes.split()]
    return format_list(names, locale=locale_of(lang)) if all(names) else None


def _city(zone: str, lang: str) -> str | None:
    name = locale_of(lang).time_zones.get(zone, {}).get("city")
    if not name and "LATIN" in wording(lang).letters:
        # CLDR's own rule: without an entry of its own the place is called as in the zone's identifier
        name = zone.rpartition("/")[2].replace("_", " ")
    return _worded("city", zone, name, lang)


def _zone(form: str, lang: str) -> str | None:
    """`form` is a CLDR metazone and one of its name types, such as `Europe_Central:generic`."""
    meta_zone, _, kind = form.partition(":")
    return _worded("zone", form, locale_of(lang).meta_zones.get(meta_zone, {}).get("long", {}).get(kind), lang)


_CLDR_NAMES: dict[str, Callable[[str, str], str | None]] = {
    "territory": _territory,
    "in_territory": lambda code, lang: _worded("in_territory", code, _territory(code, lang), lang, "in {name}"),
    "language": lambda code, lang: _worded("language", code, _language_in_list(code, lang), lang),
    "languages": _languages,
    "script": _listed("script", "scripts"),
    "currency": _listed("currency", "currencies"),
    "city": _city,
    "zone": _zone,
    "day": lambda day, lang: _worded("day", day, locale_of(lang).days["stand-alone"]["wide"][int(day)], lang),
}


@cache
def name_of(slot: str, value: str, lang: str) -> str | None:
    """What fills `slot` for `value` in `lang`; None if CLDR lacks a name in that language.

    A name that is only the code again, or that has no letter of the language's script, counts as lacking.
    Slots without names of their own (`code`, `endonym`) are filled with `value` itself.
    """
    if slot == "percent":
        percent = Decimal(value)
        digits = 0 if percent >= 10 else 1 if percent >= 1 else 2
        share = round(percent, digits).normalize() / 100
        return format_percent(share, locale=locale_of(lang), decimal_quantization=False).translate(_PLAIN_SPACES)
    if slot == "separator":
        return wording(lang).separators[value]
    if slot not in _CLDR_NAMES:
        return value
    name = _CLDR_NAMES[slot](value, lang)
    name = name and name.translate(_PLAIN_SPACES)
    return name if name and name != value and has_own_letter(name, lang) else None
