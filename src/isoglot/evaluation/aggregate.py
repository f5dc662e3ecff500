"""From values per query and cell to the macro-averages that papers print."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from isoglot.evaluation.cells import QueryRows
from isoglot.records import BoolArray, FloatArray, IntArray

Scores = dict[str, float]
"""Measure spelling -> value."""


def mean_by(label: IntArray, values: FloatArray | BoolArray, count: int) -> FloatArray:
    """The mean of values of shape (n,) for every label from 0 to count - 1, shape (count,); NaN where there is none."""
    sizes = np.bincount(label, minlength=count)
    means: FloatArray = np.bincount(label, weights=values, minlength=count) / np.where(sizes > 0, sizes, np.nan)
    return means


def cell_means(
    rows: QueryRows, values: dict[str, FloatArray], query_languages: Sequence[str], document_languages: Sequence[str]
) -> dict[tuple[str, str], Scores]:
    """(query language, document language or "*") -> the mean of every measure over the queries of that cell."""
    width = len(document_languages) + 1
    numbers, cell = np.unique(rows.query_language * width + rows.document_language + 1, return_inverse=True)
    means = {name: mean_by(cell, column, len(numbers)).tolist() for name, column in values.items()}
    names = ["*", *document_languages]
    return {
        (query_languages[number // width], names[number % width]): {name: means[name][i] for name in values}
        for i, number in enumerate(numbers.tolist())
    }


def macro(cells: Sequence[Scores]) -> Scores:
    """The plain mean over cells: every language, or pair of languages, counts the same."""
    return {name: float(np.mean([cell[name] for cell in cells])) for name in cells[0]}


def per_language(setting: str, cells: dict[tuple[str, str], Scores]) -> dict[str, object]:
    """One setting by language.

    mono and multi: {language: scores}. cross: {"by_query": {language: mean over document languages}, "by_document":
    {language: mean over query languages}, "matrix": {query language: {document language: scores}}}.
    """
    if setting != "cross":
        return {query: dict(scores) for (query, _), scores in cells.items()}
    matrix: dict[str, dict[str, Scores]] = {}
    columns: dict[str, list[Scores]] = {}
    for (query, document), scores in cells.items():
        matrix.setdefault(query, {})[document] = scores
        columns.setdefault(document, []).append(scores)
    return {
        "by_query": {lang: macro(list(row.values())) for lang, row in matrix.items()},
        "by_document": {lang: macro(column) for lang, column in sorted(columns.items())},
        "matrix": matrix,
    }


def micro(values: dict[str, FloatArray]) -> Scores:
    """The plain mean over all (query, cell) rows of a setting: every row counts the same, so large languages count more."""
    return {name: float(np.mean(column)) for name, column in values.items()}
