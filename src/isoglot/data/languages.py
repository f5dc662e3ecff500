"""Language codes: what is accepted on input and the one spelling that is used inside."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import NamedTuple

from isoglot.errors import InputError, LineError

# RFC 5646, section 2.1, without what nobody writes on data: extensions and codes that are registered as a whole
_CODE = re.compile(
    r"(?P<language>[a-z]{2,3})(-(?P<extended>[a-z]{3}))?(-(?P<script>[a-z]{4}))?(-(?P<region>[a-z]{2}|[0-9]{3}))?"
    r"(?P<rest>(-([a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*(-x(-[a-z0-9]{1,8})+)?)"
)
# what CLDR keeps apart and collections of texts do not: `no` that says no more is Bokmål; FLORES has Pashto, Fula and the
# script of Korean under these codes
_ALIASES = {"no": "nb", "pbt": "ps", "fuv": "ff"}
_SCRIPTS = {("ko", "Hang"): "Kore"}
# collections that have both `pt` and `pt-BR` mean Portugal by the first, CLDR means Brazil: Brazil is not left out
_KEPT_REGIONS = {("pt", "BR")}


class _Subtags(NamedTuple):
    """Subtags of a language code in the case of BCP 47; "" where there is none."""

    language: str
    script: str
    region: str

    def likely(self) -> _Subtags:
        """With what CLDR says is meant where script or region is not given (UTS 35, "Add Likely Subtags")."""
        from babel.core import get_global

        known = get_global("likely_subtags")
        # CLDR takes "undetermined" for English; for texts it is no language
        tails = ((self.script, self.region), (self.region,), (self.script,), ()) if self.language != "und" else ()
        for tail in tails:
            if likely := known.get("_".join([self.language, *tail])):
                _, script, region = likely.split("_")
                return _Subtags(self.language, self.script or script, self.region or region)
        return self

    def minimal(self) -> _Subtags:
        """Without what is likely anyway (UTS 35, "Remove Likely Subtags", the script kept rather than the region)."""
        full = self.likely()
        tails = [("", ""), (full.script, ""), ("", full.region)]
        if (self.language, self.region) in _KEPT_REGIONS:
            tails = tails[2:]
        shorter = (_Subtags(self.language, *tail) for tail in tails)
        return next((subtags for subtags in shorter if subtags.likely() == full), full)


@cache
def language(code: str) -> str:
    """The one spelling of a language: the shortest BCP 47 code that means the same by CLDR.

    ISO 639-1 where there is one, ISO 639-3 (`deu`) and retired codes (`iw`) mapped by CLDR's aliases; script and region only
    where they are not the likely ones of the language: `en-Latn`, `eng_Latn` and `EN` are `en`; `zh-CN`, `zh-Hans` and `cmn`
    are `zh`, `zh-TW` is `zh-Hant`; `sr-Latn`, `en-GB` and `pt-BR` stay. Variants and private subtags are kept.

    Raises:
        InputError: no such language, script or region, or no language code at all.
    """
    subtags, rest = _parse(code)
    return "-".join([*filter(None, subtags.minimal()), *rest])


def language_at(code: str, path: str | Path, line: int) -> str:
    """`language(code)` of a line of a file. LineError: no such language."""
    try:
        return language(code)
    except InputError as error:
        raise LineError(path, line, str(error)) from None


@cache
def known_language(name: str) -> str:
    """`language(name)`, or "" where it is none."""
    try:
        return language(name)
    except InputError:
        return ""


def spelled(name: str) -> str:
    """`language(name)`, or the name itself where it is none: for what is there already."""
    return known_language(name) or name


def files_by_language(paths: Iterable[Path], ending: str) -> dict[str, Path]:
    """Files by the language that they are named after (`zh-CN.jsonl` is `zh`), in their order.

    Args:
        ending: of the names, behind the code; a `.gz` behind that is no part of it.

    Raises:
        InputError: a file that is named after no language, two files of one language.
    """
    files: dict[str, Path] = {}
    for path in paths:
        try:
            lang = language(path.name.removesuffix(".gz").removesuffix(ending))
        except InputError as error:
            raise InputError(f"{path}: the file is named after no language ({error})") from None
        if (other := files.setdefault(lang, path)) != path:
            raise InputError(f"{path}: {other.name} is the same language ({lang}); expected one file per language")
    return files


def script_of(code: str) -> str:
    """The script of a language code (see `language`), such as Hant for `zh-HK`; "" where CLDR does not know it."""
    return _parse(code)[0].likely().script


def regional(codes: Iterable[str]) -> list[list[str]]:
    """Those of some codes (see `language`) that are one language in one script, as in several regions, together."""
    together = defaultdict(list)
    for code in codes:
        full = _parse(code)[0].likely()
        together[full.language, full.script].append(code)
    return [alike for alike in together.values() if len(alike) > 1]


def _parse(code: str) -> tuple[_Subtags, list[str]]:
    """The subtags of a code under their current names, and all further ones."""
    from babel.core import Locale, get_global

    hint = (
        "expected ISO 639-1 such as en, zh or sw, ISO 639-3, or BCP 47 with script or region such as zh-Hant or en-GB"
    )
    match = _CODE.fullmatch(code.strip().replace("_", "-").lower()) if code.isascii() else None
    if not match:
        raise InputError(f"unknown language {code[:80]!r}: {hint}")
    head, script, region = (match["extended"] or match["language"]), match["script"] or "", match["region"] or ""
    alias, *implied = get_global("language_aliases").get(head, head).split("_")
    known, likely = Locale("en"), get_global("likely_subtags")
    # CLDR names the larger languages, and knows where most others are spoken
    name = next((name for name in (alias, head) if name in known.languages or name in likely), "")
    if not name:
        raise InputError(f"unknown language {code!r}: {hint}")
    for subtag in implied if name == alias else ():  # `sh` is `sr-Latn`
        if len(subtag) == 4:
            script = script or subtag
        else:
            region = region or subtag
    script, region = script.title(), region.upper()
    region = get_global("territory_aliases").get(region, [region])[0]
    for kind, subtag, names in (("script", script, known.scripts), ("region", region, known.territories)):
        if subtag and subtag not in names:
            raise InputError(f"unknown {kind} '{subtag}' in language {code!r}: {hint}")
    name = _ALIASES.get(name, name)
    return _Subtags(name, _SCRIPTS.get((name, script), script), region), match["rest"].split("-")[1:]
