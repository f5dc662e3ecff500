"""XLIFF 1.2 (OASIS Standard, 1 February 2008), 2.0 (5 August 2014) and 2.1 (13 February 2018)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from isoglot.data.languages import spelled
from isoglot.data.pairs.bitext import Bitext, Tally, Unit, unit_id
from isoglot.data.pairs.patterns import FilePattern, LanguageFile
from isoglot.data.pairs.source import SOURCES
from isoglot.data.pairs.xml_units import LANG, elements, name_of, plain_text
from isoglot.errors import LineError

_VERSIONS = ("1.2", "2.0", "2.1")


class Xliff(Bitext):
    """XLIFF 1.2, 2.0 and 2.1 files (also .gz): sources and translations, by file, unit and segment"""

    name = "xliff"
    example = "files/*.xlf"

    def units(self, files: FilePattern, tally: Tally) -> Iterator[Unit | LineError]:
        for file in files.files:
            for element in elements(file.path, "xliff", ("trans-unit", "unit", "file")):
                try:
                    if isinstance(element, LineError):
                        raise element
                    if name_of(element) != "file":
                        yield from _units(element, file, tally)
                except LineError as problem:
                    yield problem


class _Segment(NamedTuple):
    """A source with its translation (or None), the state of that, and what tells it from the others of its unit."""

    source: Any
    target: Any
    state: str
    key: str


def _units(element: Any, file: LanguageFile, tally: Tally) -> Iterator[Unit]:
    root, part = element.getroottree().getroot(), next(element.iterancestors("{*}file"), None)
    version = root.get("version", "")
    if version not in _VERSIONS or part is None:
        problem = (
            f"XLIFF of version '{version}'; expected {', '.join(_VERSIONS)}"
            if part is not None
            else "a unit in no <file>"
        )
        raise LineError(file.path, element.sourceline or 1, problem)
    is_first = version == "1.2"
    source_lang = part.get("source-language") if is_first else root.get("srcLang")
    target_lang = part.get("target-language") if is_first else root.get("trgLang")
    kept = any(around.get("translate") == "no" for around in (element, *element.iterancestors()))
    for segment in _segments(element, is_first):
        line = segment.source.sourceline or 1
        if kept or (reason := _unfinished(segment)):
            tally.leave("not to be translated" if kept else reason)
            continue
        lang = file.lang or segment.target.get(LANG) or target_lang
        if not source_lang or not lang:
            where = ("<file>", "source-language", "target-language") if is_first else ("<xliff>", "srcLang", "trgLang")
            raise LineError(file.path, line, f"{where[0]} has no {where[2 if source_lang else 1]}")
        texts = [plain_text(side, file.path) for side in (segment.source, segment.target)]
        origin = part.get("original") or part.get("id")
        key = unit_id(origin, element.get("id"), segment.key, spelled(source_lang), " ".join(texts[0].split()))
        yield Unit(file.path, line, key, ((source_lang, texts[0]), (lang, texts[1])), is_part=True)


def _segments(unit: Any, is_first: bool) -> Iterator[_Segment]:
    """A unit of 1.2 is one segment; of 2.0 it has some, and a state that is not given says nothing where there is a target."""
    for number, element in enumerate([unit] if is_first else unit.iterchildren("{*}segment")):
        source, target = element.find("{*}source"), element.find("{*}target")
        if source is not None:
            state = element.get("state", "") if not is_first else "" if target is None else target.get("state", "")
            yield _Segment(source, target, state, element.get("id") or str(number))


def _unfinished(segment: _Segment) -> str:
    """Why a segment has no translation that is to be used; "" where it has one."""
    if segment.target is None or segment.state in ("new", "initial", "needs-translation"):
        return "untranslated"
    if not len(segment.target) and not (segment.target.text or "").strip():
        return "untranslated"
    return "fuzzy (state needs-...)" if segment.state.startswith("needs-") else ""


SOURCES.register(Xliff())
