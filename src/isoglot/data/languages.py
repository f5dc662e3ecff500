"""Language codes: what is accepted on input and the one spelling that is used inside."""

from __future__ import annotations

from functools import cache

from isoglot.errors import InputError


@cache
def language(code: str) -> str:
    """The code as the benchmarks spell it: ISO 639-1 where there is one, BCP 47 subtags kept (`zh-Hant`, `pt-BR`).

    ISO 639-3 (`deu`) and retired codes (`iw`) are accepted and mapped by CLDR's aliases.

    Raises:
        InputError: no such language.
    """
    from babel.core import Locale, get_global

    head, *tail = code.strip().replace("_", "-").split("-")
    head = head.lower()
    alias = get_global("language_aliases").get(head, head)
    names = Locale("en").languages
    if not head.isalpha() or not (alias in names or head in names):
        raise InputError(f"unknown language '{code}': expected an ISO 639-1 code such as en, zh or sw, or ISO 639-3")
    base = alias if alias in names and "_" not in alias else head
    return "-".join([base, *(subtag.title() if len(subtag) == 4 else subtag.upper() for subtag in tail)])
