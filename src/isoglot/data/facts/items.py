"""Which facts there are, before they are put into words: taken from the CLDR data inside Babel, see also `items.yaml`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from itertools import chain
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from babel import Locale
from babel.core import get_global
from babel.localedata import locale_identifiers

from isoglot.data.facts.names import name_of
from isoglot.data.facts.wordings import CORE
from isoglot.data.readers import yaml_data

Item = tuple[str, dict[str, str]]
"""The key of a fact, and template slots with their codes or values, see `name_of`. The first slot is what it is about."""

_SMALLEST_SHARE = 0.1  # of a territory's people, in percent
_DATA = yaml_data(Path(__file__).with_name("items.yaml"))
_LISTS = SimpleNamespace(**{name: frozenset(codes.split()) for name, codes in _DATA["left_out"].items()})

PASSAGES_OF: dict[str, str] = _DATA["passages_of"]
"""Relation that asks the other way round -> the relation whose passages it asks about."""


@cache
def _territories() -> list[str]:
    """The ISO 3166 codes that CLDR has names for."""
    names: Mapping[str, str] = Locale("en").territories
    return sorted(code for code in names if re.fullmatch("[A-Z]{2}", code) and code not in _LISTS.not_iso_3166)


@cache
def _inhabited() -> list[str]:
    return [territory for territory in _territories() if territory not in _LISTS.uninhabited]


@cache
def _languages() -> list[str]:
    """The ISO 639 codes that CLDR has names for, without deprecated ones and special codes."""
    left_out = {*get_global("language_aliases"), *_LISTS.odd_languages}
    names: Mapping[str, str] = Locale("en").languages
    return sorted(code for code in names if re.fullmatch("[a-z]{2,3}", code) and code not in left_out)


def _locales() -> Iterable[tuple[str, Locale]]:
    """The languages that CLDR has a locale of, and the locale of each."""
    return ((language, Locale.parse(language)) for language in _languages() if language in locale_identifiers())


@cache
def _tenders() -> dict[str, list[str]]:
    """Inhabited territory to the currencies that are legal tender there now."""
    data = get_global("territory_currencies")
    return {territory: _current_tenders(data[territory]) for territory in _inhabited() if territory in data}


def _current_tenders(entries: Any) -> list[str]:
    """The legal tenders among CLDR's (currency, begin, end, is tender) entries of a territory."""
    return [currency for currency, _, end, is_tender in entries if is_tender and end is None]


def _currency_of() -> Iterable[Item]:
    for territory, currencies in _tenders().items():
        if len(currencies) == 1 and territory not in _LISTS.unsettled_currency:
            yield territory, {"territory": territory, "currency": currencies[0]}


def _currency_country() -> Iterable[Item]:
    # territories outside ISO 3166 count too: they make the answer ambiguous for a reader just as well
    data = get_global("territory_currencies")
    users = Counter(currency for entries in data.values() for currency in set(_current_tenders(entries)))
    return ((key, slots) for key, slots in _currency_of() if users[slots["currency"]] == 1)


@cache
def _official() -> dict[str, list[str]]:
    """Official languages by territory."""
    official = {}
    for territory in _inhabited():
        spoken = get_global("territory_languages").get(territory, {})
        status = {code: info["official_status"] for code, info in spoken.items()}
        # where a language is official in practice only, lists of official languages disagree
        if "de_facto_official" not in status.values() and territory not in _LISTS.doubtful_official:
            official[territory] = [code for code in status if status[code] == "official"]
    return official


def _speaker_share() -> Iterable[Item]:
    for territory in _inhabited():
        for language, info in get_global("territory_languages").get(territory, {}).items():
            share = info["population_percent"]
            if language in _languages() and _SMALLEST_SHARE <= share <= 100:
                yield f"{territory}-{language}", {"territory": territory, "language": language, "percent": str(share)}


def _language_script() -> Iterable[Item]:
    for language in _languages():
        subtags = get_global("likely_subtags").get(language, "").split("_")
        if len(subtags) == 3 and subtags[1] not in _LISTS.odd_scripts:
            yield language, {"language": language, "script": subtags[1]}


def _coded(slot: str, codes: Callable[[], Iterable[str]]) -> Callable[[], Iterable[Item]]:
    return lambda: ((code, {slot: code, "code": code}) for code in codes())


@cache
def _towns() -> dict[str, str]:
    """Time zones named after a town, and the town's territory."""
    towns = {}
    for zone, territory in sorted(get_global("zone_territories").items()):
        named_after_town = zone.split("/")[0] in _LISTS.town_regions or zone in _LISTS.island_towns
        if not named_after_town or zone in _LISTS.disputed or territory not in _territories():
            continue
        # a zone named after its whole territory (Jamaica, Singapore) is no town, or makes the question circular
        names = ((name_of("city", zone, lang), name_of("territory", territory, lang)) for lang in CORE)
        if not any(city and country and (city in country or country in city) for city, country in names):
            towns[zone] = territory
    return towns


def _city_zone() -> Iterable[Item]:
    for zone in _towns():
        forms = (f"{get_global('meta_zones').get(zone)}:{kind}" for kind in ("generic", "standard"))
        if form := next((form for form in forms if all(name_of("zone", form, lang) for lang in CORE)), None):
            yield zone, {"city": zone, "zone": form}


def _endonym() -> Iterable[Item]:
    for language, locale in _locales():
        own = locale.languages.get(language)
        if own and own != language and language not in CORE:
            yield language, {"language": language, "endonym": own}


def _week_start() -> Iterable[Item]:
    locales = {name.split("_")[-1]: name for name in locale_identifiers() if re.search("_[A-Z]{2}$", name)}
    for territory in _inhabited():
        if territory in locales:
            yield territory, {"territory": territory, "day": str(Locale.parse(locales[territory]).first_week_day)}


def _decimal_separator() -> Iterable[Item]:
    for language, locale in _locales():
        sign = locale.number_symbols.get("latn", {}).get("decimal")
        if locale.default_numbering_system == "latn" and sign in {",", "."}:
            yield language, {"language": language, "separator": sign}


_TERRITORY_CODES = _coded("territory", _territories)
_LANGUAGE_CODES = _coded("language", _languages)
_CURRENCY_CODES = _coded("currency", lambda: sorted(set(chain.from_iterable(_tenders().values()))))

SOURCES: dict[str, Callable[[], Iterable[Item]]] = {
    "currency-of": _currency_of,
    "currency-country": _currency_country,
    "official-language": lambda: (
        (key, {"territory": key, "language": codes[0]}) for key, codes in _official().items() if len(codes) == 1
    ),
    "official-languages": lambda: (
        (key, {"territory": key, "languages": " ".join(codes)}) for key, codes in _official().items() if len(codes) > 1
    ),
    "speaker-share": _speaker_share,
    "territory-code": _TERRITORY_CODES,
    "territory-of-code": _TERRITORY_CODES,
    "language-code": _LANGUAGE_CODES,
    "language-of-code": _LANGUAGE_CODES,
    "language-script": _language_script,
    "script-code": _coded("script", lambda: sorted(set(Locale("en").scripts) - _LISTS.odd_scripts)),
    "currency-code": _CURRENCY_CODES,
    "currency-of-code": _CURRENCY_CODES,
    "city-territory": lambda: ((zone, {"city": zone, "territory": territory}) for zone, territory in _towns().items()),
    "city-zone": _city_zone,
    "endonym": _endonym,
    "week-start": _week_start,
    "decimal-separator": _decimal_separator,
}
"""Relation to the function that gives its items, always in the same order."""
