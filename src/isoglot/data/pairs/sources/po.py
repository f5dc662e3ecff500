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
from isoglot.optional import needed
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
    polib = needed("polib", "gettext catalogues need polib", "bitext")
    with open_file(path) as file:
        data = file.read()
    is_binary = data.startswith(_MO)
    if data.startswith(b"\x1f\x8b"):
        raise LineError(path, 1, "packed by gzip; unpack it first")
    if path.suffix in (".mo", ".gmo") and not is_binary:
        raise LineError(path, 1, "not a .mo file: it does not begin with the number that these begin with")
    if not is_binary:
        _check_strings(path, data)
    try:
        return polib.mofile(data) if is_binary else polib.pofile(str(path))
    except UnicodeDecodeError as error:
        raise LineError(path, 1, f"not in the encoding of its header ({error.reason} at byte {error.start})") from None
    except Exception as error:  # polib raises OSError for syntax, and whatever damage leads to for the rest
        line = re.search(r"\(line ([0-9]+)\)", str(error))
        what = re.sub(r"^Syntax error in po file .*\(line [0-9]+\):? ?", "", first_line(error)) or "syntax error"
        raise LineError(path, int(line[1]) if line else 1, f"not a catalogue of gettext ({what})") from None


def _check_strings(path: Path, data: bytes) -> None:
    """LineError for a string without its second quote, as in a file that was cut: polib loses a character there."""
    for number, line in enumerate(map(bytes.strip, data.splitlines()), start=1):
        is_string = line.startswith((b'"', b"msgid", b"msgstr", b"msgctxt"))
        if is_string and (not line.endswith(b'"') or line.count(b'"') < 2):
            raise LineError(path, number, "not a catalogue of gettext (a string without its second quote)")


def _language(file: LanguageFile, catalogue: Any) -> str:
    """From the pattern, else the header. LineError where neither says one."""
    code = file.lang or locale_code(catalogue.metadata.get("Language", ""))
    try:
        return language(code)
    except InputError as error:
        problem = f"its header 'Language:' names none ({error})" if code else "its header has no 'Language:'"
        raise LineError(file.path, 1, f"{problem}; write {{lang}} where its path has it") from None


def _units(catalogue: Any, path: Path, rest: str, source: str, lang: str, tally: Tally) -> Iterator[Unit]:
    form = _plural(catalogue.metadata.get("Plural-Forms", ""))
    if form is None:
        tally.notes.append(f"{path}: Plural-Forms not understood and taken to be {_GERMANIC}")
        form = _plural("")
        assert form
    # the forms for one, and for most numbers from 2 to 100
    forms = form(1), Counter(map(form, range(2, 101))).most_common(1)[0][0]
    for number, entry in enumerate(catalogue, start=1):
        if entry.obsolete or "fuzzy" in entry.flags:
            tally.leave("obsolete" if entry.obsolete else "fuzzy", len(entry.msgstr_plural) or 1)
            continue
        for which, (text, translation) in enumerate(_texts(entry, forms, tally)):
            if not translation.strip():
                tally.leave("untranslated")
                continue
            key = unit_id(rest, entry.msgctxt, entry.msgid, text, str(which))
            line = getattr(entry, "linenum", 0) or number  # a .mo file has no lines
            yield Unit(path, line, key, ((source, text), (lang, translation)), is_part=True)


def _texts(entry: Any, forms: tuple[int, int], tally: Tally) -> list[tuple[str, str]]:
    """(msgid, translation), for a plural also (msgid_plural, translation); the plural forms beside `forms` are left out."""
    if not entry.msgid_plural:
        return [(entry.msgid, entry.msgstr)]
    translations: dict[int, str] = entry.msgstr_plural
    places = [min(form, max(translations, default=0)) for form in forms]  # there may be fewer than the header says
    for form in set(translations) - set(places):
        tally.leave("further plural forms" if translations[form].strip() else "untranslated")
    return [(text, translations.get(form, "")) for text, form in zip((entry.msgid, entry.msgid_plural), places)]


def _plural(header: str) -> Callable[[int], int] | None:
    """Number -> plural form, by the header `Plural-Forms:`, as the standard library reads it; None where it is not understood."""
    expression = re.search(r"plural\s*=([^;]+)", header)
    if header and not expression:
        return None
    try:
        form: Callable[[int], int] = gettext.c2py(expression[1].strip() if expression else _GERMANIC)
        for n in range(1, 101):
            form(n)
    except (ValueError, ArithmeticError, RecursionError, MemoryError):
        return None
    return form


SOURCES.register(Po())
