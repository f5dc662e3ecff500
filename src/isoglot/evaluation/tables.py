"""The tables of papers from results: per language, one line per model, and MIRACL's; as text or as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath
from statistics import mean, median
from typing import Any

from isoglot.errors import InputError, unknown
from isoglot.evaluation.results import Result
from isoglot.tables import escape, markdown_table, text_table

Summary = dict[str, Any]
MEAN = "mean"
"""The row of the macro-average."""


@dataclass(frozen=True)
class Column:
    """One measure in one setting: what is printed above it, and per result {row: value} with so many digits.

    A row that is not there is printed as `-`; `lower` says that lower is better.
    """

    head: str
    values: tuple[dict[str, float], ...]
    digits: int = 3
    lower: bool = False

    def printed(self, row: str) -> list[str]:
        """The row's value in every result."""
        return [f"{values[row]:.{self.digits}f}" if row in values else "-" for values in self.values]

    def bold(self, printed: Sequence[str]) -> list[str]:
        """What is best as printed, in bold; nothing where there is nothing to compare."""
        known = [float(value) for value in printed if value != "-"]
        if len(known) < 2 or min(known) == max(known):
            return list(printed)
        best = min(known) if self.lower else max(known)
        return [f"**{value}**" if value != "-" and float(value) == best else value for value in printed]


@dataclass(frozen=True)
class Block:
    """Columns that share their rows, below a title; `corner` says what the rows are.

    `names` are those of the results that stand side by side; one is not named.
    """

    title: str
    corner: str
    rows: tuple[str, ...]
    columns: Sequence[Column]
    names: Sequence[str]

    def text(self) -> list[str]:
        """Aligned lines; with several results their names stand below the heads."""
        heads = [head for c in self.columns for head in (c.head, *[""] * (len(self.names) - 1))]
        header = [[self.corner, *heads]]
        if len(self.names) > 1:
            header = [["", *heads], [self.corner, *[*self.names] * len(self.columns)]]
        body = [[row, *(value for c in self.columns for value in c.printed(row))] for row in self.rows]
        rules = {len(header), *(len(header) + number for number, row in enumerate(self.rows) if row == MEAN)}
        return [self.title, "", *text_table([*header, *body], rules=rules)]

    def markdown(self) -> list[str]:
        """A pipe table; the best of several values side by side (else below each other) is bold."""
        names = self.names if len(self.names) > 1 else ("",)
        header = [self.corner, *(f"{c.head} {escape(name)}".strip() for c in self.columns for name in names)]
        body = [[escape(row)] for row in self.rows]
        for column in self.columns:
            cells = [column.printed(row) for row in self.rows]
            if len(names) > 1:
                cells = [column.bold(values) for values in cells]
            elif MEAN not in self.rows:
                cells = [[value] for value in column.bold([value for (value,) in cells])]
            body = [[*row, *values] for row, values in zip(body, cells)]
        return [f"**{escape(self.title)}**", "", *markdown_table([header, *body])]


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
    blocks = TABLES[kind].build([result.summary for result in many], result_names(many, names))
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


def _check_one_benchmark(summaries: Sequence[Summary]) -> None:
    for other in summaries:
        if other["digests"]["benchmark"] != summaries[0]["digests"]["benchmark"]:
            raise InputError(
                f"results on '{summaries[0]['benchmark']}' and '{other['benchmark']}' cannot stand side by side: not the "
                "same queries, passages and judgments; the table 'summary' can hold both"
            )


def _scores(summary: Summary, setting: str, measure: str) -> dict[str, float]:
    """A measure per query language, and its macro-average; nothing where the setting was not measured."""
    if setting not in summary["settings"]:
        return {}
    averages, by_language = summary["settings"][setting], summary["per_language"][setting]
    if measure not in averages:
        has = ", ".join(averages)
        raise InputError(
            f"the result of '{summary['model']}' has no {measure} (it has {has}); evaluate with --measures"
        )
    by_language = by_language["by_query"] if setting == "cross" else by_language
    return {**{lang: scores[measure] for lang, scores in by_language.items()}, MEAN: float(averages[measure])}


