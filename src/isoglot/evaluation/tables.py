"""The tables of papers from results: per language, one line per model, and MIRACL's; as text or as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from statistics import mean, median
from typing import Any

from isoglot.errors import InputError, unknown
from isoglot.evaluation.matching import RANK_DISTANCE
from isoglot.evaluation.results import Result
from isoglot.tables import escape, markdown_table, text_table

Summary = dict[str, Any]
MEAN = "mean"
"""The row of the macro-average."""


@dataclass(frozen=True)
class Column:
    """A measure in a setting: what is printed above it, with how many digits, and whether lower is better."""

    head: str
    setting: str
    measure: str
    digits: int = 3
    lower: bool = False

    def values(self, summary: Summary) -> dict[str, float]:
        """Its value per query language and its mean over them; {} where the setting was not measured."""
        if self.setting == RANK_DISTANCE:
            averages = summary["bias"]
            by_language = averages.get("per_language", {})
        elif self.setting not in summary["settings"]:
            return {}
        else:
            averages, by_language = (summary[key][self.setting] for key in ("settings", "per_language"))
            by_language = by_language["by_query"] if self.setting == "cross" else by_language
            if self.measure not in averages:
                has = f"(it has {', '.join(averages)}); evaluate with --measures"
                raise InputError(f"the result of '{summary['model']}' has no {self.measure} {has}")
        values = {row: scores.get(self.measure) for row, scores in {**by_language, MEAN: averages}.items()}
        return {row: float(value) for row, value in values.items() if isinstance(value, (int, float))}

    def bold(self, printed: Sequence[str]) -> list[str]:
        """What is best as printed, in bold; nothing where there is nothing to compare."""
        known = [float(value) for value in printed if value != "-"]
        if len(known) < 2 or min(known) == max(known):
            return list(printed)
        best = min(known) if self.lower else max(known)
        return [f"**{value}**" if value != "-" and float(value) == best else value for value in printed]


Figures = dict[Column, list[dict[str, float]]]
"""Per column and result: row -> value."""


@dataclass(frozen=True)
class Block:
    """Columns that share their rows, below a title; `corner` says what the rows are.

    `names` are those of the results that stand side by side; one is not named.
    """

    title: str
    corner: str
    rows: tuple[str, ...]
    figures: Figures
    names: Sequence[str]

    def text(self) -> list[str]:
        """Aligned lines; with several results their names stand below the heads."""
        heads = [head for column in self.figures for head in (column.head, *[""] * (len(self.names) - 1))]
        header = [[self.corner, *heads]]
        if len(self.names) > 1:
            header = [["", *heads], [self.corner, *[*self.names] * len(self.figures)]]
        body = [[row, *(value for column in self.figures for value in self._printed(column, row))] for row in self.rows]
        rules = {len(header), *(len(header) + number for number, row in enumerate(self.rows) if row == MEAN)}
        return [self.title, "", *text_table([*header, *body], rules=rules)]

    def markdown(self) -> list[str]:
        """A pipe table; the best of several values side by side (else below each other) is bold."""
        names = self.names if len(self.names) > 1 else ("",)
        header = [self.corner, *(f"{c.head} {escape(name)}".strip() for c in self.figures for name in names)]
        body = [[escape(row)] for row in self.rows]
        for column in self.figures:
            cells = [self._printed(column, row) for row in self.rows]
            if len(names) > 1:
                cells = [column.bold(values) for values in cells]
            elif MEAN not in self.rows:
                cells = [[value] for value in column.bold([value for (value,) in cells])]
            body = [[*row, *values] for row, values in zip(body, cells)]
        return [f"**{escape(self.title)}**", "", *markdown_table([header, *body])]

    def _printed(self, column: Column, row: str) -> list[str]:
        """The row's value in every result; `-` where it is not there."""
        return [f"{values[row]:.{column.digits}f}" if row in values else "-" for values in self.figures[column]]


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
        kind: one of `TABLES`.
        names: of the results, instead of their models' names.
        markdown: Markdown with the best of several values in bold, instead of aligned text.

    Raises:
        InputError: an unknown kind, results of different benchmarks side by side, a measure that was not computed, or not
            one name per result.
    """
    if kind not in TABLES:
        raise unknown("table", kind, TABLES)
    many = [results] if isinstance(results, Result) else list(results)
    if not many:
        raise InputError("no result given; expected at least one")
    table = TABLES[kind]
    blocks = table.build(table.columns, [result.summary for result in many], result_names(many, names))
    return "\n\n".join("\n".join(block.markdown() if markdown else block.text()) for block in blocks)


def result_names(results: Sequence[Result], names: Sequence[str] | None = None) -> list[str]:
    """A different short name per result: those given, or the last parts of the models' names.

    Raises:
        InputError: not one name per result, or one twice.
    """
    if names is not None:
        if not len(names) == len(results) == len(set(names)):
            raise InputError(f"{len(names)} names ({', '.join(names)}) for {len(results)} results; expected one each")
        return list(names)
    full = [str(result.summary["model"]) for result in results]
    short = [PurePath(name).name or name for name in full]
    chosen = short if len(set(short)) == len(short) else full
    return chosen if len(set(chosen)) == len(chosen) else [f"{name} ({i})" for i, name in enumerate(chosen, start=1)]


def _side_by_side(columns: Sequence[Column], summaries: Sequence[Summary]) -> tuple[Figures, list[str]]:
    """The figures of results on one benchmark, and the languages that they have."""
    for other in summaries:
        if other["digests"]["benchmark"] != summaries[0]["digests"]["benchmark"]:
            raise InputError(
                f"results on '{summaries[0]['benchmark']}' and '{other['benchmark']}' cannot stand side by side: not the "
                "same queries, passages and judgments; the table 'summary' can hold both"
            )
    figures = {column: [column.values(summary) for summary in summaries] for column in columns}
    return figures, sorted({row for each in figures.values() for values in each for row in values} - {MEAN})


def _by_language(columns: Sequence[Column], summaries: Sequence[Summary], names: Sequence[str]) -> list[Block]:
    figures, languages = _side_by_side(columns, summaries)
    titled = {"": columns}
    if len(summaries) > 1:
        titled = {": mAP": columns[:3], ": R@1 and R@10": columns[3:6]}
        titled[": rank distance (lower is better)"] = columns[6:]
    return [
        Block(
            f"{summaries[0]['benchmark']}{end}", "language", (*languages, MEAN), {c: figures[c] for c in shown}, names
        )
        for end, shown in titled.items()
    ]


def _miracl(columns: Sequence[Column], summaries: Sequence[Summary], names: Sequence[str]) -> list[Block]:
    figures, languages = _side_by_side(columns, summaries)
    benchmark = summaries[0]["benchmark"]
    if not languages:
        raise InputError(f"{benchmark}: the table 'miracl' needs the setting 'mono', which was not measured")
    for values in (values for each in figures.values() for values in each if values):
        scores = [values[lang] for lang in languages if lang in values]
        values.update({MEAN: mean(scores), "median": median(scores)})
    title = f"{benchmark}: each language against its own corpus"
    return [Block(title, "language", (*languages, MEAN, "median"), figures, names)]


def _by_model(columns: Sequence[Column], summaries: Sequence[Summary], names: Sequence[str]) -> list[Block]:
    """One row per result and one block per benchmark."""
    by_benchmark: dict[str, dict[str, Summary]] = {}
    for name, summary in zip(names, summaries):
        by_benchmark.setdefault(summary["digests"]["benchmark"], {})[name] = summary
    blocks = []
    for named in by_benchmark.values():
        values = {column: {name: column.values(summary) for name, summary in named.items()} for column in columns}
        means = {c: [{name: own[MEAN] for name, own in each.items() if MEAN in own}] for c, each in values.items()}
        blocks.append(Block(next(iter(named.values()))["benchmark"], "model", tuple(named), means, ("",)))
    return blocks


@dataclass(frozen=True)
class Table:
    """A kind of table: its columns, and what makes it of columns, summaries and names."""

    columns: tuple[Column, ...]
    build: Callable[[Sequence[Column], Sequence[Summary], Sequence[str]], list[Block]]

    @property
    def measures(self) -> list[str]:
        """The measures that it needs."""
        return list(dict.fromkeys(column.measure for column in self.columns if column.setting != RANK_DISTANCE))


_PAPER = (
    Column("mAP mono", "mono", "AP"),
    Column("mAP cross", "cross", "AP"),
    Column("mAP multi", "multi", "AP"),
    Column("R@1 mono", "mono", "R@1"),
    Column("R@1 cross", "cross", "R@1"),
    Column("R@10 multi", "multi", "R@10"),
    Column("rank distance", RANK_DISTANCE, RANK_DISTANCE, 1, lower=True),
)
TABLES: dict[str, Table] = {
    "languages": Table(_PAPER, _by_language),
    "summary": Table(_PAPER, _by_model),
    "miracl": Table(tuple(Column(measure, "mono", measure, 4) for measure in ("nDCG@10", "R@100")), _miracl),
}
"""`languages`: a row per query language with mAP (mono, cross, multi), R@1 (mono, cross), R@10 (multi) and rank distance, and
the macro-average below (Elmahdy et al. 2024, arXiv 2408.10536; a language's cross value is the mean of its queries over the
other languages' corpora); `summary`: the same measures, a row per result; `miracl`: nDCG@10 and R@100 per language in the
monolingual setting, with mean and median over languages."""
