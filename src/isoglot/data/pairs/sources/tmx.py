"""Translation memories: TMX 1.4b (LISA OSCAR, 26 April 2005), and 1.1 to 1.3, which it can read as well."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from isoglot.data.languages import spelled
from isoglot.data.pairs.bitext import Bitext, Tally, Unit, source_first
from isoglot.data.pairs.patterns import FilePattern, LanguageFile
from isoglot.data.pairs.source import SOURCES
from isoglot.data.pairs.xml_units import LANG, elements, name_of, plain_text
from isoglot.errors import LineError


class Tmx(Bitext):
    """TMX 1.1 to 1.4 translation memories (also .gz), read as a stream: units in all their languages"""

    name = "tmx"
    example = "memory.tmx"

    def units(self, files: FilePattern, tally: Tally) -> Iterator[Unit | LineError]:
        for file in files.files:
            start = f"{file.path.name}:" if len(files.files) > 1 else ""
            yield from _units(file, start)


def _units(file: LanguageFile, start: str) -> Iterator[Unit | LineError]:
    source, number = "", 0
    for element in elements(file.path, "tmx", ("header", "tu")):
        if isinstance(element, LineError):
            yield element
        elif name_of(element) == "header":
            source = element.get("srclang", "")
            version = element.getroottree().getroot().get("version", "")
            if not version.startswith("1."):
                yield LineError(file.path, 1, f"TMX of version '{version}'; expected 1.4 or earlier")
                return
        else:
            number += 1
            try:
                texts = source_first(_texts(element, file), spelled(element.get("srclang", source)))
                yield Unit(file.path, element.sourceline or 1, f"{start}{number}", texts)
            except LineError as problem:
                yield problem


def _texts(unit: Any, file: LanguageFile) -> list[tuple[str, str]]:
    """(language, text) of the variants of a unit. LineError for one without either."""
    texts = []
    for variant in unit.iterchildren("{*}tuv"):
        code = variant.get(LANG) or variant.get("lang")  # before 1.4 it was `lang`
        segment = variant.find("{*}seg")
        if not code or segment is None:
            missing = "<seg>" if code else "xml:lang"
            raise LineError(file.path, variant.sourceline or 1, f"a <tuv> without {missing}")
        texts.append((spelled(code), plain_text(segment, file.path)))
    return texts


SOURCES.register(Tmx())
