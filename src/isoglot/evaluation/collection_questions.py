"""Questions that a collection can be measured by without judgments: titles of its own translated documents, or unrelated ones.

A title is found in its own document by its own words: that says nothing of a language. So the *body* of a document, which is its
text without what the question was made of, stands in its place where there is one; see `isoglot.evaluation.collection_bias`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection as AnyOf
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from isoglot.data.document_rows import DocumentRow
from isoglot.data.langid import UNKNOWN
from isoglot.data.pairs.loading import load_pairs
from isoglot.errors import InputError
from isoglot.records import IntArray
from isoglot.retrieval.collection import Collection
from isoglot.retrieval.collection.background import background_rows
from isoglot.retrieval.collection.chunking import front
from isoglot.retrieval.collection.snippets import sentences

GROUPS = 300
"""Of translations, at most, by default."""
_CHUNKS = 16
"""Of a document, at most, that it is looked for by."""
_BODY = 20
"""Characters, at least, of a body's chunk."""
_QUESTION = 300
"""Characters of a question, at most."""
_BEGINNING = 5000
"""Characters of a text that its first sentence is looked for in."""
_AT_ONCE = 200  # groups that are read at a time
_STREAM = 71  # of chance, beside those of splits

_SAME = "titles or first sentences that are the same in another language"
_SEVERAL = "titles that several documents of a language have"
_NOTHING = "documents without a title or sentence"

Groups = Mapping[str, Sequence[tuple[int, str]]]
"""By name of a group of translations: key and language of its documents, in two languages or more."""


@dataclass(frozen=True)
class Item:
    """A document of a group of translations.

    Attributes:
        question: its title, or first sentence; "" where that is not asked.
        why_not: for "", the reason.
        titled: whether it is the title.
        key: of the document.
        chunks: keys of its chunks, the first ones.
        bodies: texts of chunks without the question, () where nothing is left. Where there are some, `body_chunks` are the
            keys of the chunks that they are of.
    """

    lang: str
    question: str
    why_not: str
    titled: bool
    key: int
    chunks: tuple[int, ...]
    bodies: tuple[str, ...]
    body_chunks: tuple[int, ...]


@dataclass(frozen=True)
class Questions:
    """What is asked.

    Attributes:
        kind: titles, first sentences, titles and first sentences; unrelated.
        texts, languages: n of both.
        groups: the number of each question's group (of translations of each other), int64, shape (n,), ascending.
        items: by group and language, the documents that answer; {} for unrelated questions.
        members: by group, keys of all its documents.
        bodies: whether documents are looked for by their bodies, so that a title may be asked in its own language, too.
        there: groups that there are.
        left_out: questions and groups that are not asked, by reason.
    """

    kind: str
    texts: list[str]
    languages: list[str]
    groups: IntArray
    items: Mapping[tuple[int, str], Item] = field(default_factory=dict)
    members: Sequence[IntArray] = ()
    bodies: bool = False
    there: int = 0
    left_out: Mapping[str, int] = field(default_factory=dict)

    @property
    def n_groups(self) -> int:
        """That are asked about."""
        return len(np.unique(self.groups))

    def members_of(self, question: int) -> IntArray:
        """Keys of the documents of a question's group."""
        return self.members[self.groups[question]] if self.members else np.empty(0, dtype=np.int64)


def questions_of(collection: Collection, most: int = GROUPS, seed: int = 0) -> Questions:
    """Questions about at most so many groups of translations; unrelated ones where nothing is translated.

    Raises:
        InputError: documents in fewer than two languages; nothing can be asked in any of them.
    """
    languages = [lang for lang in collection.counts().languages if lang != UNKNOWN]
    if len(languages) < 2:
        raise InputError(
            f"{collection.path}: its documents are in {', '.join(languages) or 'no known language'} alone; "
            "how fair an index is shows between languages"
        )
    if groups := groups_of(collection):
        return _translated(collection, groups, drawn(groups, most, seed))
    return _unrelated(languages, most, seed, collection)


def groups_of(collection: Collection) -> dict[str, list[tuple[int, str]]]:
    """The groups of translations in two known languages or more."""
    groups: dict[str, list[tuple[int, str]]] = {}
    for key, lang, name in collection.documents.translations():
        groups.setdefault(name, []).append((key, lang))
    return {name: own for name, own in groups.items() if len({lang for _, lang in own} - {UNKNOWN}) > 1}


def drawn(groups: Groups, most: int, seed: int) -> list[str]:
    """Names of at most so many groups, by chance; those of a smaller number are among those of a greater one."""
    names = sorted(groups)
    order = np.random.default_rng(np.random.SeedSequence((seed, _STREAM))).permutation(len(names))
    return [names[number] for number in order[:most].tolist()]


