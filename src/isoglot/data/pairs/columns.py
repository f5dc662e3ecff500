"""Which columns of a file hold what: by their usual names, by names that are given, or one column per language.

Where the names are not those of `REQUIRED`, those that others use are taken, if a file has one of each side only, and said:
`question` and `answer`; `anchor`, `positive` and `negative` of sentence-transformers; `query`, `pos` and `neg` of FlagEmbedding;
`query`, `positive_passages` and `negative_passages` of Tevatron. Lists of passages make a pair each.
"""

from __future__ import annotations

import difflib
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
# what people call these columns; only those of `_KNOWN` are taken without being asked
_KNOWN = {
    "query": ("query", "question", "anchor"),
    "passage": ("passage", "answer", "positive", "pos", "positive_passages"),
    "lang": ("lang", "language", "locale"),
    "id": ("id", "query_id", "qid", "_id"),
    "negatives": ("negatives", "negative", "neg", "negative_passages"),
}
_WORDS = {
    "id": ("id", "_id", "qid", "key", "nr", "no", "number"),
    "lang": ("lang", "language", "locale", "lang_code", "language_code", "sprache"),
    "query": ("query", "question", "title", "heading", "prompt", "anchor", "q", "frage", "pregunta"),
    "passage": ("passage", "answer", "text", "context", "document", "response", "content", "positive", "a", "antwort"),
}


def are_pairs(columns: Iterable[str]) -> bool:
    """Whether a file with these columns holds pairs, in one column for each side or one per language."""
    names = list(columns)
    sides = ("query", "passage")
    return all(_the_one(side, names) for side in sides) or all(_pattern(names, _KNOWN[side]) for side in sides)


class Columns:
    """The columns of one file of pairs.

    Args:
        path: of the file, as messages call it.
        given: what users call `REQUIRED` and `OPTIONAL`; `lang` may be a language that all rows are in, and `query` and `passage`
            may hold `{lang}`: one column per language.
        lang: of all rows, where the name of the file says it.
    """

    def __init__(self, path: Path, given: Mapping[str, str], lang: str | None = None) -> None:
        self._path, self._given, self._of_name = path, dict(given), lang
        self._names = {name: given.get(name, name) for name in (*REQUIRED, *OPTIONAL)}
        self._is_wide = any(_LANG in self._names[name] for name in ("query", "passage"))
        self._wide: dict[str, tuple[str, str]] = {}
        self._lang: str | None = None
        self._has_id = True
        self._seen: Collection[str] | None = None
        self._problem = ""

    def needed(self, columns: Sequence[str]) -> list[str]:
        """The columns that must be among those of a file, after a look at which these are.

        Raises:
            InputError: one column per language, and some languages have one of two; `lang` is no column and no language.
        """
        self._seen = columns
        self._recognise(columns)
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
            place = (
                "rows at one place of these files are taken for translations"
                if self._of_name
                else "the line of a row is its id"
            )
            say(f"{self._path}: no column of ids: {place}")
        elif self._names["id"] not in names:
            names.insert(0, self._names["id"])
        return [*names, *(self._names[name] for name in OPTIONAL if name in self._given)]

    def look(self, lines: Iterable[Mapping[str, Any] | LineError]) -> None:
        """As `needed`, for JSON lines, which have no header: the first whole row says which columns there are."""
        first = next((fields for fields in lines if not isinstance(fields, LineError)), None)
        if first is not None:
            columns = list(first)
            lacking = [name for name in self.needed(columns) if name not in columns]
            if lacking and (self._given or not {"query", "passage"} & {*columns}):
                found = ", ".join(columns)[:200] or "nothing"
                lacking.sort(key="id".__eq__)  # with one language for all rows it is not needed
                self._problem = f"field '{lacking[0]}' is missing (found {found}); {self.hint(columns)}"

    def rows(
        self, fields: Mapping[str, Any], number: int, place: int | None = None
    ) -> Iterator[Mapping[str, Any] | LineError]:
        """The rows of a pair table in one row of the file, by the usual names: one per language or passage that it has.

        Args:
            number: of the line.
            place: of the row, if that is to be its id where there is no column of ids.
        """
        if self._seen is None:  # JSON lines have no header
            self.look([fields])
            if self._problem:
                raise LineError(self._path, number, self._problem)
        if not (self._given or self._is_wide):
            yield fields
            return
        row = {name: fields[column] for name, column in self._names.items() if column in fields}
        if not self._has_id:
            row["id"] = number if place is None else place
        if not self._is_wide:
            yield from _each_passage({**row, "lang": self._lang} if self._lang else row)
            return
        for lang, names in self._wide.items():
            texts = [fields.get(name) for name in names]
            filled = [bool(text.strip()) if isinstance(text, str) else text is not None for text in texts]
            if all(filled):
                yield {**row, "lang": lang, "query": texts[0], "passage": texts[1]}
            elif any(filled):
                full, empty = names if filled[0] else names[::-1]
                yield LineError(self._path, number, f"column '{empty}' is empty, and '{full}' is not")

    def _recognise(self, columns: Sequence[str]) -> None:
        """Take names that others use, and the language in the file's name, as if they were given."""
        if self._of_name and "lang" not in self._given and not _among(columns, _KNOWN["lang"]):
            self._given["lang"] = self._of_name
        if not {"query", "passage"} & self._given.keys() and not {*REQUIRED} <= {*columns, *self._given}:
            taken = {name: _the_one(name, columns) for name in _KNOWN if name not in self._given}
            if taken["query"] and taken["passage"]:
                found = {name: column for name, column in taken.items() if column}
                if new := [f"{name} is column '{column}'" for name, column in found.items() if column != name]:
                    say(f"{self._path}: {', '.join(new)}")
                self._given.update(found)
            elif patterns := self._patterns(columns):
                self._given.update(patterns)
                self._is_wide = True
        self._names.update({name: self._given[name] for name in self._names if name in self._given})

    def _patterns(self, columns: Sequence[str]) -> dict[str, str]:
        """`question_{lang}` and `answer_{lang}` where there is one such pair of names; {} otherwise."""
        found = {name: _pattern(columns, _KNOWN[name]) for name in ("query", "passage")}
        return {name: pattern for name, pattern in found.items() if pattern} if all(found.values()) else {}

    def hint(self, columns: Sequence[str]) -> str:
        """What to write where columns are called otherwise: with the names that are there, as far as they can be told."""
        if len(columns) == 1:
            return f"say what separates the columns: --columns 'delimiter=...' (or 'table:{self._path}?delimiter=...')"
        names = {name: self._given.get(name) or self._called(name, columns) for name in REQUIRED}
        patterns = [_pattern(columns, _WORDS[name]) for name in ("query", "passage")]
        if all(patterns) and not (names["query"] and names["passage"]):
            words = [f"query={patterns[0]}", f"passage={patterns[1]}"]
        else:
            words = [f"{name}={names[name] or 'COLUMN'}" for name in ("query", "passage")]
            words.append(f"lang={names['lang'] or 'COLUMN-OR-LANGUAGE'}")
            if names["lang"] and names["id"] is None:
                words.append("id=COLUMN")  # translations of each other have one
        if names["id"] not in (None, "id"):
            words.append(f"id={names['id']}")
        quoted = " ".join(f"'{word}'" if re.search(r"[^\w=.-]", word) else word for word in words)
        return f"say which column is which: --columns {quoted} (or 'table:{self._path}?{'&'.join(words)}'){self._by_file(names)}"

    def _by_file(self, names: Mapping[str, str | None]) -> str:
        """That a file without languages may be one of several that are named after theirs."""
        parts = re.split(r"([._-])", self._path.name)
        for number, part in enumerate(parts[:-1]):
            if not names["lang"] and re.fullmatch(_CODE, part) and known_language(part):
                pattern = "".join([*parts[:number], _LANG, *parts[number + 1 :]])
                return f"; files of several languages: '{self._path.with_name(pattern)}'"
        return ""

    def _called(self, name: str, columns: Sequence[str]) -> str | None:
        """The column of a name that people use, or of one that is written nearly so."""
        if found := _among(columns, _WORDS[name]):
            return found[0]
        lower = {column.strip().lower(): column for column in reversed(columns)}
        near = (difflib.get_close_matches(word, lower, n=1, cutoff=0.8) for word in _WORDS[name] if len(word) > 3)
        return next((lower[found[0]] for found in near if found), None)

    def _language(self, columns: Sequence[str]) -> list[str]:
        """The column of languages; none where `lang` is a language."""
        name = self._names["lang"]
        if name in columns or "lang" not in self._given:
            return [name]
        try:
            self._lang = language(name)
        except InputError as error:
            raise InputError(f"{self._path}: lang={name}: no column of that name, and {error}") from None
        if not self._of_name:
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


