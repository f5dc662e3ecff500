"""Rows of pairs in languages that they did not have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from isoglot.data.sameness import text_key
from isoglot.data.transform.translation.filters import Filter, empty, kept_of
from isoglot.data.transform.translators import Failure, Outcome
from isoglot.records import PairRow

FAILED = "failed"
SIDES = ("query", "passage")


@dataclass
class LanguageReport:
    """What became of the rows of the source language in one target language.

    Attributes:
        rows: in the source language.
        there: of them had a row in this language already, which stays.
        written: were translated.
        dropped: were translated and not kept, by reason. `rows` is `there` + `written` + the sum of these.
        negatives_dropped: negatives of written rows without a translation, or with that of the passage.
    """

    rows: int
    there: int
    written: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    negatives_dropped: int = 0

    def to_dict(self) -> dict[str, Any]:
        """JSON values of the report."""
        return {**vars(self), "dropped": {name: count for name, count in self.dropped.items() if count}}


@dataclass(frozen=True)
class Dropped:
    """A row that was translated and is not kept.

    Attributes:
        reason: a filter, or "failed".
        why: what the translator said, where it failed.
        texts: the translations by side, where there are any.
    """

    row: PairRow
    lang: str
    reason: str
    why: str
    texts: Mapping[str, str]

    def to_dict(self) -> dict[str, Any]:
        """A line of the file of dropped rows."""
        place = {
            "source": self.row.source,
            "id": self.row.id,
            "lang": self.lang,
            "reason": self.reason,
            "why": self.why,
        }
        return {**place, **{f"source_{side}": getattr(self.row, side) for side in SIDES}, **self.texts}


def translated_rows(
    rows: Sequence[PairRow],
    target: str,
    translation: Callable[[str], Outcome],
    filters: Mapping[str, Filter],
    report: LanguageReport,
) -> tuple[list[PairRow], list[Dropped]]:
    """The rows in another language, and those that are dropped; `report` gets their counts.

    A row keeps source, id, passage_id and document_id, which say what is one passage and one document in whatever language.

    Args:
        rows: in the source language; their negatives are translated, too, where they have any.
        filters: by name, in the order in which they look at the rows.
    """
    made, dropped = [], []
    for row in rows:
        query, passage = (translation(getattr(row, side)) for side in SIDES)
        if isinstance(query, Failure) or isinstance(passage, Failure):
            why = next(
                f"{side}: {one.reason}" for side, one in zip(SIDES, (query, passage)) if isinstance(one, Failure)
            )
            texts = {side: one for side, one in zip(SIDES, (query, passage)) if isinstance(one, str)}
            dropped.append(Dropped(row, target, FAILED, why, texts))
        else:
            made.append((row, replace(row, lang=target, query=query, passage=passage, document_passages=())))
    for name, chosen in {"empty": empty, **filters}.items():
        both = [(getattr(row, side), getattr(new, side)) for side in SIDES for row, new in made]
        kept: list[bool] = kept_of(chosen, both, target).tolist()
        stay = [query and passage for query, passage in zip(kept[: len(made)], kept[len(made) :])]
        dropped += [
            Dropped(row, target, name, "", {side: getattr(new, side) for side in SIDES})
            for (row, new), stays in zip(made, stay)
            if not stays
        ]
        made = [pair for pair, stays in zip(made, stay) if stays]
    new_rows = []
    for row, new in made:
        negatives = tuple(_negatives(row, new.passage, translation))
        report.negatives_dropped += len(row.negatives) - len(negatives)
        new_rows.append(replace(new, negatives=negatives))
    report.written += len(new_rows)
    report.dropped.update(one.reason for one in dropped)
    return new_rows, dropped


def _negatives(row: PairRow, passage: str, translation: Callable[[str], Outcome]) -> Iterator[str]:
    for text in row.negatives:
        outcome = translation(text)
        if isinstance(outcome, str) and outcome and text_key(outcome) != text_key(passage):
            yield outcome
