"""Which columns of a file hold what: by their usual names, by names that are given, or one column per language."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from isoglot.data.languages import known_language, language
from isoglot.errors import InputError, LineError, say

REQUIRED = ("id", "lang", "query", "passage")
OPTIONAL = ("passage_id", "document_id", "negatives", "source")
_LANG = "{lang}"
_CODE = "[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*"
# what people call these columns, for suggestions only
_WORDS = {
    "id": ("id", "_id", "qid", "key", "nr", "no", "number"),
    "lang": ("lang", "language", "locale", "lang_code", "language_code", "sprache"),
    "query": ("query", "question", "title", "heading", "prompt", "anchor", "q", "frage", "pregunta"),
    "passage": ("passage", "answer", "text", "context", "document", "response", "content", "positive", "a", "antwort"),
}


class Columns:
    """The columns of one file of pairs.

    Args:
        path: of the file, as messages call it.
        given: what users call `REQUIRED` and `OPTIONAL`; `lang` may be a language that all rows are in, and `query` and `passage`
            may hold `{lang}`: one column per language.
    """

    def __init__(self, path: Path, given: Mapping[str, str]) -> None:
        self._path, self._given = path, given
        self._names = {name: given.get(name, name) for name in (*REQUIRED, *OPTIONAL)}
        self._is_wide = any(_LANG in self._names[name] for name in ("query", "passage"))
        self._wide: dict[str, tuple[str, str]] = {}
        self._lang: str | None = None
        self._has_id = True
        self._seen: Collection[str] | None = None

    def needed(self, columns: Sequence[str]) -> list[str]:
        """The columns that must be among those of a file, after a look at which these are.

        Raises:
            InputError: one column per language, and some languages have one of two; `lang` is no column and no language.
        """
        self._seen = columns
        if not self._given and not {*REQUIRED[1:]} & {*columns} and (wide := self._languages(columns, "query_{lang}")):
            self._is_wide, self._wide = True, wide
        elif self._is_wide:
            self._wide = self._languages(columns, self._names["query"])
            if not self._wide:
                raise LineError(self._path, 1, f"no columns {self._names['query']} and {self._names['passage']}")
        if self._wide:
            say(f"{self._path}: one column per language: {', '.join(map(' and '.join, self._wide.values()))}")
            names: list[str] = []
        else:
            names = [self._names["query"], self._names["passage"], *self._language(columns)]
        self._has_id = "id" in self._given or self._names["id"] in columns
        if not self._has_id and (self._is_wide or self._lang):
            say(f"{self._path}: no column of ids: the line of a row is its id")
        elif self._names["id"] not in names:
            names.insert(0, self._names["id"])
        return [*names, *(self._names[name] for name in OPTIONAL if name in self._given)]

    def look(self, lines: Iterable[Mapping[str, Any] | LineError]) -> None:
        """As `needed`, for JSON lines, which have no header: the first whole row says which columns there are."""
        first = next((fields for fields in lines if not isinstance(fields, LineError)), None)
        if first is not None:
            self.needed(list(first))

    def rows(self, fields: Mapping[str, Any], number: int) -> Iterator[Mapping[str, Any] | LineError]:
        """The rows of a pair table in one row of the file, by the usual names: one, or one per language that it has texts in."""
        if self._seen is None:  # JSON lines have no header
            self.look([fields])
        if not (self._given or self._is_wide):
            yield fields
            return
        row = {name: fields[column] for name, column in self._names.items() if column in fields}
        if not self._has_id:
            row["id"] = number
        if not self._is_wide:
            yield {**row, "lang": self._lang} if self._lang else row
            return
        for lang, names in self._wide.items():
            texts = [fields.get(name) for name in names]
            filled = [bool(text.strip()) if isinstance(text, str) else text is not None for text in texts]
            if all(filled):
                yield {**row, "lang": lang, "query": texts[0], "passage": texts[1]}
            elif any(filled):
                full, empty = names if filled[0] else names[::-1]
                yield LineError(self._path, number, f"column '{empty}' is empty, and '{full}' is not")

    def hint(self, columns: Sequence[str]) -> str:
        """What to write where columns are called otherwise: with the names that are there, as far as they can be told."""
        if len(columns) == 1:
            return f"say what separates the columns: 'table:{self._path}?delimiter=...'"
        names = {name: self._given.get(name) or self._called(name, columns) for name in REQUIRED}
        patterns = [_pattern(columns, _WORDS[name]) for name in ("query", "passage")]
        if all(patterns) and not (names["query"] and names["passage"]):
            words = [f"query={patterns[0]}", f"passage={patterns[1]}"]
        else:
            words = [f"{name}={names[name] or 'COLUMN'}" for name in ("query", "passage")]
            words.append(f"lang={names['lang'] or 'COLUMN-OR-LANGUAGE'}")
            if names["id"] is None:
                words.append("id=COLUMN")  # translations of each other have one
        if names["id"] not in (None, "id"):
            words.append(f"id={names['id']}")
        return f"say which column is which: 'table:{self._path}?{'&'.join(words)}'"

    def _called(self, name: str, columns: Sequence[str]) -> str | None:
        lower = {column.strip().lower(): column for column in reversed(columns)}
        return next((lower[word] for word in _WORDS[name] if word in lower), None)

    def _language(self, columns: Sequence[str]) -> list[str]:
        """The column of languages; none where `lang` is a language."""
        name = self._names["lang"]
        if name in columns or "lang" not in self._given:
            return [name]
        try:
            self._lang = language(name)
        except InputError as error:
            raise InputError(f"{self._path}: lang={name}: no column of that name, and {error}") from None
        say(f"{self._path}: all rows are in '{self._lang}' (no column is called {name})")
        return []

    def _languages(self, columns: Sequence[str], query: str) -> dict[str, tuple[str, str]]:
        """The columns of query and passage by language."""
        passage = "passage_{lang}" if "passage" not in self._given else self._names["passage"]
        if not (_LANG in query and _LANG in passage):
            raise InputError(f"{self._path}: query and passage must both hold {_LANG}, or none of them")
        sides: list[dict[str, str]] = []
        for pattern in (query, passage):
            side: dict[str, str] = {}
            for column, code in _matches(columns, pattern):
                if (other := side.setdefault(code, column)) != column:
                    raise LineError(self._path, 1, f"columns '{other}' and '{column}' are one language ({code})")
            sides.append(side)
        if sides[0] and "id" not in sides[0] and sides[1].get("id") == "passage_id":
            del sides[1]["id"]  # the id of the passage, not a passage in Indonesian
        if sides[0] and (alone := sorted(sides[0].keys() ^ sides[1].keys())):
            raise LineError(self._path, 1, f"only one column of {query} and {passage} for {', '.join(alone)}")
        return {code: (column, sides[1][code]) for code, column in sides[0].items()}


def _matches(columns: Sequence[str], pattern: str) -> Iterator[tuple[str, str]]:
    """(column, language) of the columns that a pattern with `{lang}` fits."""
    before, _, behind = pattern.partition(_LANG)
    for column in columns:
        match = re.fullmatch(f"{re.escape(before)}({_CODE}){re.escape(behind)}", column)
        if match and (code := known_language(match[1])):  # others are words that look like a code
            yield column, code


def _pattern(columns: Sequence[str], words: Sequence[str]) -> str | None:
    """`question ({lang})` where columns are called so."""
    for column in columns:
        match = re.fullmatch(rf"({'|'.join(words)})([ _.:(\[-]+){_CODE}([)\]]?)", column, re.IGNORECASE)
        pattern = match and f"{match[1]}{match[2]}{_LANG}{match[3]}"
        if pattern and any(True for _ in _matches(columns, pattern)):
            return pattern
    return None
