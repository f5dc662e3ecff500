"""Catalogues of GNU gettext (https://www.gnu.org/software/gettext/manual/: "PO Files", "MO Files", "Plural forms")."""

from __future__ import annotations

import gettext
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from isoglot.data.languages import language
from isoglot.data.pairs.bitext import Bitext, Tally, Unit, unit_id
from isoglot.data.pairs.patterns import FilePattern, LanguageFile, locale_code
from isoglot.data.pairs.source import SOURCES
from isoglot.errors import InputError, LineError, first_line
from isoglot.reading import open_file

_MO = (b"\xde\x12\x04\x95", b"\x95\x04\x12\xde")
_GERMANIC = "n != 1"  # what gettext takes where a file does not say


class Po(Bitext):
    """gettext catalogues (.po, .mo): msgids and translations; option source: the msgids' language (default en)"""

    name = "po"
    example = "locale/{lang}/LC_MESSAGES/app.po"
    options = ("source",)

    def units(self, files: FilePattern, tally: Tally) -> Iterator[Unit | LineError]:
        source = files.language("source", "en")
        if "source" not in files.options:
            tally.notes.append(f"msgids taken to be in {source} (option source)")
        own = 0
        for file in files.files:
            try:
                catalogue = _read(file.path)
                lang = _language(file, catalogue)
                if lang == source:
                    own += 1
                    continue
                rest = file.rest if file.lang else ""
                yield from _units(catalogue, file.path, rest, source, lang, tally)
            except LineError as error:
                yield error
        if own:
            tally.notes.append(f"files in {source} itself, not read: {own}")


def _read(path: Path) -> Any:
    """A catalogue by polib. LineError where it is none."""
    try:
        import polib
    except ImportError:
        raise InputError("gettext catalogues need polib: pip install 'isoglot[bitext]'") from None
    with open_file(path) as file:
        head = file.read(4)
        binary = head + file.read() if head in _MO else b""
    if head.startswith(b"\x1f\x8b"):
        raise LineError(path, 1, "packed by gzip; unpack it first")
    if path.suffix in (".mo", ".gmo") and not binary:
        raise LineError(path, 1, "not a .mo file: it does not begin with the number that these begin with")
    try:
        return polib.mofile(binary) if binary else polib.pofile(str(path))
    except UnicodeDecodeError as error:
        raise LineError(path, 1, f"not in the encoding of its header ({error.reason} at byte {error.start})") from None
    except Exception as error:  # polib raises OSError for syntax, and whatever damage leads to for the rest
        line = re.search(r"\(line ([0-9]+)\)", str(error))
        what = first_line(error).partition("): ")[2] or first_line(error)
        raise LineError(path, int(line[1]) if line else 1, f"not a catalogue of gettext ({what})") from None


def _language(file: LanguageFile, catalogue: Any) -> str:
    """From the pattern, else the header. LineError where neither says one."""
    code = file.lang or locale_code(catalogue.metadata.get("Language", ""))
    try:
        return language(code)
    except InputError as error:
        problem = f"its header 'Language:' names none ({error})" if code else "its header has no 'Language:'"
        raise LineError(file.path, 1, f"{problem}; write {{lang}} where its path has it") from None


def _units(catalogue: Any, path: Path, rest: str, source: str, lang: str, tally: Tally) -> Iterator[Unit]:
    singular, plural = _forms(catalogue.metadata.get("Plural-Forms", ""))
    for number, entry in enumerate(catalogue, start=1):
        translations = entry.msgstr_plural or {0: entry.msgstr}
        if entry.obsolete or "fuzzy" in entry.flags:
            tally.leave("obsolete" if entry.obsolete else "fuzzy", len(translations))
            continue
        texts = [(entry.msgid, entry.msgstr)]
        if entry.msgid_plural:
            last = max(translations)  # a catalogue may have fewer forms than it says
            places = min(singular, last), min(plural, last)
            texts = [(asked, translations.get(n, "")) for asked, n in zip((entry.msgid, entry.msgid_plural), places)]
            for n in set(translations) - set(places):
                tally.leave("further plural forms" if translations[n].strip() else "untranslated")
        for form, (text, translation) in enumerate(texts):
            if translation.strip():
                key = unit_id(rest, entry.msgctxt, entry.msgid, text, str(form))
                yield Unit(
                    path,
                    getattr(entry, "linenum", 0) or number,
                    key,
                    ((source, text), (lang, translation)),
                    is_part=True,
                )
            else:
                tally.leave("untranslated")


def _forms(header: str) -> tuple[int, int]:
    """Which plural form is for one, and which for most numbers from 2 to 100, by the header `Plural-Forms:`."""
    expression = re.search(r"plural\s*=([^;]+)", header)
    form = _plural(expression[1] if expression else _GERMANIC) or _plural(_GERMANIC)
    assert form
    return form(1), Counter(map(form, range(2, 101))).most_common(1)[0][0]


def _plural(expression: str) -> Callable[[int], int] | None:
    """The function of a C expression, as the standard library reads it; None where it is none."""
    try:
        form: Callable[[int], int] = gettext.c2py(expression.strip())  # type: ignore[attr-defined]
        for n in range(1, 101):
            form(n)
    except (ValueError, ArithmeticError, RecursionError, MemoryError):
        return None
    return form


SOURCES.register(Po())
