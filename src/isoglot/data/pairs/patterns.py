"""Files of several languages under one name: `po:locale/{lang}/LC_MESSAGES/app.po?source=en`."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from isoglot.data.languages import known_language, language
from isoglot.data.pairs.address import parse_options
from isoglot.errors import InputError

_LANG = "{lang}"
_PARTS = re.compile(r"(\{lang\}|\*)")
# scripts behind the @ of a locale's name (ISO 3166 and ISO 639 codes come before it), as glibc's locales have them
_SCRIPTS = {"latin": "Latn", "cyrillic": "Cyrl", "devanagari": "Deva", "arabic": "Arab"}


@dataclass(frozen=True)
class LanguageFile:
    """A file of a pattern.

    Attributes:
        lang: what stands in the place of `{lang}`; None where the pattern has none.
        rest: the path with `{lang}` in that place: files that differ in their language only have one rest.
    """

    path: Path
    lang: str | None
    rest: str


@dataclass(frozen=True)
class FilePattern:
    """The files that a pattern names, in the order of their paths, and the options behind it.

    `{lang}` stands for a language and `*` for anything, both within a name; a `.gz` may follow.

    Attributes:
        spec: as given.
        name: of the source of their rows: option `name`, or what the pattern's last names have beside language and ending.
        strangers: files with something in the place of `{lang}` that is no language.
    """

    spec: str
    name: str
    files: tuple[LanguageFile, ...]
    strangers: tuple[Path, ...]
    options: dict[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, spec: str, known: Collection[str]) -> FilePattern:
        """Find the files. InputError where there is none, or none of a language; for an option that is none of `known`."""
        kind, _, rest = spec.partition(":")
        where, _, query = rest.partition("?")
        pattern = os.path.expanduser(where)
        options = parse_options(spec, query, known)
        found = _matches(pattern)
        files = tuple(file for file in found if file.lang is None or known_language(file.lang))
        strangers = tuple(file.path for file in found if file not in files)
        if not files:
            what = f"{strangers[0]}: named after no language" if strangers else "no such file"
            raise InputError(
                f"{spec}: {what}; expected {kind}:FILE, where {_LANG} stands for a language and * for anything"
            )
        return cls(spec, options.get("name") or _stem(pattern) or kind, files, strangers, options)

    def language(self, key: str, default: str) -> str:
        """The language that an option names. InputError for none."""
        try:
            return language(self.options.get(key, default))
        except InputError as error:
            raise InputError(f"{self.spec}: {key}: {error}") from None


def locale_code(name: str) -> str:
    """A language code of a locale's name as gettext has it: `sr@latin` is `sr-Latn`, `ca@valencia` `ca-valencia`.

    `pt_BR.UTF-8` is `pt_BR`. What is behind the @ and no script becomes a variant: no code where it is too short for one.
    """
    name, _, modifier = name.partition("@")
    name = name.partition(".")[0]
    return f"{name}-{_SCRIPTS.get(modifier.lower(), modifier)}" if modifier else name


def _matches(pattern: str) -> list[LanguageFile]:
    parts = _PARTS.split(pattern)
    expression, first = "", True
    for part in parts:
        if part == _LANG:
            expression += "(?P<lang>[^/]+)" if first else "(?P=lang)"
            first = False
        else:
            expression += "[^/]*" if part == "*" else re.escape(part)
    wild = "".join("*" if part in (_LANG, "*") else glob.escape(part) for part in parts)
    paths = {path for ending in ("", ".gz") for path in glob.glob(wild + ending)}
    files = []
    for path in sorted(paths):
        # the ending is no part of the language, where both may be read into the name
        match = re.fullmatch(expression, path.removesuffix(".gz")) or re.fullmatch(expression, path)
        if match and first:
            files.append(LanguageFile(Path(path), None, path))
        elif match:
            rest = path[: match.start("lang")] + _LANG + path[match.end("lang") :].removesuffix(".gz")
            files.append(LanguageFile(Path(path), locale_code(match["lang"]), rest))
    return files


def _stem(pattern: str) -> str:
    """The last name of a pattern that has something beside languages, wildcards and its endings; "" where none has."""
    for name in reversed(Path(pattern).parts):
        stem = name.removesuffix(".gz")
        stem = stem if stem.endswith(_LANG) else stem.rpartition(".")[0] or stem
        stem = stem.replace(_LANG, "").replace("*", "").strip("._- /")
        if stem and stem != "LC_MESSAGES":  # a category of every locale
            return stem
    return ""
