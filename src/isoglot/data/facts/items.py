"""Which facts there are, before they are put into words: generators over the CLDR data inside Babel."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from babel import Locale
from babel.core import get_global
from babel.localedata import locale_identifiers

from isoglot.data.facts.names import name_of
from isoglot.data.facts.wordings import LANGUAGES
from isoglot.data.readers import yaml_data

_SMALLEST_SHARE: Final = 0.1  # of a territory's people, in percent
_Data = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Item:
    """A fact before it is put into words: `slots` maps template slots to codes or values of `name_of`."""

    key: str
    slots: Mapping[str, str]


@cache
def _left_out(what: str) -> frozenset[str]:
    """A list of codes in `items.yaml`."""
    return frozenset(yaml_data(Path(__file__).with_name("items.yaml"))[what].split())


@cache
def _territories() -> tuple[str, ...]:
    """The ISO 3166 codes that CLDR has names for."""
    names: Mapping[str, str] = Locale("en").territories
    return tuple(sorted(c for c in names if re.fullmatch("[A-Z]{2}", c) and c not in _left_out("not_iso_3166")))


@cache
def _languages() -> tuple[str, ...]:
    """The ISO 639 codes that CLDR has names for, without deprecated ones and special codes."""
    aliases: _Data = get_global("language_aliases")
    names: Mapping[str, str] = Locale("en").languages
    return tuple(
        sorted(
            c
            for c in names
            if re.fullmatch("[a-z]{2,3}", c) and c not in aliases and c not in _left_out("odd_languages")
        )
    )


@cache
def _tenders() -> dict[str, tuple[str, ...]]:
    """Inhabited territory to the currencies that are legal tender there now."""
    data: _Data = get_global("territory_currencies")
    return {
        territory: _current_tenders(data[territory])
        for territory in _territories()
        if territory in data and territory not in _left_out("uninhabited")
    }


def _current_tenders(entries: Any) -> tuple[str, ...]:
    """The legal tenders among CLDR's (currency, begin, end, is tender) entries of a territory."""
    return tuple(currency for currency, _, end, is_tender in entries if is_tender and end is None)


def _territory_slots(territory: str) -> dict[str, str]:
    return {"territory": territory, "in_territory": territory}


def _currency_of() -> Iterator[Item]:
    for territory, currencies in _tenders().items():
        if len(currencies) == 1 and territory not in _left_out("unsettled_currency"):
            yield Item(territory, {**_territory_slots(territory), "currency": currencies[0]})


def _currency_country() -> Iterator[Item]:
    # territories outside ISO 3166 count too: they make the answer ambiguous for a reader just as well
    data: _Data = get_global("territory_currencies")
    users = Counter(currency for entries in data.values() for currency in set(_current_tenders(entries)))
    for item in _currency_of():
        if users[item.slots["currency"]] == 1:
            yield item


def _official(several: bool) -> Iterator[Item]:
    data: _Data = get_global("territory_languages")
    for territory in _territories():
        spoken = data.get(territory, {})
        status = {code: info["official_status"] for code, info in spoken.items()}
        official = [code for code in status if status[code] == "official"]
        # Where a language is official in practice only, lists of official languages disagree.
        if "de_facto_official" in status.values() or territory in _left_out("uninhabited") | _left_out(
            "doubtful_official"
        ):
            continue
        if several and len(official) > 1:
            yield Item(territory, {**_territory_slots(territory), "languages": " ".join(official)})
        elif not several and len(official) == 1:
            yield Item(territory, {**_territory_slots(territory), "language": official[0]})


def _speaker_share() -> Iterator[Item]:
    data: _Data = get_global("territory_languages")
    for territory in _territories():
        if territory in _left_out("uninhabited"):
            continue
        for language, info in data.get(territory, {}).items():
            share = info["population_percent"]
            if language in _languages() and _SMALLEST_SHARE <= share <= 100:
                slots = {**_territory_slots(territory), "language": language, "percent": str(share)}
                yield Item(f"{territory}-{language}", slots)


