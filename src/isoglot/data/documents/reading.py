"""Files as pages, and pages as sections by language."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from isoglot.data.documents.find import File, Found
from isoglot.data.documents.page import Page
from isoglot.data.documents.sections import Section, sections_of
from isoglot.data.documents.settings import DocumentSettings
from isoglot.data.languages import language
from isoglot.errors import InputError, say


@dataclass
class Pages:
    """What was read.

    Attributes:
        sections: by page and language, in order.
        left_out: files that were not read, by reason.
        files: how many were read, by language.
    """

    sections: dict[str, dict[str, list[Section]]] = field(default_factory=lambda: defaultdict(dict))
    left_out: Counter[str] = field(default_factory=Counter)
    files: Counter[str] = field(default_factory=Counter)

    def counts(self) -> Counter[str]:
        """Sections by language."""
        return Counter({lang: n for lang, n in self._sizes() if n})

    def _sizes(self) -> Iterator[tuple[str, int]]:
        totals: Counter[str] = Counter()
        for by_language in self.sections.values():
            for lang, sections in by_language.items():
                totals[lang] += len(sections)
        return iter(totals.items())


def read_pages(found: Found, asked: DocumentSettings, watch: Iterable[File] | None = None) -> Pages:
    """Read all files.

    Args:
        watch: the files again, counting on a progress bar.

    Raises:
        InputError: the first file that cannot be read, unless those are to be skipped; a page that is there twice in a language.
    """
    pages = Pages(left_out=Counter(found.left_out))
    wanted = {language(code) for code in asked.languages}
    for file in watch if watch is not None else found.files:
        try:
            read = list(_read(file, asked))
        except InputError as error:
            if not asked.skip_unreadable:
                raise
            say(f"left out: {error}")
            pages.left_out["unreadable"] += 1
            continue
        for name, lang, page in read:
            if wanted and lang not in wanted:
                continue
            if lang in pages.sections[name]:
                raise InputError(f"{file.path}: page '{name}' is there twice in {lang}")
            pages.sections[name][lang] = sections_of(page)
        for lang in {lang for _, lang, _ in read}:
            pages.files[lang] += 1
    return pages


def _read(file: File, asked: DocumentSettings) -> Iterator[tuple[str, str, Page]]:
    """(name, language, page) of a file; what it has in several places of one page is one page."""
    together: dict[tuple[str, str], Page] = {}
    for page in file.format.read(file.path, asked):
        key = (_named(file, page.name), file.lang or _code(page.lang, file.path))
        known = together.get(key)
        together[key] = replace(known, blocks=known.blocks + page.blocks) if known else page
    for (name, lang), page in together.items():
        yield name, lang, page


def _named(file: File, inside: str) -> str:
    return f"{file.page}/{inside}" if inside else file.page


def _code(lang: str, path: Path) -> str:
    if not lang:
        raise InputError(
            f"{path}: a row without a language; write {{lang}} into the pattern, or a column (--language-column)"
        )
    try:
        return language(lang)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
