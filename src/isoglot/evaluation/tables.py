"""The tables of papers from results: per language, one line per model, and MIRACL's; as text or as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath
from statistics import mean, median
from typing import Any, Literal, cast

from isoglot.errors import InputError, unknown
from isoglot.evaluation.results import Result

TableKind = Literal["languages", "summary", "miracl"]
TABLE_KINDS: tuple[TableKind, ...] = ("languages", "summary", "miracl")

Values = dict[str, float]
"""Row label -> value; a row that is not there is printed as `-`."""


@dataclass(frozen=True)
class Column:
    """One measure in one setting.

    Attributes:
        head: what is printed above.
        values: one `Values` per result.
        average: one value per result that is printed below the languages, None where there is none.
        digits: decimal places.
        lower: lower is better.
    """

    head: str
    values: tuple[Values, ...]
    average: tuple[float | None, ...]
    digits: int = 3
    lower: bool = False


@dataclass(frozen=True)
class Block:
    """Columns that share their rows: `rows` are labels, `corner` stands above them."""

    title: str
    corner: str
    rows: tuple[str, ...]
    columns: tuple[Column, ...]


def paper_table(
    results: Result | Sequence[Result],
    kind: str = "languages",
    *,
    names: Sequence[str] | None = None,
    markdown: bool = False,
) -> str:
    """A table as papers print it, with several results side by side.

    Args:
        results: one, or several on one benchmark.
        kind: `languages`: a row per query language with mAP (mono, cross, multi), R@1 (mono, cross), R@10 (multi) and rank
            distance, and the macro-average below (Elmahdy et al. 2024, arXiv 2408.10536; a language's cross value is
            the mean of its queries over the other languages' corpora); `summary`: the same measures, a row per result;
            `miracl`: nDCG@10 and R@100 per language in the monolingual setting, with mean and median over languages.
        names: of the results, instead of their models' names.
        markdown: Markdown with the best of several values in bold, instead of aligned text.

    Raises:
        InputError: an unknown kind, results of different benchmarks side by side, a measure that was not computed, or not
            one name per result.
    """
    if kind not in TABLE_KINDS:
        raise unknown("table", kind, TABLE_KINDS)
    many = [results] if isinstance(results, Result) else list(results)
    if not many:
        raise InputError("no result given; expected at least one")
    labels = result_names(many, names)
    summaries = [result.summary for result in many]
    if kind == "summary":
        return _by_model(summaries, labels, markdown)
    _check_one_benchmark(summaries)
    blocks = _BUILDERS[cast(TableKind, kind)](summaries)
    draw = _markdown if markdown else _text
    return "\n\n".join("\n".join(draw(block, labels)) for block in blocks)


def result_names(results: Sequence[Result], names: Sequence[str] | None = None) -> list[str]:
    """A different short name per result: those given, or the last parts of the models' names.

    Raises:
        InputError: not one name per result, or one twice.
    """
    if names is not None:
        if len(names) != len(results) or len(set(names)) != len(names):
            raise InputError(f"{len(names)} names ({', '.join(names)}) for {len(results)} results; expected one each")
        return list(names)
    full = [str(result.summary["model"]) for result in results]
    short = [PurePath(name).name or name for name in full]
    chosen = short if len(set(short)) == len(short) else full
    if len(set(chosen)) < len(chosen):
        chosen = [f"{name} ({i})" for i, name in enumerate(chosen, start=1)]
    return chosen


def _check_one_benchmark(summaries: Sequence[dict[str, Any]]) -> None:
    first = summaries[0]
    for other in summaries[1:]:
        if other["digests"]["benchmark"] != first["digests"]["benchmark"]:
            raise InputError(
                f"results on '{first['benchmark']}' and '{other['benchmark']}' cannot stand side by side: not the same "
                "queries, passages and judgments; the table 'summary' can hold both"
            )


def _scores(summary: dict[str, Any], setting: str, measure: str) -> tuple[Values, float | None]:
    """A measure per query language, and its macro-average; nothing where the setting was not measured."""
    if setting not in summary["settings"]:
        return {}, None
    average = summary["settings"][setting].get(measure)
    if average is None:
        has = ", ".join(summary["settings"][setting])
        raise InputError(
            f"the result of '{summary['model']}' has no {measure} (it has {has}); evaluate with --measures"
        )
    by = summary["per_language"][setting]
    by = by["by_query"] if setting == "cross" else by
    return {lang: scores[measure] for lang, scores in by.items()}, float(average)


def _column(summaries: Sequence[dict[str, Any]], setting: str, measure: str, head: str, digits: int = 3) -> Column:
    parts = [_scores(summary, setting, measure) for summary in summaries]
    return Column(head, tuple(values for values, _ in parts), tuple(average for _, average in parts), digits)


def _distance(summaries: Sequence[dict[str, Any]]) -> Column:
    values, averages = [], []
    for summary in summaries:
        per_language = summary["bias"].get("per_language", {})
        values.append({k: item["rank_distance"] for k, item in per_language.items() if "rank_distance" in item})
        average = summary["bias"].get("rank_distance")
        averages.append(float(average) if isinstance(average, (int, float)) else None)
    return Column("rank distance", tuple(values), tuple(averages), 1, lower=True)


_PAPER = (
    ("mono", "AP", "mAP mono"),
    ("cross", "AP", "mAP cross"),
    ("multi", "AP", "mAP multi"),
    ("mono", "R@1", "R@1 mono"),
    ("cross", "R@1", "R@1 cross"),
    ("multi", "R@10", "R@10 multi"),
)


def _paper_columns(summaries: Sequence[dict[str, Any]]) -> list[Column]:
    return [*(_column(summaries, *what) for what in _PAPER), _distance(summaries)]


def _languages(columns: Sequence[Column]) -> list[str]:
    return sorted({lang for column in columns for part in column.values for lang in part})


def _with_mean_and_median(column: Column) -> Column:
    """The column with statistics over its languages as further rows."""
    rows = (part and {**part, "mean": mean(part.values()), "median": median(part.values())} for part in column.values)
    return replace(column, values=tuple(rows))


def _by_language(summaries: Sequence[dict[str, Any]]) -> list[Block]:
    columns = _paper_columns(summaries)
    rows = (*_languages(columns), "mean")
    columns = [
        replace(
            column,
            values=tuple(
                part if average is None else {**part, "mean": average}
                for part, average in zip(column.values, column.average, strict=True)
            ),
        )
        for column in columns
    ]
    title = str(summaries[0]["benchmark"])
    if len(summaries) == 1:
        return [Block(title, "language", rows, tuple(columns))]
    parts = (("mAP", columns[:3]), ("R@1 and R@10", columns[3:6]), ("rank distance (lower is better)", columns[6:]))
    return [Block(f"{title}: {what}", "language", rows, tuple(part)) for what, part in parts]


def _miracl(summaries: Sequence[dict[str, Any]]) -> list[Block]:
    columns = [_column(summaries, "mono", measure, measure, 4) for measure in ("nDCG@10", "R@100")]
    rows = (*_languages(columns), "mean", "median")
    if len(rows) == 2:
        raise InputError(
            f"{summaries[0]['benchmark']}: the table 'miracl' needs the setting 'mono', which was not measured"
        )
    filled = tuple(_with_mean_and_median(column) for column in columns)
    return [Block(f"{summaries[0]['benchmark']}: each language against its own corpus", "language", rows, filled)]


_BUILDERS: dict[TableKind, Callable[[Sequence[dict[str, Any]]], list[Block]]] = {
    "languages": _by_language,
    "miracl": _miracl,
}


def _by_model(summaries: Sequence[dict[str, Any]], names: Sequence[str], markdown: bool) -> str:
    """One row per result and one block per benchmark."""
    blocks: dict[str, list[int]] = {}
    for i, summary in enumerate(summaries):
        blocks.setdefault(summary["digests"]["benchmark"], []).append(i)
    drawn = []
    for members in blocks.values():
        chosen = [summaries[i] for i in members]
        labels = [names[i] for i in members]
        columns = [
            replace(column, values=({k: x for k, x in zip(labels, column.average, strict=True) if x is not None},))
            for column in _paper_columns(chosen)
        ]
        block = Block(str(chosen[0]["benchmark"]), "model", tuple(labels), tuple(columns))
        drawn.append("\n".join((_markdown if markdown else _text)(block, [""], down=True)))
    return "\n\n".join(drawn)


def _cells(block: Block, n_results: int) -> list[list[list[str]]]:
    """Printed values by row, column and result."""
    return [
        [
            [f"{part[row]:.{column.digits}f}" if row in part else "-" for part in column.values[:n_results]]
            for column in block.columns
        ]
        for row in block.rows
    ]


def _text(block: Block, names: Sequence[str], down: bool = False) -> list[str]:
    """Aligned lines; with several results their names stand below the heads."""
    cells = _cells(block, len(names))
    several = len(names) > 1
    label = max(map(len, (block.corner, *block.rows)))
    widths = []
    for c, column in enumerate(block.columns):
        part = [max(*(len(row[c][i]) for row in cells), len(name)) for i, name in enumerate(names)]
        part[-1] += max(0, len(column.head) - sum(part) - 2 * (len(part) - 1))
        widths.append(part)
    heads = [
        column.head.ljust(sum(part) + 2 * (len(part) - 1)) if several else column.head.rjust(part[0])
        for column, part in zip(block.columns, widths, strict=True)
    ]
    lines = [block.title, "", "  ".join([(" " * label) if several else block.corner.ljust(label), *heads])]
    if several:
        lines.append("  ".join([block.corner.ljust(label), *(_right(names, part) for part in widths)]))
    rule = "  ".join(["-" * label, *("-" * (sum(part) + 2 * (len(part) - 1)) for part in widths)])
    lines.append(rule)
    for row, values in zip(block.rows, cells, strict=True):
        if row == "mean" and not down:
            lines.append(rule)
        lines.append("  ".join([row.ljust(label), *(_right(v, part) for v, part in zip(values, widths, strict=True))]))
    return [line.rstrip() for line in lines]


def _right(values: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(value.rjust(width) for value, width in zip(values, widths, strict=True))


def _markdown(block: Block, names: Sequence[str], down: bool = False) -> list[str]:
    """A pipe table; the best of several values that stand side by side (or, `down`, below each other) is bold."""
    cells = _cells(block, len(names))
    if down:
        columns = [_bold([row[c][0] for row in cells], column.lower) for c, column in enumerate(block.columns)]
        cells = [[[columns[c][r]] for c in range(len(block.columns))] for r in range(len(cells))]
    else:
        cells = [[_bold(v, column.lower) for v, column in zip(row, block.columns, strict=True)] for row in cells]
    heads = [f"{column.head} {_escape(name)}".strip() for column in block.columns for name in _only_if_several(names)]
    lines = [f"**{_escape(block.title)}**", "", _pipes([block.corner, *heads]), _pipes([":--", *["--:"] * len(heads)])]
    for row, values in zip(block.rows, cells, strict=True):
        lines.append(_pipes([_escape(row), *(value for part in values for value in part)]))
    return lines


def _only_if_several(names: Sequence[str]) -> Iterator[str]:
    yield from names if len(names) > 1 else [""]


def _pipes(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("*", "\\*").replace("_", "\\_")


def _bold(values: Sequence[str], lower: bool) -> list[str]:
    """What is best as printed, in bold; nothing where there is nothing to compare."""
    known = [float(value) for value in values if value != "-"]
    if len(known) < 2 or min(known) == max(known):
        return list(values)
    best = min(known) if lower else max(known)
    return [f"**{value}**" if value != "-" and float(value) == best else value for value in values]