def items_of(collection: Collection, groups: Groups, names: Sequence[str]) -> Iterator[tuple[str, dict[str, Item]]]:
    """For each group its documents by language: of several in one language the first."""
    repeated = collection.documents.repeated_titles()
    for start in range(0, len(names), _AT_ONCE):
        part = names[start : start + _AT_ONCE]
        first = {name: {lang: key for key, lang in reversed(groups[name]) if lang != UNKNOWN} for name in part}
        read = collection.documents.parts([key for own in first.values() for key in own.values()])
        for name, own in first.items():
            there = {lang: key for lang, key in sorted(own.items()) if key in read}
            items = [_item(lang, key, *read[key], repeated) for lang, key in there.items()]
            same = Counter(_plain(item.question) for item in items if item.question)
            twice = [replace(item, question="", why_not=_SAME) for item in items]
            yield name, {i.lang: other if same[_plain(i.question)] > 1 else i for i, other in zip(items, twice)}


def _item(
    lang: str,
    key: int,
    document: DocumentRow,
    chunks: Sequence[tuple[int, int, int]],
    repeated: AnyOf[tuple[str, str]],
) -> Item:
    text, title = document.text, front(document.title)
    question, end = title, len(title) if title and text.startswith(title) else 0
    if not title and (spans := sentences(text[:_BEGINNING], lang)):
        first, end = spans[0]
        question = text[first:end]
    bodies = [(chunk, text[max(first, end) : last].strip()) for chunk, first, last in chunks[:_CHUNKS]]
    bodies = [(chunk, body) for chunk, body in bodies if len(body) >= _BODY]
    why_not = _SEVERAL if (lang, document.title) in repeated else "" if question.strip() else _NOTHING
    return Item(
        lang,
        "" if why_not else " ".join(question[:_QUESTION].split()),
        why_not,
        bool(title),
        key,
        tuple(chunk for chunk, _, _ in chunks[:_CHUNKS]),
        tuple(body for _, body in bodies),
        tuple(chunk for chunk, _ in bodies),
    )


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


def _translated(collection: Collection, groups: Groups, names: Sequence[str]) -> Questions:
    read = dict(items_of(collection, groups, names))
    whole = [name for name, own in read.items() if all(item.bodies for item in own.values())]
    bodies = 2 * len(whole) >= len(read)
    left_out: Counter[str] = Counter()
    if bodies:
        left_out["groups with a document that is its title alone"] = len(read) - len(whole)
    texts, languages, numbers, titled = [], [], [], []
    items: dict[tuple[int, str], Item] = {}
    members: list[IntArray] = []
    for name in whole if bodies else read:
        for lang, item in read[name].items():
            items[len(members), lang] = item
            if item.question:
                texts.append(item.question)
                languages.append(lang)
                numbers.append(len(members))
                titled.append(item.titled)
            else:
                left_out[item.why_not] += 1
        members.append(np.array([key for key, _ in groups[name]], dtype=np.int64))
    if not texts:
        reasons = ", ".join(f"{reason}: {n:,}" for reason, n in left_out.items() if n)
        raise InputError(
            f"{collection.path}: no title or first sentence of a translated document can be asked ({reasons})"
        )
    kinds = [words for words, is_so in (("titles", any(titled)), ("first sentences", not all(titled))) if is_so]
    return Questions(
        " and ".join(kinds),
        texts,
        languages,
        np.array(numbers, dtype=np.int64),
        items,
        members,
        bodies,
        len(groups),
        {reason: n for reason, n in left_out.items() if n},
    )


def _unrelated(languages: Sequence[str], most: int, seed: int, collection: Collection) -> Questions:
    """Queries of `facts:` in the languages of the documents, of pairs that `standardised` is not fitted on."""
    from isoglot.data.facts.wordings import LANGUAGES

    if not (own := [lang for lang in languages if lang in LANGUAGES]):
        raise InputError(
            f"{collection.path}: no document is known to be a translation, and the built-in questions are in none of its "
            f"languages ({', '.join(languages)}); give rows a field `translation`, the same for translations of each other"
        )
    table = load_pairs(f"facts:{','.join(sorted(own))}")
    place, column = table.index.places(len(table))
    background = np.unique(place[np.concatenate(list(background_rows(table).values()))])
    pairs = np.setdiff1d(np.arange(table.index.n_pairs), background)
    order = np.random.default_rng(np.random.SeedSequence((seed, _STREAM))).permutation(pairs)
    rows = np.flatnonzero(np.isin(place, order[:most]))
    rows = rows[np.lexsort((column[rows], place[rows]))]
    return Questions(
        "unrelated",
        table.column("query", rows),
        [table.languages[number] for number in column[rows].tolist()],
        np.unique(place[rows], return_inverse=True)[1].astype(np.int64),
        there=len(pairs),
    )
