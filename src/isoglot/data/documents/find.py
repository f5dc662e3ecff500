"""Which files are one page in several languages: patterns of paths with `{lang}` in them."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from isoglot.data.documents.format import Format, format_of
from isoglot.data.documents.settings import DocumentSettings
from isoglot.data.languages import language
from isoglot.errors import InputError

LANG = "{lang}"
_TOKENS = re.compile(r"\{lang\}|\*\*/|\*\*|\*|\?|[^*?{]+|\{")
_SHAPES = {"**/": r"((?:(?!\.)[^/]+/)*)", "**": r"(.*)", "*": r"([^/]*)", "?": r"([^/])"}


@dataclass(frozen=True)
class File:
    """A file that is read. `lang` is "" where the file itself says it."""

    path: Path
    format: Format
    page: str
    lang: str


@dataclass
class Found:
    """Files by (page, language), in order, and how many fitted the patterns but are not read, by reason."""

    files: list[File] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)


def find_files(patterns: Sequence[str], asked: DocumentSettings) -> Found:
    """The files of all patterns.

    Raises:
        InputError: a pattern without `{lang}` whose files do not say their language; no files; two files of one page in one
            language; `source` that does not go with the patterns.
    """
    if asked.source and (len(asked.source) != len(patterns) or asked.source_language is None):
        raise InputError("--source needs --source-language, and one pattern for each of those of the other languages")
    wanted = {language(code) for code in asked.languages}
    found = Found()
    seen: dict[tuple[str, str], Path] = {}
    for number, pattern in enumerate(patterns, 1):
        files = list(_files(pattern, "", found, asked))
        if asked.source:
            with_code = {file.path for file in files}
            plain = _files(asked.source[number - 1], language(asked.source_language or ""), found, asked)
            files += [file for file in plain if file.path not in with_code]
        if not files:
            raise InputError(
                f"{pattern}: no such files{_left_out(found)}; a pattern is written in quotes: 'docs/{LANG}/**/*.md'"
            )
        for file in files:
            page = f"{number}/{file.page}" if len(patterns) > 1 else file.page
            if file.lang and wanted and file.lang not in wanted:
                found.left_out["of other languages"] += 1
                continue
            if file.lang and (other := seen.setdefault((page, file.lang), file.path)) != file.path:
                raise InputError(f"{file.path}: {other} is the same page in the same language ({file.lang})")
            found.files.append(File(file.path, file.format, page, file.lang))
    found.files.sort(key=lambda file: (file.page, file.lang))
    if asked.source_language is not None:
        named = {file.lang for file in found.files}
        if "" not in named and language(asked.source_language) not in named:
            raise InputError(
                f"no files in {asked.source_language}, the source language (there are {', '.join(sorted(named))})"
            )
    return found


def _files(pattern: str, lang: str, found: Found, asked: DocumentSettings) -> Iterator[File]:
    """The files of a pattern; those of a source language, `lang`, where it is given."""
    text = os.path.normpath(os.path.expanduser(pattern)).replace(os.sep, "/")
    if lang and LANG in text:
        raise InputError(f"{pattern}: --source is for files without {LANG} in their path")
    shape, start = _compile(text), re.split(r"[*?]|\{lang\}", text)[0]
    for path in _walk(start.rpartition("/")[0] or ("/" if start.startswith("/") else ".")):
        match = shape.fullmatch(path)
        if not match:
            continue
        format, code = format_of(Path(path), asked.format), lang or match.groupdict().get("lang") or ""
        if format is None:
            found.left_out[f"of an unknown format ({Path(path).suffix or 'no ending'})"] += 1
        elif not code and not format.names_language:
            raise InputError(
                f"{pattern}: nothing says the language of {path}; write {LANG} in its place, in quotes: 'docs/{LANG}/**/*.md'"
            )
        else:
            try:
                yield File(Path(path), format, _page(match, text), language(code) if code else "")
            except InputError:
                found.left_out[f"in '{code}', which is no language"] += 1


def _compile(pattern: str) -> re.Pattern[str]:
    """A pattern as a regular expression: every `*` is a group, a `{lang}` that comes again is the same code."""
    parts: list[str] = []
    for token in _TOKENS.findall(pattern):
        if token == LANG:
            parts.append(
                "(?P=lang)" if any("?P<lang>" in part for part in parts) else "(?P<lang>[A-Za-z][A-Za-z0-9_-]*)"
            )
        else:
            parts.append(_SHAPES.get(token) or re.escape(token))
    return re.compile("".join(parts), re.DOTALL)


def _page(match: re.Match[str], pattern: str) -> str:
    """The name of a page: what stands in the place of the pattern's stars; else its file's name without language and ending."""
    lang = match.re.groupindex.get("lang")
    stars = [text for number, text in enumerate(match.groups(), 1) if number != lang and text]
    if stars:
        return "".join(text if text.endswith("/") else f"{text}/" for text in stars)[:-1]
    name = re.sub(r"[._-]?\{lang\}[._-]?", "", pattern.rpartition("/")[2].rpartition(".")[0])
    return name or "page"


def _walk(root: str) -> Iterator[str]:
    """Every file below a folder that is not hidden, in order."""
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            yield os.path.normpath(os.path.join(folder, name)).replace(os.sep, "/")


def _left_out(found: Found) -> str:
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in found.left_out.items())
    return f" that can be read ({reasons})" if reasons else ""
