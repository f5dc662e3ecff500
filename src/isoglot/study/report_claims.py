"""The answer and the claims of a study, as its report shows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from isoglot.study.claims import ClaimRow, answer, claims_table
from isoglot.study.document import (
    Block,
    Bullets,
    Cell,
    Column,
    Group,
    Inline,
    Link,
    Paragraph,
    Row,
    Section,
    Strong,
    Table,
    Tone,
    cells,
)
from isoglot.study.report_data import clean, relative_link
from isoglot.study.report_format import NOTHING, minus_signs, probability
from isoglot.study.results_view import StudyResults

_TONES: dict[str, Tone] = {"holds": "good", "fails": "bad", "undecided": "open", "not tested": "quiet"}


_MOST_LINKS, _MOST_PARTS = 3, 150


@dataclass(frozen=True)
class Claims:
    """What a study says: the answer in a few sentences, and a row per claim."""

    answer: str
    rows: tuple[ClaimRow, ...] = ()


def read_claims(study: StudyResults | None) -> Claims:
    """Judge all claims on a study; nothing is answered where there are no results."""
    if study is None:
        return Claims("Not answered by this study: it has no results.")
    return Claims(minus_signs(clean(answer(study))), tuple(claims_table(study)))


def claims_section(home: Path, rows: Sequence[ClaimRow]) -> Section:
    """The claims with verdicts and evidence, how each was tested, and the comparisons behind them."""
    if not rows:
        return Section("Claims", (Paragraph("No claim was looked at: there are no results.", "note"),))
    columns = tuple(
        Column(name, False) for name in ("claim", "verdict", "effect with interval", "confidence", "evidence")
    )
    words = (
        "Every claim was stated as a test before there were results. It holds, fails, is undecided (the results allow both), "
        "or was not tested, because nothing in this study can speak to it."
    )
    table = Table("Claims and what this study says to them", columns, tuple(_row(home, row) for row in rows))
    tests = Bullets(tuple((Strong(row.name), f" ({row.source}): {row.test}") for row in rows))
    return Section("Claims", (Paragraph(words), table, *_parts(rows)), (Section("How each claim is tested", (tests,)),))


def _row(home: Path, row: ClaimRow) -> tuple[Cell, ...]:
    why = "; ".join(clean(part) for part in (row.confidence, row.note) if part)
    return (
        Cell(clean(row.claim)),
        Cell(row.verdict, tone=_TONES.get(row.verdict, "quiet")),
        Cell(minus_signs(clean(row.effect)) or NOTHING),
        Cell(why or NOTHING),
        Cell(_evidence(home, row.evidence) or NOTHING),
    )


def _evidence(home: Path, paths: Sequence[str]) -> tuple[Inline, ...]:
    """Links to the first few files, and how many more there are."""
    parts: list[Inline] = []
    for path in map(clean, paths[:_MOST_LINKS]):
        address = relative_link(home, path)
        parts += [", "] if parts else []
        parts.append(Link(path, address) if address else path)
    if len(paths) > _MOST_LINKS:
        parts.append(f" and {len(paths) - _MOST_LINKS} more")
    return tuple(parts)


def _parts(rows: Sequence[ClaimRow]) -> list[Block]:
    """The comparisons with numbers behind the claims, and whatever spoke against one."""
    lines: list[Row] = []
    numbers = [[part for part in row.parts if part.estimate is not None or part.verdict == "fails"] for row in rows]
    total = sum(len(parts) for parts in numbers)
    for row, parts in zip(rows, numbers):
        shown = parts[: max(0, _MOST_PARTS - len(lines))]
        if shown:
            lines.append(Group(row.name))
        for part in shown:
            verdict = Cell(part.verdict, tone=_TONES.get(part.verdict, "quiet"))
            p = NOTHING if part.p_holm is None else probability(part.p_holm)
            lines.append(cells(clean(part.where), verdict, minus_signs(clean(part.effect)) or NOTHING, p))
    if not lines:
        return []
    columns = (Column("comparison", False), Column("verdict", False), Column("effect", False), Column("p (Holm)"))
    left = total - sum(not isinstance(row, Group) for row in lines)
    note = f"{left} further comparisons are left out here." if left > 0 else ""
    return [Table("The comparisons behind the claims", columns, tuple(lines), note, small=True)]
