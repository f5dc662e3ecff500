"""Which facts there are, before they are put into words: generators over the CLDR data inside Babel."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from babel import Locale
from babel.core import get_global
from babel.localedata import locale_identifiers

from isoglot.data.facts_templates import TEMPLATES
from isoglot.data.facts_templates._names import name_of


@dataclass(frozen=True, slots=True)
class Item:
    """A fact before it is put into words: ``slots`` maps template slots to codes or values of ``name_of``."""

    key: str
    slots: Mapping[str, str]


_Data = Mapping[str, Any]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_NOT_ISO_3166: Final = _words("AC CP CQ DG EA EU EZ IC QO TA UN XA XB XK ZZ")
_UNINHABITED: Final = _words("AQ BV GS HM IO TF UM")
# Scripts whose CLDR name is no name of a script ("Simplified") or that are no script at all.
_ODD_SCRIPTS: Final = _words("Brai Hans Hant Mult Qaag Zinh Zmth Zsye Zsym Zxxx Zyyy Zzzz")
_ODD_LANGUAGES: Final = _words("mis mul root sh und zxx")
_TOWN_REGIONS: Final = _words("Africa America Arctic Asia Australia Europe")
# The other regions mostly name islands; only these are towns.
_ISLAND_TOWNS: Final = _words(
    "Atlantic/Reykjavik Atlantic/Stanley Indian/Antananarivo Pacific/Apia Pacific/Auckland Pacific/Honolulu"
    " Pacific/Noumea Pacific/Pago_Pago Pacific/Port_Moresby"
)
# To whom these belong is disputed, so there is no one right answer.
_DISPUTED: Final = _words("Africa/El_Aaiun Asia/Gaza Asia/Hebron Asia/Jerusalem Europe/Simferopol")
# Where the tender changes after the CLDR data was made: Bulgaria takes over the euro in 2026.
_UNSETTLED_CURRENCY: Final = _words("BG")
# Where CLDR's list of official languages is known to be incomplete, out of date or to mix a language with its variants.
_DOUBTFUL_OFFICIAL: Final = _words("AS BF CK CW DZ ET FO GU IL IQ ME MG ML MU NE NF NG NO PN PR RW SC TN ZA ZW")
_SMALLEST_SHARE: Final = 0.1


@cache
def _territories() -> tuple[str, ...]:
    """The ISO 3166 codes that CLDR has names for."""
    names: Mapping[str, str] = Locale("en").territories
    return tuple(sorted(c for c in names if re.fullmatch("[A-Z]{2}", c) and c not in _NOT_ISO_3166))


@cache
def _languages() -> tuple[str, ...]:
    """The ISO 639 codes that CLDR has names for, without deprecated ones and special codes."""
    aliases: _Data = get_global("language_aliases")
    names: Mapping[str, str] = Locale("en").languages
    return tuple(
        sorted(c for c in names if re.fullmatch("[a-z]{2,3}", c) and c not in aliases and c not in _ODD_LANGUAGES)
    )


@cache
def _tenders() -> dict[str, tuple[str, ...]]:
    """Inhabited territory to the currencies that are legal tender there now."""
    data: _Data = get_global("territory_currencies")
    return {
        territory: tuple(c for c, _, end, tender in data[territory] if tender and end is None)
        for territory in _territories()
        if territory in data and territory not in _UNINHABITED
    }


def _place(territory: str) -> dict[str, str]:
    return {"territory": territory, "in_territory": territory}


def _currency_of() -> Iterator[Item]:
    for territory, currencies in _tenders().items():
        if len(currencies) == 1 and territory not in _UNSETTLED_CURRENCY:
            yield Item(territory, {**_place(territory), "currency": currencies[0]})


def _currency_country() -> Iterator[Item]:
    users: dict[str, int] = defaultdict(int)
    # Territories outside ISO 3166 count too: they make the answer ambiguous for a reader just as well.
    data: _Data = get_global("territory_currencies")
    for entries in data.values():
        for currency in {c for c, _, end, tender in entries if tender and end is None}:
            users[currency] += 1
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
        if "de_facto_official" in status.values() or territory in _UNINHABITED | _DOUBTFUL_OFFICIAL:
            continue
        if several and len(official) > 1:
            yield Item(territory, {**_place(territory), "languages": " ".join(official)})
        elif not several and len(official) == 1:
            yield Item(territory, {**_place(territory), "language": official[0]})


def _speaker_share() -> Iterator[Item]:
    data: _Data = get_global("territory_languages")
    for territory in _territories():
        if territory in _UNINHABITED:
            continue
        for language, info in data.get(territory, {}).items():
            share = info["population_percent"]
            if language in _languages() and _SMALLEST_SHARE <= share <= 100:
                slots = {**_place(territory), "language": language, "percent": str(share)}
                yield Item(f"{territory}-{language}", slots)


def _territory_code() -> Iterator[Item]:
    for territory in _territories():
        yield Item(territory, {**_place(territory), "code": territory})


def _language_code() -> Iterator[Item]:
    for language in _languages():
        yield Item(language, {"language": language, "code": language})


def _language_script() -> Iterator[Item]:
    likely: Mapping[str, str] = get_global("likely_subtags")
    for language in _languages():
        parts = likely.get(language, "").split("_")
        if len(parts) == 3 and parts[1] not in _ODD_SCRIPTS:
            yield Item(language, {"language": language, "script": parts[1]})


def _script_code() -> Iterator[Item]:
    for script in sorted(Locale("en").scripts):
        if script not in _ODD_SCRIPTS:
            yield Item(script, {"script": script, "code": script})


def _currency_code() -> Iterator[Item]:
    for currency in sorted({c for currencies in _tenders().values() for c in currencies}):
        yield Item(currency, {"currency": currency, "code": currency})


def _towns() -> Iterator[tuple[str, str]]:
    """Time zone named after a town, and the town's territory."""
    zones: Mapping[str, str] = get_global("zone_territories")
    for zone in sorted(zones):
        territory = zones[zone]
        named_after_town = zone.split("/")[0] in _TOWN_REGIONS or zone in _ISLAND_TOWNS
        if not named_after_town or zone in _DISPUTED or territory not in _territories():
            continue
        # A zone named after its whole territory (Jamaica, Singapore) is no town, or makes the question circular.
        names = ((name_of("city", zone, lang), name_of("territory", territory, lang)) for lang in TEMPLATES)
        if not any(city and place and (city in place or place in city) for city, place in names):
            yield zone, territory


def _city_territory() -> Iterator[Item]:
    for zone, territory in _towns():
        yield Item(zone, {**_place(territory), "city": zone})


def _city_zone() -> Iterator[Item]:
    current: Mapping[str, str] = get_global("meta_zones")
    for zone, _ in _towns():
        for kind in ("generic", "standard"):
            form = f"{current.get(zone)}:{kind}"
            if all(name_of("zone", form, lang) for lang in TEMPLATES):
                yield Item(zone, {"city": zone, "zone": form})
                break


def _endonym() -> Iterator[Item]:
    for language in _languages():
        if language in locale_identifiers() and language not in TEMPLATES:
            own = Locale.parse(language).languages.get(language)
            if own and own != language:
                yield Item(language, {"language": language, "endonym": own})


def _week_start() -> Iterator[Item]:
    locales = {name.split("_")[-1]: name for name in locale_identifiers() if re.search("_[A-Z]{2}$", name)}
    for territory in _territories():
        if territory in locales and territory not in _UNINHABITED:
            day = Locale.parse(locales[territory]).first_week_day
            yield Item(territory, {**_place(territory), "day": str(day)})


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
