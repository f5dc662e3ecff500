"""Sections of translated pages as rows of pairs; every section becomes a row or is counted by the reason why it does not."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from isoglot.data.documents.align import Similar, align
from isoglot.data.documents.cut import cut, n_words
from isoglot.data.documents.reading import Pages
from isoglot.data.documents.sections import Section
from isoglot.data.documents.settings import DocumentSettings
from isoglot.data.languages import language
from isoglot.data.sameness import passage_key, text_key
from isoglot.errors import InputError
from isoglot.records import PairRow

REASONS = {
    "no text": "a heading without text of its own",
    "menu": "links only",
    "code": "code only",
    "licence": "a licence",
    "not aligned": "nothing in the source language's page that it surely translates",
    "untranslated": "more than half of its text is that of the source language",
    "short": "fewer words than --min-words",
    "repeated": "a passage that was there before",
    "alone": "in no other language",
}


@dataclass
class Built:
    """Rows of pairs, and the count of everything that is none.

    Attributes:
        left_out: sections by (language, reason).
        cut: passages that are not the whole section, by language.
        by_order: rows that are aligned by order (and similarity), not by an anchor.
    """

    source_language: str
    rows: list[PairRow] = field(default_factory=list)
    left_out: Counter[tuple[str, str]] = field(default_factory=Counter)
    cut: Counter[str] = field(default_factory=Counter)
    by_order: int = 0


Group = dict[str, Section]
"""Translations of one section by language."""


def build_rows(
    pages: Pages,
    source: str,
    asked: DocumentSettings,
    similar: Similar | None = None,
    watch: Iterable[str] | None = None,
) -> Built:
    """All pairs of some pages, in the order of the pages' names.

    Args:
        source: what the rows' field of that name says.
        similar: see `align`.
        watch: the names of the pages, counting on a progress bar.
    """
    counts = pages.counts()
    if not counts:
        raise InputError("no section in any of the files")
    first = (
        language(asked.source_language) if asked.source_language else max(sorted(counts), key=lambda code: counts[code])
    )
    order = [first, *sorted(counts.keys() - {first}, key=lambda code: (-counts[code], code))]
    built = Built(first)
    seen: set[tuple[str, bytes]] = set()
    kept: list[tuple[str, str, Group, dict[str, str]]] = []
    for name in watch if watch is not None else sorted(pages.sections):
        for key, group in _groups(pages.sections[name], order, similar, asked, built):
            if passages := _without_repeats(_passages(group, order, asked, built), seen, built):
                kept.append((name, f"{name}#{key}", group, passages))
    headings = Counter((lang, text_key(group[lang].heading)) for _, _, group, passages in kept for lang in passages)
    for name, key, group, passages in kept:
        ambiguous = any(headings[lang, text_key(group[lang].heading)] > 1 for lang in passages)
        for lang, passage in passages.items():
            query = _query(group[lang], with_title=ambiguous)
            built.cut[lang] += passage != "\n".join(group[lang].paragraphs)
            built.rows.append(PairRow(source, key, lang, query, passage, document_id=name))
    return built


def _groups(
    page: Mapping[str, Sequence[Section]],
    order: Sequence[str],
    similar: Similar | None,
    asked: DocumentSettings,
    built: Built,
) -> Iterator[tuple[str, Group]]:
    """(anchor or number, translations) of every section of the page in the first of the languages that it has."""
    pivot, *others = [lang for lang in order if lang in page]
    groups: list[Group] = [{pivot: section} for section in page[pivot]]
    for lang in others:
        aligned = align(page[pivot], page[lang], similar, asked.least_similarity)
        for number, other in aligned.items():
            groups[number][lang] = page[lang][other]
            built.by_order += page[pivot][number].anchor != page[lang][other].anchor or not page[lang][other].anchor
        for other in set(range(len(page[lang]))) - set(aligned.values()):
            built.left_out[lang, page[lang][other].problem or "not aligned"] += 1
    anchors = Counter(section.anchor for section in page[pivot])
    for number, (section, group) in enumerate(zip(page[pivot], groups), 1):
        key = section.anchor if anchors[section.anchor] == 1 else ""
        yield key or _free(str(number), anchors), group


def _free(name: str, taken: Container[str]) -> str:
    while name in taken:
        name += "*"
    return name


def _passages(group: Group, order: Sequence[str], asked: DocumentSettings, built: Built) -> dict[str, str]:
    """The passages of a group by language; what gives none is counted."""
    pivot = next(lang for lang in order if lang in group)
    copied = {text_key(text) for text in group[pivot].paragraphs}
    passages = {}
    for lang in (lang for lang in order if lang in group):
        section = group[lang]
        problem = "licence" if group[pivot].problem == "licence" else section.problem
        if not problem and lang != pivot and _untranslated(section, copied):
            problem = "untranslated"
        text = "" if problem else cut(section.paragraphs, lang, asked.max_words)
        if not problem and n_words(text) < asked.min_words:
            problem = "short"
        if not problem and not section.heading:
            problem = "no text"
        if problem:
            built.left_out[lang, problem] += 1
        else:
            passages[lang] = text
    return _alone(passages, built)


def _untranslated(section: Section, copied: set[bytes]) -> bool:
    same = sum(len(text) for text in section.paragraphs if text_key(text) in copied)
    return 2 * same > sum(map(len, section.paragraphs))


def _without_repeats(passages: dict[str, str], seen: set[tuple[str, bytes]], built: Built) -> dict[str, str]:
    """The passages that were not there before in their language; none where that of the first language was."""
    new = {lang: text for lang, text in passages.items() if (lang, passage_key(text)) not in seen}
    if next(iter(passages), None) != next(iter(new), None):
        new = {}
    for lang in passages.keys() - new.keys():
        built.left_out[lang, "repeated"] += 1
    seen.update((lang, passage_key(text)) for lang, text in new.items())
    return _alone(new, built)


def _alone(passages: dict[str, str], built: Built) -> dict[str, str]:
    if len(passages) != 1:
        return passages
    built.left_out[next(iter(passages)), "alone"] += 1
    return {}


def _query(section: Section, *, with_title: bool) -> str:
    """A heading; where others are called the same, with the title of its page before it."""
    is_title = text_key(section.title) == text_key(section.heading)
    return section.heading if not with_title or is_title or not section.title else f"{section.title}: {section.heading}"


def by_language(counts: Counter[tuple[str, str]]) -> dict[str, dict[str, int]]:
    """Counts by (language, reason) as a table of both."""
    table: dict[str, dict[str, int]] = defaultdict(dict)
    for (lang, reason), count in sorted(counts.items()):
        table[lang][reason] = count
    return dict(table)