def _territory_code() -> Iterator[Item]:
    for territory in _territories():
        yield Item(territory, {**_territory_slots(territory), "code": territory})


def _language_code() -> Iterator[Item]:
    for language in _languages():
        yield Item(language, {"language": language, "code": language})


def _language_script() -> Iterator[Item]:
    likely: Mapping[str, str] = get_global("likely_subtags")
    for language in _languages():
        parts = likely.get(language, "").split("_")
        if len(parts) == 3 and parts[1] not in _left_out("odd_scripts"):
            yield Item(language, {"language": language, "script": parts[1]})


def _script_code() -> Iterator[Item]:
    for script in sorted(Locale("en").scripts):
        if script not in _left_out("odd_scripts"):
            yield Item(script, {"script": script, "code": script})


def _currency_code() -> Iterator[Item]:
    for currency in sorted({c for currencies in _tenders().values() for c in currencies}):
        yield Item(currency, {"currency": currency, "code": currency})


def _towns() -> Iterator[tuple[str, str]]:
    """Time zone named after a town, and the town's territory."""
    zones: Mapping[str, str] = get_global("zone_territories")
    for zone in sorted(zones):
        territory = zones[zone]
        named_after_town = zone.split("/")[0] in _left_out("town_regions") or zone in _left_out("island_towns")
        if not named_after_town or zone in _left_out("disputed") or territory not in _territories():
            continue
        # A zone named after its whole territory (Jamaica, Singapore) is no town, or makes the question circular.
        names = ((name_of("city", zone, lang), name_of("territory", territory, lang)) for lang in LANGUAGES)
        if not any(city and country and (city in country or country in city) for city, country in names):
            yield zone, territory


def _city_territory() -> Iterator[Item]:
    for zone, territory in _towns():
        yield Item(zone, {**_territory_slots(territory), "city": zone})


def _city_zone() -> Iterator[Item]:
    current: Mapping[str, str] = get_global("meta_zones")
    for zone, _ in _towns():
        for kind in ("generic", "standard"):
            form = f"{current.get(zone)}:{kind}"
            if all(name_of("zone", form, lang) for lang in LANGUAGES):
                yield Item(zone, {"city": zone, "zone": form})
                break


def _endonym() -> Iterator[Item]:
    for language in _languages():
        if language in locale_identifiers() and language not in LANGUAGES:
            own = Locale.parse(language).languages.get(language)
            if own and own != language:
                yield Item(language, {"language": language, "endonym": own})


def _week_start() -> Iterator[Item]:
    locales = {name.split("_")[-1]: name for name in locale_identifiers() if re.search("_[A-Z]{2}$", name)}
    for territory in _territories():
        if territory in locales and territory not in _left_out("uninhabited"):
            day = Locale.parse(locales[territory]).first_week_day
            yield Item(territory, {**_territory_slots(territory), "day": str(day)})


def _decimal_separator() -> Iterator[Item]:
    for language in _languages():
        if language in locale_identifiers():
            locale = Locale.parse(language)
            sign = locale.number_symbols.get("latn", {}).get("decimal")
            if locale.default_numbering_system == "latn" and sign in {",", "."}:
                yield Item(language, {"language": language, "separator": sign})


SOURCES: Final[dict[str, Callable[[], Iterator[Item]]]] = {
    "currency-of": _currency_of,
    "currency-country": _currency_country,
    "official-language": lambda: _official(several=False),
    "official-languages": lambda: _official(several=True),
    "speaker-share": _speaker_share,
    "territory-code": _territory_code,
    "territory-of-code": _territory_code,
    "language-code": _language_code,
    "language-of-code": _language_code,
    "language-script": _language_script,
    "script-code": _script_code,
    "currency-code": _currency_code,
    "currency-of-code": _currency_code,
    "city-territory": _city_territory,
    "city-zone": _city_zone,
    "endonym": _endonym,
    "week-start": _week_start,
    "decimal-separator": _decimal_separator,
}
"""Relation to the generator of its items, always in the same order."""