def _distances(summary: Summary) -> dict[str, float]:
    """Rank distance per query language, and its mean."""
    bias = summary["bias"]
    by_language = {**bias.get("per_language", {}), MEAN: bias}
    distances = {row: scores.get("rank_distance") for row, scores in by_language.items()}
    return {row: float(value) for row, value in distances.items() if isinstance(value, (int, float))}


_PAPER = (
    ("mono", "AP", "mAP mono"),
    ("cross", "AP", "mAP cross"),
    ("multi", "AP", "mAP multi"),
    ("mono", "R@1", "R@1 mono"),
    ("cross", "R@1", "R@1 cross"),
    ("multi", "R@10", "R@10 multi"),
)
_MIRACL = ("nDCG@10", "R@100")


def _paper_columns(summaries: Sequence[Summary]) -> list[Column]:
    distances = Column("rank distance", tuple(map(_distances, summaries)), 1, lower=True)
    return [
        *(
            Column(head, tuple(_scores(one, setting, measure) for one in summaries))
            for setting, measure, head in _PAPER
        ),
        distances,
    ]


def _languages(columns: Sequence[Column]) -> list[str]:
    return sorted({row for column in columns for values in column.values for row in values} - {MEAN})


def _by_language(summaries: Sequence[Summary], names: Sequence[str]) -> list[Block]:
    _check_one_benchmark(summaries)
    columns, title = _paper_columns(summaries), str(summaries[0]["benchmark"])
    titled = {title: columns}
    if len(summaries) > 1:
        titled = {
            f"{title}: mAP": columns[:3],
            f"{title}: R@1 and R@10": columns[3:6],
            f"{title}: rank distance (lower is better)": columns[6:],
        }
    return [Block(head, "language", (*_languages(columns), MEAN), shown, names) for head, shown in titled.items()]


def _miracl(summaries: Sequence[Summary], names: Sequence[str]) -> list[Block]:
    _check_one_benchmark(summaries)
    benchmark = summaries[0]["benchmark"]
    columns = [Column(head, tuple(_scores(one, "mono", head) for one in summaries), 4) for head in _MIRACL]
    languages = _languages(columns)
    if not languages:
        raise InputError(f"{benchmark}: the table 'miracl' needs the setting 'mono', which was not measured")
    for values in (values for column in columns for values in column.values if values):
        scores = [values[lang] for lang in languages if lang in values]
        values.update({MEAN: mean(scores), "median": median(scores)})
    title = f"{benchmark}: each language against its own corpus"
    return [Block(title, "language", (*languages, MEAN, "median"), columns, names)]


def _by_model(summaries: Sequence[Summary], names: Sequence[str]) -> list[Block]:
    """One row per result and one block per benchmark."""
    by_benchmark: dict[str, dict[str, Summary]] = {}
    for name, summary in zip(names, summaries):
        by_benchmark.setdefault(summary["digests"]["benchmark"], {})[name] = summary
    blocks = []
    for named in by_benchmark.values():
        columns = []
        for column in _paper_columns(list(named.values())):
            means = {name: values[MEAN] for name, values in zip(named, column.values) if MEAN in values}
            columns.append(replace(column, values=(means,)))
        title = str(next(iter(named.values()))["benchmark"])
        blocks.append(Block(title, "model", tuple(named), columns, ("",)))
    return blocks


@dataclass(frozen=True)
class Table:
    """A kind of table: the measures that it needs, and what makes it of summaries and names."""

    measures: tuple[str, ...]
    build: Callable[[Sequence[Summary], Sequence[str]], list[Block]]


_PAPER_MEASURES = tuple(dict.fromkeys(measure for _, measure, _ in _PAPER))
TABLES: dict[str, Table] = {
    "languages": Table(_PAPER_MEASURES, _by_language),
    "summary": Table(_PAPER_MEASURES, _by_model),
    "miracl": Table(_MIRACL, _miracl),
}
"""`languages`: a row per query language with mAP (mono, cross, multi), R@1 (mono, cross), R@10 (multi) and rank distance, and
the macro-average below (Elmahdy et al. 2024, arXiv 2408.10536; a language's cross value is the mean of its queries over the
other languages' corpora); `summary`: the same measures, a row per result; `miracl`: nDCG@10 and R@100 per language in the
monolingual setting, with mean and median over languages."""