def _among(columns: Sequence[str], words: Sequence[str]) -> list[str]:
    """The columns that are called by one of some words, in the order of the words."""
    lower = {column.strip().lower(): column for column in reversed(columns)}
    return [lower[word] for word in words if word in lower]


def _the_one(name: str, columns: Sequence[str]) -> str | None:
    """The column that is called so, or the only one by what others call it."""
    found = [name] if name in columns else _among(columns, _KNOWN[name])
    return found[0] if len(found) == 1 else None


def _each_passage(row: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A row for each passage of a list; passages may be objects with docid, title and text, as Tevatron has them."""
    if "negatives" in row:
        row["negatives"] = _texts(row["negatives"])
    if not isinstance(passages := row.get("passage"), list):
        yield row
        return
    is_single = len(passages) < 2 or row.get("id") in (None, "")
    for number, passage in enumerate(passages or [""], 1):  # none is refused like an empty one
        key = passage.get("docid") if isinstance(passage, dict) else None
        own = row.get("id") if is_single else f"{row['id']}-{number if key is None else key}"
        yield {**row, "id": own, "passage": _text_of(passage), **({"passage_id": key} if key is not None else {})}


def _texts(value: Any) -> Any:
    """Negatives as a list: of objects their texts, and a text alone as a list of it."""
    if isinstance(value, list):
        return [_text_of(item) for item in value]
    is_list = isinstance(value, str) and value.lstrip().startswith("[")
    return [value] if isinstance(value, str) and value.strip() and not is_list else value


def _text_of(passage: Any) -> Any:
    """The text of a passage, behind its title if it has one."""
    if not isinstance(passage, dict):
        return passage
    title, text = passage.get("title"), passage.get("text")
    return f"{title.strip()} {text}".strip() if isinstance(title, str) and isinstance(text, str) else text


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
