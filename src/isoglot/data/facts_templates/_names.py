"""Localised names that fill the slots of the fact templates, all from the CLDR data inside Babel."""

import re
import unicodedata
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cache
from typing import Final

from babel import Locale
from babel.lists import format_list
from babel.numbers import format_percent

from isoglot.data.facts_templates import SEPARATORS

LETTER_PREFIX: Final[dict[str, str]] = {
    "ar": "ARABIC",
    "de": "LATIN",
    "el": "GREEK",
    "en": "LATIN",
    "es": "LATIN",
    "hi": "DEVANAGARI",
    "ru": "CYRILLIC",
    "th": "THAI",
    "tr": "LATIN",
    "vi": "LATIN",
    "zh": "CJK UNIFIED",
}
"""How the Unicode names of a language's letters begin."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_EN_ARTICLE: Final = _words(
    "AE AX BQ BS CC CF CK DO FK FO GB GM IM IO KM KY MH MP MV NL PH PN PS SB SC TC TF UM US VG VI"
)

# German names that need an article or another preposition than "in"; the rest reads "in <name>".
_DE_IN: Final[dict[str, str]] = {
    "AE": "in den Vereinigten Arabischen Emiraten",
    "AQ": "in der Antarktis",
    "AX": "auf den Ålandinseln",
    "BL": "auf St. Barthélemy",
    "BQ": "in den Karibischen Niederlanden",
    "BS": "auf den Bahamas",
    "BV": "auf der Bouvetinsel",
    "CC": "auf den Kokosinseln",
    "CF": "in der Zentralafrikanischen Republik",
    "CH": "in der Schweiz",
    "CK": "auf den Cookinseln",
    "CU": "auf Kuba",
    "CW": "auf Curaçao",
    "CX": "auf der Weihnachtsinsel",
    "DO": "in der Dominikanischen Republik",
    "EH": "in der Westsahara",
    "FK": "auf den Falklandinseln",
    "FO": "auf den Färöern",
    "GB": "im Vereinigten Königreich",
    "GG": "auf Guernsey",
    "GP": "auf Guadeloupe",
    "GS": "in Südgeorgien und auf den Südlichen Sandwichinseln",
    "GU": "auf Guam",
    "HK": "in der Sonderverwaltungsregion Hongkong",
    "HM": "auf Heard und den McDonaldinseln",
    "IM": "auf der Isle of Man",
    "IO": "im Britischen Territorium im Indischen Ozean",
    "IQ": "im Irak",
    "IR": "im Iran",
    "JE": "auf Jersey",
    "JM": "auf Jamaika",
    "KM": "auf den Komoren",
    "KY": "auf den Kaimaninseln",
    "LB": "im Libanon",
    "MD": "in der Republik Moldau",
    "MH": "auf den Marshallinseln",
    "MN": "in der Mongolei",
    "MO": "in der Sonderverwaltungsregion Macau",
    "MP": "auf den Nördlichen Marianen",
    "MQ": "auf Martinique",
    "MV": "auf den Malediven",
    "NE": "im Niger",
    "NF": "auf der Norfolkinsel",
    "NL": "in den Niederlanden",
    "PH": "auf den Philippinen",
    "PN": "auf den Pitcairninseln",
    "PS": "in den Palästinensischen Autonomiegebieten",
    "RE": "auf Réunion",
    "SB": "auf den Salomonen",
    "SC": "auf den Seychellen",
    "SD": "im Sudan",
    "SH": "auf St. Helena",
    "SJ": "auf Spitzbergen und Jan Mayen",
    "SK": "in der Slowakei",
    "SN": "im Senegal",
    "SS": "im Südsudan",
    "TC": "auf den Turks- und Caicosinseln",
    "TD": "im Tschad",
    "TF": "in den Französischen Süd- und Antarktisgebieten",
    "TR": "in der Türkei",
    "UA": "in der Ukraine",
    "UM": "auf den Amerikanischen Überseeinseln",
    "US": "in den Vereinigten Staaten",
    "VA": "in der Vatikanstadt",
    "VC": "in St. Vincent und den Grenadinen",
    "VG": "auf den Britischen Jungferninseln",
    "VI": "auf den Amerikanischen Jungferninseln",
    "YE": "im Jemen",
}

_RU_ADJECTIVE: Final = re.compile(r"(ий|ый|ой)$")


@cache
def locale_of(lang: str) -> Locale:
    """The Babel locale of a language of the generator; Chinese means simplified."""
    return Locale.parse("zh_Hans" if lang == "zh" else lang)


@cache
def has_own_letter(text: str, lang: str) -> bool:
    """Whether ``text`` has a letter of the script that ``lang`` is written in."""
    prefix = LETTER_PREFIX[lang]
    return any(
        unicodedata.name(c, "").startswith(prefix) for c in text if c.isalpha() or unicodedata.category(c) == "Lo"
    )


def _without_abbreviation(name: str | None, lang: str) -> str | None:
    """Russian CLDR names shorten "остров" for lists."""
    return name.replace("о-ва", "острова").replace("о-в", "остров") if name and lang == "ru" else name


def _territory(code: str, lang: str) -> str | None:
    name = _without_abbreviation(locale_of(lang).territories.get(code), lang)
    return f"the {name}" if name and lang == "en" and code in _EN_ARTICLE else name


def _in_territory(code: str, lang: str) -> str | None:
    name = _territory(code, lang)
    return name and (_DE_IN.get(code, f"in {name}") if lang == "de" else f"in {name}")


def _plain_language(code: str, lang: str) -> str | None:
    """The name as it stands in a list of languages."""
    name = locale_of(lang).languages.get(code)
    if name and lang == "th":
        return name if name.startswith("ภาษา") else f"ภาษา{name}"
    return _lower_class_noun(name, lang)


def _language(code: str, lang: str) -> str | None:
    """The name as a noun phrase that stands alone in a sentence."""
    name = _plain_language(code, lang)
    if not name:
        return name
    if lang == "ar" and not name.startswith("لغة"):
        # Adjectives agree with the noun ("اللغة الألمانية"); any other name stands in the genitive ("لغة الرومبو").
        return f"اللغة {name}" if re.match("ال\\S*ية( |$)", name) else f"لغة {name}"
    if lang == "ru":
        return f"{name} язык" if _RU_ADJECTIVE.search(name) else f"язык {name}"
    if lang == "hi" and "भाषा" not in name:
        return f"{name} भाषा"
    return name


def _languages(codes: str, lang: str) -> str | None:
    names = [_plain_language(code, lang) for code in codes.split()]
    known = [name for name in names if name]
    return format_list(known, locale=locale_of(lang)) if len(known) == len(names) else None


def _script(code: str, lang: str) -> str | None:
    name = locale_of(lang).scripts.get(code)
    if name and lang == "th":
        return name if name.startswith("อักษร") else f"อักษร{name}"
    return _lower_class_noun(name, lang)


def _lower_class_noun(name: str | None, lang: str) -> str | None:
    """Vietnamese names begin with a common noun that CLDR capitalises as for a list."""
    if name and lang == "vi" and name.startswith(("Tiếng ", "Chữ ", "Giờ ", "Thứ ")):
        return name[0].lower() + name[1:]
    return name


def _currency(code: str, lang: str) -> str | None:
    return locale_of(lang).currencies.get(code)


def _city(zone: str, lang: str) -> str | None:
    name = locale_of(lang).time_zones.get(zone, {}).get("city")
    if not name and LETTER_PREFIX[lang] == "LATIN":
        # CLDR's own rule: without an entry of its own the place is called as in the zone's identifier.
        name = zone.rpartition("/")[2].replace("_", " ")
    return _without_abbreviation(name, lang)


def _zone(form: str, lang: str) -> str | None:
    """``form`` is a CLDR metazone and one of its name types, e.g. ``Europe_Central:generic``."""
    meta_zone, _, kind = form.partition(":")
    names: Mapping[str, Mapping[str, str]] = locale_of(lang).meta_zones.get(meta_zone, {})
    return _lower_class_noun(names.get("long", {}).get(kind), lang)


def _day(number: str, lang: str) -> str | None:
    return _lower_class_noun(locale_of(lang).days["stand-alone"]["wide"][int(number)], lang)


def _percent(value: str, lang: str) -> str:
    percent = Decimal(value)
    digits = 0 if percent >= 10 else 1 if percent >= 1 else 2
    text = format_percent(round(percent, digits).normalize() / 100, locale=locale_of(lang), decimal_quantization=False)
    # No-break spaces and direction marks would only make tokenisers see different words.
    return text.replace("\u00a0", " ").replace("\u202f", " ").replace("\u200e", "").replace("\u200f", "")


_CLDR_NAMES: Final[dict[str, Callable[[str, str], str | None]]] = {
    "territory": _territory,
    "in_territory": _in_territory,
    "language": _language,
    "languages": _languages,
    "script": _script,
    "currency": _currency,
    "city": _city,
    "zone": _zone,
    "day": _day,
}


@cache
def name_of(slot: str, value: str, lang: str) -> str | None:
    """What fills ``slot`` for ``value`` in ``lang``; None if CLDR lacks a name in that language.

    A name that is only the code again, or that has no letter of the language's script, counts as lacking.
    Slots without names of their own (``code``, ``endonym``) are filled with ``value`` itself.
    """
    if slot == "percent":
        return _percent(value, lang)
    if slot == "separator":
        return SEPARATORS[lang][value]
    if slot not in _CLDR_NAMES:
        return value
    name = _CLDR_NAMES[slot](value, lang)
    if not name or name == value or not has_own_letter(name, lang):
        return None
    return name
